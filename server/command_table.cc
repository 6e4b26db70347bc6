// The command table: one row per command. COMMAND, arity checks, the order of calls on one key and
// INFO read these rows.
#include <array>

#include "server/command.h"
#include "server/commands.h"

namespace cartwheel {
namespace {

constexpr CommandRow kTable[] = {
    {"command", -1, kLoading | kStale, 0, 0, 0, CommandCommand},
    {"del", -2, kWrite, 1, -1, 1, DelCommand},
    {"echo", 2, kFast | kLoading | kStale, 0, 0, 0, EchoCommand},
    {"get", 2, kReadonly | kFast, 1, 1, 1, GetCommand},
    {"ping", -1, kFast | kLoading | kStale, 0, 0, 0, PingCommand},
    {"quit", -1, kNoAuth | kNoScript | kFast | kLoading | kStale, 0, 0, 0, QuitCommand},
    {"set", -3, kWrite | kDenyOom, 1, 1, 1, SetCommand},
};

}  // namespace

std::span<const CommandRow> CommandTable() { return kTable; }

}  // namespace cartwheel
