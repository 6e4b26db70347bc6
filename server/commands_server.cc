// Commands about the process: CONFIG, INFO, TIME, SHUTDOWN, and about whole databases: DBSIZE,
// FLUSHALL, FLUSHDB.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/glob.h"
#include "server/command.h"
#include "server/commands.h"
#include "server/info.h"
#include "server/pipeline.h"
#include "server/replies.h"
#include "server/text.h"

namespace cartwheel {
namespace {

using ConfigValues = std::map<std::string, std::string, std::less<>>;

// What tools ask for by Redis's names and ours answer in other words.
ConfigValues RedisNamed(const Options& options) {
  const bool durable = options.engine == EngineKind::kLmdb;
  std::string_view sync = "everysec";
  if (options.fsync == FsyncPolicy::kAlways) sync = "always";
  if (options.fsync == FsyncPolicy::kNo) sync = "no";
  return {{"appendfsync", std::string(sync)},
          {"appendonly", durable ? "yes" : "no"},
          {"cluster-enabled", "yes"},
          {"save", ""}};
}

// A name that is asked for without a pattern comes back as it was written.
std::string_view NameShown(std::span<const std::string_view> patterns, std::string_view name) {
  for (const std::string_view pattern : patterns) {
    if (EqualsIgnoreCase(pattern, name)) return pattern;
  }
  return name;
}

void ConfigGet(Call& call) {
  const Options& options = call.server().options;
  const auto patterns = call.args().subspan(2);
  const auto wanted = [&patterns](std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(), [name](std::string_view pattern) {
      return GlobMatchesIgnoringCase(pattern, name);
    });
  };
  ConfigValues found;
  for (const OptionRow& row : OptionTable()) {
    if (wanted(row.name)) found.emplace(row.name, row.print(options));
  }
  for (const auto& [name, value] : RedisNamed(options)) {
    if (wanted(name)) found.emplace(name, value);
  }
  ReplyWriter reply = call.Reply();
  reply.Map(found.size());
  for (const auto& [name, value] : found) {
    reply.Bulk(NameShown(patterns, name));
    reply.Bulk(value);
  }
}

std::string SetFailure(std::string_view name, std::string_view why) {
  return fmt::format("ERR CONFIG SET failed (possibly related to argument '{}') - {}", Shown(name),
                     why);
}

// Why the pairs cannot all be set; empty when they can.
std::string FirstObstacle(Call& call) {
  Options trial = call.server().options;
  std::vector<const OptionRow*> seen;
  for (size_t index = 2; index < call.arg_count(); index += 2) {
    const std::string_view name = call.arg(index);
    const OptionRow* row = FindOption(name);
    if (row == nullptr) {
      return fmt::format("ERR Unknown option or number of arguments for CONFIG SET - '{}'",
                         Shown(name));
    }
    if (!row->changeable) return SetFailure(name, "can't set immutable config");
    if (std::find(seen.begin(), seen.end(), row) != seen.end()) {
      return SetFailure(name, "duplicate parameter");
    }
    seen.push_back(row);
    const auto set = SetOption(&trial, row->name, call.arg(index + 1));
    if (!set) return SetFailure(name, set.error().message);
    const auto fits = CheckOptions(trial);
    if (!fits) return SetFailure(name, fits.error().message);
  }
  return {};
}

// All of the pairs or none.
void ConfigSet(Call& call) {
  if (call.arg_count() % 2 != 0) return call.Error("ERR syntax error");
  const std::string obstacle = FirstObstacle(call);
  if (!obstacle.empty()) return call.Error(obstacle);
  for (size_t index = 2; index < call.arg_count(); index += 2) {
    const auto set = call.server().set_option(call.arg(index), call.arg(index + 1));
    if (!set) return call.Error(SetFailure(call.arg(index), set.error().message));
  }
  call.Reply().Ok();
}

constexpr CommandRow kConfigTable[] = {
    {"config|get", -3, kAdmin | kNoScript | kAnytime, kNoKeys, ConfigGet, "2.0.0",
     "Options that match a pattern.", "GET <pattern> [<pattern> ...]"},
    {"config|set", -4, kAdmin | kNoScript | kAnytime, kNoKeys, ConfigSet, "2.0.0",
     "Changes options of this node until it ends.", "SET <option> <value> [<option> <value> ...]"},
};

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
    {"config", -2, 0, kNoKeys, nullptr, "2.0.0", "Reads and changes options.", "", "",
     kConfigTable},
    {"dbsize", 1, kFastRead | kAllKeys, kNoKeys, DbSizeCommand, "1.0.0",
     "Counts the keys of the whole ring."},
    {"flushall", -1, kWrite | kAllKeys, kNoKeys, FlushAllCommand, "1.0.0",
     "Empties all databases, also on nodes that are away."},
    {"flushdb", -1, kWrite | kAllKeys, kNoKeys, FlushDbCommand, "1.0.0",
     "Empties one database, also on nodes that are away."},
    {"info", -1, kAnytime, kNoKeys, InfoCommand, "1.0.0", "Facts and counters of this node."},
    {"monitor", 1, kAdmin | kNoScript | kAnytime | kBarrier, kNoKeys, MonitorCommand, "1.0.0",
     "Shows the commands of all clients of this node.", "",
     "shows what the clients of this node send; what other nodes do for them is not shown"},
    {"shutdown", -1, kAdmin | kNoScript | kAnytime, kNoKeys, ShutdownCommand, "1.0.0",
     "Ends this node cleanly."},
    {"time", 1, kFast | kAnytime, kNoKeys, TimeCommand, "2.6.0", "This node's clock."},
};

}  // namespace

CommandFamily ServerCommands() { return {"server", kRows}; }

}  // namespace cartwheel
