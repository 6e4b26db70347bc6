// FUNCTION: there is no scripting engine, so there are no libraries, and nothing runs: what asks
// for them or forgets them is answered so.
#include <fmt/format.h>

#include "server/command.h"
#include "server/commands.h"
#include "server/text.h"

namespace cartwheel {
namespace {

void FunctionDelete(Call& call) { call.Error("ERR Library not found"); }

void FunctionFlush(Call& call) {
  if (call.arg_count() > 3) {
    return call.Error(
        "ERR unknown subcommand or wrong number of arguments for 'flush'. Try FUNCTION HELP.");
  }
  const bool known = call.arg_count() == 3 && (EqualsIgnoreCase(call.arg(2), "SYNC") ||
                                               EqualsIgnoreCase(call.arg(2), "ASYNC"));
  if (call.arg_count() > 2 && !known) {
    return call.Error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  }
  call.Reply().Ok();
}

void FunctionKill(Call& call) { call.Error("NOTBUSY No scripts in execution right now."); }

// LIST [LIBRARYNAME pattern] [WITHCODE]
void FunctionList(Call& call) {
  bool with_code = false;
  bool named = false;
  for (size_t index = 2; index < call.arg_count(); ++index) {
    if (!with_code && EqualsIgnoreCase(call.arg(index), "WITHCODE")) {
      with_code = true;
    } else if (!named && EqualsIgnoreCase(call.arg(index), "LIBRARYNAME")) {
      if (++index == call.arg_count()) {
        return call.Error("ERR library name argument was not given");
      }
      named = true;
    } else {
      return call.Error(fmt::format("ERR Unknown argument {}", Shown(call.arg(index))));
    }
  }
  call.Reply().Array(0);
}

void FunctionStats(Call& call) {
  ReplyWriter reply = call.Reply();
  reply.Map(2);
  reply.Bulk("running_script");
  reply.Null();
  reply.Bulk("engines");
  reply.Map(0);
}

constexpr CommandRow kFunctionTable[] = {
    {"function|delete", 3, kWrite | kNoScript, kNoKeys, FunctionDelete, "7.0.0",
     "An error: there are no libraries.", "DELETE <library-name>",
     "always an error: there are no libraries"},
    {"function|flush", -2, kWrite | kNoScript, kNoKeys, FunctionFlush, "7.0.0",
     "Forgets all libraries, of which there are none.", "FLUSH [ASYNC|SYNC]",
     "there are no libraries"},
    {"function|kill", 2, kNoScript | kAllowBusy, kNoKeys, FunctionKill, "7.0.0",
     "An error: no function runs.", "KILL", "always an error: no function runs"},
    {"function|list", -2, kNoScript, kNoKeys, FunctionList, "7.0.0", "All libraries: none.",
     "LIST [LIBRARYNAME <pattern>] [WITHCODE]", "always empty"},
    {"function|stats", 2, kNoScript | kAllowBusy, kNoKeys, FunctionStats, "7.0.0",
     "What runs: nothing, and in which engines: none.", "STATS", "there is no engine"},
};

constexpr CommandRow kRows[] = {
    {"function", -2, 0, kNoKeys, nullptr, "7.0.0", "Knows that there are no functions.", "",
     "there is no scripting engine: LOAD, DUMP and RESTORE are unknown subcommands",
     kFunctionTable},
};

}  // namespace

CommandFamily FunctionCommands() { return {"scripting", kRows}; }

}  // namespace cartwheel
