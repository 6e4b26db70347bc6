// Commands on string values: GET, SET and their kin. A plain SET is a blind put, the fast path;
// with NX, XX, GET or KEEPTTL it is an update, made where the key's first live node is.
#include <fmt/format.h>

#include <memory>
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

void StartPut(Call& call, size_t value, int64_t expires_at_ms) {
  call.Start(PutOperation{call.KeyAt(1), std::nullopt, Kind::kValue, call.CopyOf(value),
                          expires_at_ms, call.w()},
             ReplyPutOk);
}

void ReplyValue(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  const Sibling* newest = NewestOf(call, *read);
  if (newest == nullptr) return call.Reply().Null();
  call.Reply().Bulk(newest->bytes);
}

void ReplyLength(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  const Sibling* newest = NewestOf(call, *read);
  call.Reply().Integer(newest == nullptr ? 0 : static_cast<int64_t>(newest->bytes.size()));
}

void ReplyValues(Call& call) {
  if (!call.ExpectAll<ReadAnswer>()) return;
  ReplyWriter reply = call.Reply();
  reply.Array(call.answers().size());
  for (const Answer& answer : call.answers()) {
    const Sibling* newest = NewestOf(call, std::get<ReadAnswer>(answer.result));
    if (newest == nullptr) {
      reply.Null();
    } else {
      reply.Bulk(newest->bytes);
    }
  }
}

void ReplyWhetherSet(Call& call, Answer& answer) {
  const UpdateAnswer* update = call.Expect<UpdateAnswer>(answer);
  if (update == nullptr) return;
  if (update->result.type == UpdateResult::Type::kError) return call.Error(update->result.text);
  call.Reply().Integer(update->result.type == UpdateResult::Type::kOk ? 1 : 0);
}

void ReplyAllPut(Call& call) {
  if (call.ExpectAll<PutAnswer>()) call.Reply().Ok();
}

// GETEX with a bad expiry: Redis looks for the key before it reads the number.
void ReplyNullOrScratchError(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  if (NewestOf(call, *read) == nullptr) return call.Reply().Null();
  call.Error(call.scratch);
}

void SetWithExpiry(Call& call, bool seconds) {
  const ExpiryWord expiry{true, seconds, false, call.arg(2)};
  const auto expires_at_ms = ExpiryTime(expiry, call.command().name, call.now().wall_ms);
  if (!expires_at_ms) return call.Error(expires_at_ms.error().message);
  StartPut(call, 3, *expires_at_ms);
}

void GetCommand(Call& call) {
  call.Start(ReadOperation{call.KeyAt(1), call.r(), false}, ReplyValue);
}

void SetCommand(Call& call) {
  if (call.arg_count() == 3) return StartPut(call, 2, 0);
  const auto options = ParseSetOptions(call.args().subspan(3));
  if (!options) return call.Error(options.error().message);
  int64_t expires_at_ms = 0;
  if (options->expiry.given) {
    const auto time = ExpiryTime(options->expiry, "set", call.now().wall_ms);
    if (!time) return call.Error(time.error().message);
    expires_at_ms = *time;
  }
  if (options->flags == 0) return StartPut(call, 2, expires_at_ms);
  StartUpdate(call, Update{UpdateKind::kSet, options->flags, call.CopyOf(2), 0, expires_at_ms});
}

void SetNxCommand(Call& call) {
  StartUpdate(call, Update{UpdateKind::kSet, kIfAbsent, call.CopyOf(2), 0, 0}, ReplyWhetherSet);
}

void SetExCommand(Call& call) { SetWithExpiry(call, true); }
void PSetExCommand(Call& call) { SetWithExpiry(call, false); }

void GetSetCommand(Call& call) {
  StartUpdate(call, Update{UpdateKind::kSet, kReturnOld, call.CopyOf(2), 0, 0});
}

void GetDelCommand(Call& call) { StartUpdate(call, Update{UpdateKind::kGetDelete, 0, {}, 0, 0}); }

void GetExCommand(Call& call) {
  if (call.arg_count() == 2) return GetCommand(call);
  const auto options = ParseGetExOptions(call.args().subspan(2));
  if (!options) return call.Error(options.error().message);
  int64_t expires_at_ms = 0;
  if (options->expiry.given) {
    const auto time = ExpiryTime(options->expiry, "getex", call.now().wall_ms);
    if (!time) {
      call.scratch = time.error().message;
      return call.Start(ReadOperation{call.KeyAt(1), call.r(), false}, ReplyNullOrScratchError);
    }
    expires_at_ms = *time;
  }
  StartUpdate(call, Update{UpdateKind::kGetExpire, options->flags, {}, 0, expires_at_ms});
}

void MGetCommand(Call& call) {
  for (size_t index = 1; index < call.arg_count(); ++index) {
    call.Join(ReadOperation{call.KeyAt(index), call.r(), false}, ReplyValues);
  }
}

