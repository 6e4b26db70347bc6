// SLOWLOG: the last commands that took long.
#include <algorithm>
#include <string>

#include "server/command.h"
#include "server/commands.h"
#include "server/text.h"

namespace cartwheel {
namespace {

constexpr int64_t kShownByDefault = 10;

void SlowlogGet(Call& call) {
  int64_t count = kShownByDefault;
  if (call.arg_count() > 3) {
    return call.Error(
        "ERR unknown subcommand or wrong number of arguments for 'get'. Try SLOWLOG HELP.");
  }
  if (call.arg_count() == 3) {
    const auto number = ParseInteger(call.arg(2));
    if (!number || *number < -1) {
      return call.Error("ERR count should be greater than or equal to -1");
    }
    count = *number;
  }
  const auto& commands = call.server().stats.slow_log.commands();
  const size_t shown =
      count < 0 ? commands.size() : std::min(commands.size(), static_cast<size_t>(count));
  ReplyWriter reply = call.Reply();
  reply.Array(shown);
  for (size_t i = 0; i < shown; ++i) {
    const SlowCommand& command = commands[i];
    reply.Array(6);
    reply.Integer(command.id);
    reply.Integer(command.wall_s);
    reply.Integer(command.duration_us);
    reply.Array(command.words.size());
    for (const std::string& word : command.words) reply.Bulk(word);
    reply.Bulk(command.address);
    reply.Bulk(command.name);
  }
}

void SlowlogLen(Call& call) {
  call.Reply().Integer(static_cast<int64_t>(call.server().stats.slow_log.commands().size()));
}

void SlowlogReset(Call& call) {
  call.server().stats.slow_log.Clear();
  call.Reply().Ok();
}

constexpr uint32_t kFlags = kAdmin | kAnytime;
constexpr std::string_view kDifference =
    "a command's time is from its begin to its reply, replicas' time included; this node's only";

constexpr CommandRow kSlowlogTable[] = {
    {"slowlog|get", -2, kFlags, kNoKeys, SlowlogGet, "2.2.12",
     "The newest slow commands: id, time, us, words, client, client's name.", "GET [<count>]",
     kDifference},
    {"slowlog|len", 2, kFlags, kNoKeys, SlowlogLen, "2.2.12", "How many are kept.", "LEN"},
    {"slowlog|reset", 2, kFlags, kNoKeys, SlowlogReset, "2.2.12", "Forgets them.", "RESET"},
};

constexpr CommandRow kRows[] = {
    {"slowlog", -2, 0, kNoKeys, nullptr, "2.2.12", "Shows slow commands.", "", "", kSlowlogTable},
};

}  // namespace

CommandFamily SlowlogCommands() { return {"server", kRows}; }

}  // namespace cartwheel
