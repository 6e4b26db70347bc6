// Commands on numbers in string values: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT. All are updates,
// made where the key's first live node is.
#include "server/command.h"
#include "server/commands.h"
#include "server/replies.h"
#include "server/text.h"

namespace cartwheel {
namespace {

void IncrementBy(Call& call, int64_t number) {
  StartUpdate(call, Update{UpdateKind::kIncrement, 0, {}, number, 0});
}

void IncrCommand(Call& call) { IncrementBy(call, 1); }
void DecrCommand(Call& call) { IncrementBy(call, -1); }

void IncrByCommand(Call& call) {
  const auto number = ParseInteger(call.arg(2));
  if (!number) return call.Error("ERR value is not an integer or out of range");
  IncrementBy(call, *number);
}

void DecrByCommand(Call& call) {
  const auto number = ParseInteger(call.arg(2));
  if (!number) return call.Error("ERR value is not an integer or out of range");
  if (*number == INT64_MIN) return call.Error("ERR decrement would overflow");
  IncrementBy(call, -*number);
}

// The increment is read where the value is: Redis looks at the value first.
void IncrByFloatCommand(Call& call) {
  StartUpdate(call, Update{UpdateKind::kIncrementFloat, 0, call.CopyOf(2), 0, 0});
}

constexpr CommandRow kRows[] = {
    {"decr", 2, kValueWrite | kFast, OneKey(kChangesKey), DecrCommand, "1.0.0",
     "Takes one from an integer.", "", kConcurrentUpdates},
    {"decrby", 3, kValueWrite | kFast, OneKey(kChangesKey), DecrByCommand, "1.0.0",
     "Takes a number from an integer.", "", kConcurrentUpdates},
    {"incr", 2, kValueWrite | kFast, OneKey(kChangesKey), IncrCommand, "1.0.0",
     "Adds one to an integer.", "", kConcurrentUpdates},
    {"incrby", 3, kValueWrite | kFast, OneKey(kChangesKey), IncrByCommand, "1.0.0",
     "Adds a number to an integer.", "", kConcurrentUpdates},
    {"incrbyfloat", 3, kValueWrite | kFast, OneKey(kChangesKey), IncrByFloatCommand, "2.6.0",
     "Adds a decimal fraction to a number.", "", kConcurrentUpdates},
};

}  // namespace

CommandFamily CounterCommands() { return {"string", kRows}; }

}  // namespace cartwheel
