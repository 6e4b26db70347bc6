// Commands about the process: INFO, TIME, SHUTDOWN, and about whole databases: DBSIZE,
// FLUSHALL, FLUSHDB.
#include <chrono>
#include <string>

#include "server/client_names.h"
#include "server/command.h"
#include "server/commands.h"
#include "server/info.h"
#include "server/pipeline.h"
#include "server/replies.h"
#include "server/text.h"
#include "server/version.h"

namespace cartwheel {
namespace {

void ReplyCount(Call& call, Answer& answer) {
  const CountAnswer* count = call.Expect<CountAnswer>(answer);
  if (count != nullptr) call.Reply().Integer(static_cast<int64_t>(count->keys));
}

void Flush(Call& call, std::optional<uint32_t> db) {
  const bool known = call.arg_count() == 2 && (EqualsIgnoreCase(call.arg(1), "ASYNC") ||
                                               EqualsIgnoreCase(call.arg(1), "SYNC"));
  if (call.arg_count() > 1 && !known) return call.Error("ERR syntax error");
  call.Start(FlushOperation{db}, ReplyDone);
}

void InfoCommand(Call& call) {
  call.Reply().Verbatim("txt", InfoText(call.server(), call.args().subspan(1)));
}

void TimeCommand(Call& call) {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  const int64_t us = std::chrono::duration_cast<std::chrono::microseconds>(since_1970).count();
  ReplyWriter reply = call.Reply();
  reply.Array(2);
  reply.Bulk(std::to_string(us / 1'000'000));
  reply.Bulk(std::to_string(us % 1'000'000));
}

// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]: every end is the clean one, so the words only
// have to be right. Without a reply, as in Redis: the connection closes.
void ShutdownCommand(Call& call) {
  bool abort = false;
  bool save = false;
  bool no_save = false;
  for (const std::string_view word : call.args().subspan(1)) {
    if (EqualsIgnoreCase(word, "ABORT")) {
      abort = true;
    } else if (EqualsIgnoreCase(word, "SAVE")) {
      save = true;
    } else if (EqualsIgnoreCase(word, "NOSAVE")) {
      no_save = true;
    } else if (!EqualsIgnoreCase(word, "NOW") && !EqualsIgnoreCase(word, "FORCE")) {
      return call.Error("ERR syntax error");
    }
  }
  if ((save && no_save) || (abort && call.arg_count() > 2)) return call.Error("ERR syntax error");
  if (abort) return call.Error("ERR No shutdown in progress.");
  call.session().close_after_reply = true;
  call.server().shut_down();
}

// There are no masters and replicas among Dynamo's nodes; to a tool each is a master.
void RoleCommand(Call& call) {
  ReplyWriter reply = call.Reply();
  reply.Array(3);
  reply.Bulk("master");
  reply.Integer(0);
  reply.Array(0);
}

// LOLWUT [VERSION n] [...]
void LolwutCommand(Call& call) {
  constexpr std::string_view kWheel =
      "        .-\"\"\"\"-.\n"
      "      .'\\  |  /'.\n"
      "     /   \\ | /   \\\n"
      "    |-----(o)-----|\n"
      "     \\   / | \\   /\n"
      "      './  |  \\.'\n"
      "        '-....-'\n";
  if (call.arg_count() > 2 && EqualsIgnoreCase(call.arg(1), "VERSION") &&
      !ParseInteger(call.arg(2))) {
    return call.Error("ERR value is not an integer or out of range");
  }
  call.Reply().Verbatim("txt", std::string(kWheel) + "Redis ver. " + std::string(kRedisVersion) +
                                   ", Cartwheel ver. " + std::string(Version()) + "\n");
}

void ModuleList(Call& call) { call.Reply().Array(0); }

constexpr CommandRow kModuleTable[] = {
    {"module|list", 2, kAdmin | kNoScript, kNoKeys, ModuleList, "4.0.0", "All modules: none.",
     "LIST", "always empty"},
};

void DbSizeCommand(Call& call) { call.Start(CountOperation{call.db()}, ReplyCount); }

void FlushAllCommand(Call& call) { Flush(call, std::nullopt); }
void FlushDbCommand(Call& call) { Flush(call, call.db()); }

// Shows this connection every command of this node's clients, until RESET or the end.
void MonitorCommand(Call& call) {
  call.session().monitor = true;
  call.server().monitors.insert(&call.pipeline());
  call.Reply().Ok();
}

constexpr CommandRow kRows[] = {
    {"dbsize", 1, kFastRead | kAllKeys, kNoKeys, DbSizeCommand, "1.0.0",
     "Counts the keys of the whole ring.", "",
     "of the whole ring, from any node; what has expired counts until it is swept, a second or "
     "two"},
    {"flushall", -1, kWrite | kAllKeys | kDangerous, kNoKeys, FlushAllCommand, "1.0.0",
     "Empties all databases, also on nodes that are away.", "", kMajority},
    {"flushdb", -1, kWrite | kAllKeys | kDangerous, kNoKeys, FlushDbCommand, "1.0.0",
     "Empties one database, also on nodes that are away.", "", kMajority},
    {"info", -1, kAnytime | kDangerous, kNoKeys, InfoCommand, "1.0.0",
     "Facts and counters of this node.", "",
     "of this node; fields of what does not exist here have the values of a server that uses none "
     "of it"},
    {"lolwut", -1, kReadonly | kFast, kNoKeys, LolwutCommand, "5.0.0", "Draws something.", "",
     "draws a wheel"},
    {"module", -2, 0, kNoKeys, nullptr, "4.0.0", "Knows that there are no modules.", "",
     "there are no modules: LOAD, LOADEX and UNLOAD are unknown subcommands", kModuleTable},
    {"monitor", 1, kAdmin | kNoScript | kAnytime | kBarrier, kNoKeys, MonitorCommand, "1.0.0",
     "Shows the commands of all clients of this node.", "",
     "shows what the clients of this node send; what other nodes do for them is not shown"},
    {"role", 1, kFast | kNoScript | kAnytime | kDangerous, kNoKeys, RoleCommand, "2.8.12",
     "What a tool takes this node for: a master without replicas.", "",
     "every node is a master without replicas"},
    {"shutdown", -1, kAdmin | kNoScript | kAnytime | kNoMulti | kAllowBusy, kNoKeys,
     ShutdownCommand, "1.0.0", "Ends this node cleanly.", "",
     "every end is the clean one: SAVE, NOSAVE, NOW and FORCE change nothing"},
    {"time", 1, kFast | kAnytime, kNoKeys, TimeCommand, "2.6.0", "This node's clock."},
};

}  // namespace

CommandFamily ServerCommands() { return {"server", kRows}; }

}  // namespace cartwheel