// Calls visit(index) with the key of each pair, or answers with the error that there are none. The
// operations run side by side, so of a key that is named twice only the last value goes.
template <typename Visit>
void ForEachPair(Call& call, Visit visit) {
  if (call.arg_count() % 2 == 0) {
    return call.Error(
        fmt::format("ERR wrong number of arguments for '{}' command", call.command().name));
  }
  std::unordered_set<std::string_view> seen;
  for (size_t pair = call.arg_count() / 2; pair > 0; --pair) {
    const size_t index = 2 * pair - 1;
    if (seen.insert(call.arg(index)).second) visit(index);
  }
}

void MSetCommand(Call& call) {
  ForEachPair(call, [&call](size_t index) {
    call.Join(PutOperation{call.KeyAt(index), std::nullopt, Kind::kValue, call.CopyOf(index + 1), 0,
                           call.w()},
              ReplyAllPut);
  });
}

// The pairs of MSETNX, the last of each key alone.
struct Pairs : CallState {
  std::vector<std::pair<Key, std::string>> pairs;
};

void ReplyOneWhenAllPut(Call& call) {
  if (call.ExpectAll<PutAnswer>()) call.Reply().Integer(1);
}

void PutPairsWhereNoneIs(Call& call) {
  if (!call.ExpectAll<ReadAnswer>()) return;
  for (const Answer& answer : call.answers()) {
    const auto& read = std::get<ReadAnswer>(answer.result);
    if (read.object.Newest(ViewOf(call)) != nullptr) return call.Reply().Integer(0);
  }
  for (auto& [key, value] : call.StateAs<Pairs>().pairs) {
    call.Join(PutOperation{key, std::nullopt, Kind::kValue, std::move(value), 0, call.w()},
              ReplyOneWhenAllPut);
  }
}

void MSetNxCommand(Call& call) {
  auto state = std::make_unique<Pairs>();
  ForEachPair(call, [&call, &state](size_t index) {
    state->pairs.emplace_back(call.KeyAt(index), call.CopyOf(index + 1));
    call.JoinHead(ReadOperation{call.KeyAt(index), call.r(), false}, PutPairsWhereNoneIs);
  });
  call.state = std::move(state);
}

void AppendCommand(Call& call) {
  StartUpdate(call, Update{UpdateKind::kAppend, 0, call.CopyOf(2), 0, 0});
}

void StrLenCommand(Call& call) {
  call.Start(ReadOperation{call.KeyAt(1), call.r(), false}, ReplyLength);
}

constexpr CommandRow kRows[] = {
    {"append", 3, kValueWrite | kFast, OneKey(kKeyReadWrite | kKeyInsert), AppendCommand, "2.0.0",
     "Adds bytes to the end of a value.", "", kConcurrentUpdates},
    {"get", 2, kFastRead, OneKey(kReadsKey), GetCommand, "1.0.0",
     "Reads the newest version of a key.", "",
     "shows the newest of concurrent versions; DYN.GET gives all"},
    {"getdel", 2, kFastWrite, OneKey(kKeyReadWrite | kKeyAccess | kKeyDelete), GetDelCommand,
     "6.2.0", "Reads a value and deletes it.", "", kConcurrentUpdates},
    {"getex", -2, kFastWrite, OneKey(kChangesKey), GetExCommand, "6.2.0",
     "Reads a value and sets when it expires."},
    {"getset", 3, kValueWrite | kFast, OneKey(kChangesKey), GetSetCommand, "1.0.0",
     "Writes a value and answers with the old one.", "", kConcurrentUpdates},
    {"mget", -2, kFastRead, AllKeys(kReadsKey), MGetCommand, "1.0.0", "Reads several keys.", "",
     kEachForItself},
    {"mset", -3, kValueWrite, EverySecondKey(kKeyOverwrite | kKeyUpdate), MSetCommand, "1.0.1",
     "Writes several keys, each for itself.", "", kEachForItself},
    {"msetnx",
     -3,
     kValueWrite,
     EverySecondKey(kKeyOverwrite | kKeyInsert),
     MSetNxCommand,
     "1.0.1",
     "Writes several keys if none of them has a value.",
     {},
     "The keys are read first and then written: another client may write one in between."},
    {"psetex", 4, kValueWrite, OneKey(kKeyOverwrite | kKeyUpdate), PSetExCommand, "2.6.0",
     "Writes a value that expires after milliseconds."},
    {"set", -3, kValueWrite, OneKey(kChangesKey | kKeyVariable), SetCommand, "1.0.0",
     "Writes a value over every version.", "",
     "NX, XX, GET and KEEPTTL on two sides of a partition are both taken: no lock across it"},
    {"setex", 4, kValueWrite, OneKey(kKeyOverwrite | kKeyUpdate), SetExCommand, "2.0.0",
     "Writes a value that expires after seconds."},
    {"setnx", 3, kValueWrite | kFast, OneKey(kKeyOverwrite | kKeyInsert), SetNxCommand, "1.0.0",
     "Writes a value where none is.", "",
     "on two sides of a partition both may set it: no lock across it"},
    {"strlen", 2, kFastRead, OneKey(kKeyRead), StrLenCommand, "2.2.0", "The length of a value."},
};

}  // namespace

CommandFamily StringCommands() { return {"string", kRows}; }

}  // namespace cartwheel
