// Commands on keys whatever they hold: DEL, EXISTS, TYPE, the EXPIRE and TTL families.
#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "server/command.h"
#include "server/commands.h"
#include "server/key_options.h"
#include "server/replies.h"
#include "server/text.h"

namespace cartwheel {
namespace {

void ReplyDeletedCount(Call& call) {
  if (!call.ExpectAll<DeleteAnswer>()) return;
  const auto& answers = call.answers();
  call.Reply().Integer(std::count_if(answers.begin(), answers.end(), [](const Answer& answer) {
    return std::get<DeleteAnswer>(answer.result).deleted;
  }));
}

void ReplyExistingCount(Call& call) {
  if (!call.ExpectAll<ReadAnswer>()) return;
  int64_t existing = 0;
  for (const Answer& answer : call.answers()) {
    if (NewestOf(call, std::get<ReadAnswer>(answer.result)) != nullptr) ++existing;
  }
  call.Reply().Integer(existing);
}

void ReplyType(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read != nullptr) call.Reply().Simple(NewestOf(call, *read) != nullptr ? "string" : "none");
}

void ReplyTtl(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  const Sibling* newest = NewestOf(call, *read);
  if (newest == nullptr) return call.Reply().Integer(-2);
  if (newest->expires_at_ms == 0) return call.Reply().Integer(-1);
  const std::string_view name = call.command().name;
  const bool absolute = name == "expiretime" || name == "pexpiretime";
  const int64_t since_ms = absolute ? 0 : call.now().wall_ms;
  const int64_t ms = std::max<int64_t>(0, newest->expires_at_ms - since_ms);
  const bool seconds = name == "ttl" || name == "expiretime";
  // Not by adding first: an expiry may be as late as a number can be.
  call.Reply().Integer(seconds ? ms / 1000 + (ms % 1000 >= 500 ? 1 : 0) : ms);
}

void StartRead(Call& call, Continuation then) {
  call.Start(ReadOperation{call.KeyAt(1), call.r(), false}, then);
}

void Expire(Call& call, bool seconds, bool absolute) {
  const auto flags = ParseExpireConditions(call.args().subspan(3));
  if (!flags) return call.Error(flags.error().message);
  const ExpiryWord expiry{true, seconds, absolute, call.arg(2)};
  const auto time = ExpireCommandTime(expiry, call.command().name, call.now().wall_ms);
  if (!time) return call.Error(time.error().message);
  call.Start(UpdateOperation{call.KeyAt(1), Update{UpdateKind::kExpire, *flags, {}, 0, *time},
                             call.r(), call.w()},
             ReplyUpdate);
}

void DelCommand(Call& call) {
  // A key that is named twice is deleted, and counted, once.
  std::unordered_set<std::string_view> seen;
  for (size_t index = 1; index < call.arg_count(); ++index) {
    if (!seen.insert(call.arg(index)).second) continue;
    call.Join(DeleteOperation{call.KeyAt(index), call.r(), call.w()}, ReplyDeletedCount);
  }
}

void ExistsCommand(Call& call) {
  for (size_t index = 1; index < call.arg_count(); ++index) {
    call.JoinHead(ReadOperation{call.KeyAt(index), call.r(), false}, ReplyExistingCount);
  }
}

void TypeCommand(Call& call) { StartRead(call, ReplyType); }
void TtlCommand(Call& call) { StartRead(call, ReplyTtl); }

void ExpireCommand(Call& call) { Expire(call, true, false); }
void PExpireCommand(Call& call) { Expire(call, false, false); }
void ExpireAtCommand(Call& call) { Expire(call, true, true); }
void PExpireAtCommand(Call& call) { Expire(call, false, true); }

void PersistCommand(Call& call) {
  call.Start(
      UpdateOperation{call.KeyAt(1), Update{UpdateKind::kPersist, 0, {}, 0, 0}, call.r(), call.w()},
      ReplyUpdate);
}

constexpr CommandRow kRows[] = {
    {"del", -2, kWrite, AllKeys(kKeyRemove | kKeyDelete), DelCommand, "1.0.0", "Deletes keys.", "",
     kEachForItself},
    {"exists", -2, kFastRead, AllKeys(kKeyRead), ExistsCommand, "1.0.0",
     "Counts which of the keys have a value.", "", kEachForItself},
    {"expire", -3, kFastWrite, OneKey(kKeyReadWrite | kKeyUpdate), ExpireCommand, "1.0.0",
     "Lets a key expire after seconds.", "", kOwnClock},
    {"expireat", -3, kFastWrite, OneKey(kKeyReadWrite | kKeyUpdate), ExpireAtCommand, "1.2.0",
     "Lets a key expire at a second since 1970.", "", kOwnClock},
    {"expiretime", 2, kFastRead, OneKey(kReadsKey), TtlCommand, "7.0.0",
     "The second since 1970 at which a key expires."},
    {"persist", 2, kFastWrite, OneKey(kKeyReadWrite | kKeyUpdate), PersistCommand, "2.2.0",
     "Lets a key live on for good."},
    {"pexpire", -3, kFastWrite, OneKey(kKeyReadWrite | kKeyUpdate), PExpireCommand, "2.6.0",
     "Lets a key expire after milliseconds.", "", kOwnClock},
    {"pexpireat", -3, kFastWrite, OneKey(kKeyReadWrite | kKeyUpdate), PExpireAtCommand, "2.6.0",
     "Lets a key expire at a millisecond since 1970.", "", kOwnClock},
    {"pexpiretime", 2, kFastRead, OneKey(kReadsKey), TtlCommand, "7.0.0",
     "The millisecond since 1970 at which a key expires."},
    {"pttl", 2, kFastRead, OneKey(kReadsKey), TtlCommand, "2.6.0",
     "Milliseconds until a key expires."},
    {"touch", -2, kFastRead, AllKeys(kKeyRead), ExistsCommand, "3.2.1",
     "Counts which of the keys have a value.", "", kEachForItself},
    {"ttl", 2, kFastRead, OneKey(kReadsKey), TtlCommand, "1.0.0", "Seconds until a key expires."},
    {"type", 2, kFastRead, OneKey(kKeyRead), TypeCommand, "1.0.0", "The type of a value."},
    {"unlink", -2, kFastWrite, AllKeys(kKeyRemove | kKeyDelete), DelCommand, "4.0.0",
     "Deletes keys.", "", kEachForItself},
};

}  // namespace

CommandFamily KeyCommands() { return {"generic", kRows}; }

}  // namespace cartwheel
