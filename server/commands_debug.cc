// DEBUG: for tests of clients and of this server; only where enable-debug-command allows it.
#include <fmt/format.h>
#include <time.h>

#include <charconv>
#include <cmath>
#include <string>

#include "server/command.h"
#include "server/commands.h"
#include "server/log.h"
#include "server/text.h"
#include "storage/position.h"

namespace cartwheel {
namespace {

constexpr double kMostSleepS = 3600;

bool Allowed(const Call& call) {
  switch (call.server().options.debug_command) {
    case DebugCommand::kNo: return false;
    case DebugCommand::kYes: return true;
    case DebugCommand::kLocal: return call.session().local;
  }
  return false;
}

// What cannot be read is 0, as in Redis.
double ReadNumber(std::string_view text) {
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// The whole node stands still, as a process that hangs: for its clients and for its peers.
void DebugSleep(Call& call) {
  const double seconds = std::fmin(std::fmax(ReadNumber(call.arg(2)), 0), kMostSleepS);
  timespec left{};
  left.tv_sec = static_cast<time_t>(seconds);
  left.tv_nsec = static_cast<long>((seconds - std::floor(seconds)) * 1e9);
  while (nanosleep(&left, &left) != 0) {
  }
  call.Reply().Ok();
}

void DebugSetActiveExpire(Call& call) {
  call.server().node->SetActiveExpire(ReadNumber(call.arg(2)) != 0);
  call.Reply().Ok();
}

void ReplyObject(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  const View view = call.server().node->ViewOf(call.db(), call.now());
  const Sibling* const newest = read->object.Newest(view);
  if (newest == nullptr) return call.Error("ERR no such key");
  call.Reply().Simple(fmt::format("Value at:slot {} refcount:1 serializedlength:{} siblings:{}",
                                  call.counter, newest->bytes.size(),
                                  read->object.siblings.size()));
}

void DebugObject(Call& call) {
  call.counter = HashSlot(call.arg(2), Partitioner::kSlot);
  call.Start(ReadOperation{call.KeyAt(2), call.r(), false}, ReplyObject);
}

void DebugError(Call& call) { call.Error(call.arg(2)); }

void DebugLog(Call& call) {
  LogEvent(LogLevel::kWarning, "DEBUG LOG: {}", call.arg(2));
  call.Reply().Ok();
}

void DebugHelp(Call& call) {
  constexpr std::string_view kLines[] = {
      "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "ERROR <line>",
      "    Answers with this error.",
      "LOG <text>",
      "    Writes a line into this node's log.",
      "OBJECT <key>",
      "    The slot, length and versions of a value.",
      "SET-ACTIVE-EXPIRE <0|1>",
      "    Stops or restarts the background sweep of this node that empties expired values.",
      "SLEEP <seconds>",
      "    Lets this node stand still, for its clients and for its peers.",
      "HELP",
      "    Prints this help.",
  };
  call.Reply().Array(std::size(kLines));
  for (const std::string_view line : kLines) call.Reply().Simple(line);
}

struct Subcommand {
  std::string_view name;
  size_t words;
  Handler handler;
};

constexpr Subcommand kSubcommands[] = {
    {"HELP", 2, DebugHelp},   {"SLEEP", 3, DebugSleep},
    {"ERROR", 3, DebugError}, {"SET-ACTIVE-EXPIRE", 3, DebugSetActiveExpire},
    {"LOG", 3, DebugLog},     {"OBJECT", 3, DebugObject},
};

// Redis, too, has DEBUG's subcommands outside of its command table.
void DebugCommandHandler(Call& call) {
  if (!Allowed(call)) {
    return call.Error(
        "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", "
        "you can run it from a local connection, otherwise you need to set this option in the "
        "configuration file, and then restart the server.");
  }
  for (const Subcommand& subcommand : kSubcommands) {
    if (EqualsIgnoreCase(subcommand.name, call.arg(1)) && subcommand.words == call.arg_count()) {
      return subcommand.handler(call);
    }
  }
  call.Error(
      fmt::format("ERR unknown subcommand or wrong number of arguments for '{}'. Try DEBUG HELP.",
                  Shown(call.arg(1))));
}

constexpr CommandRow kRows[] = {
    {"debug", -2, kAdmin | kNoScript | kAnytime, kNoKeys, DebugCommandHandler, "1.0.0",
     "For tests, where enable-debug-command allows it.", "",
     "ERROR, LOG, OBJECT, SET-ACTIVE-EXPIRE and SLEEP only; OBJECT shows what there is here"},
};

}  // namespace

CommandFamily DebugCommands() { return {"server", kRows}; }

}  // namespace cartwheel
