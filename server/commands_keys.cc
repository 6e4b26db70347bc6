// Commands on keys whatever they hold: DEL, EXISTS, the EXPIRE family, SCAN, KEYS.
#include <algorithm>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/glob.h"
#include "server/command.h"
#include "server/commands.h"
#include "server/key_options.h"
#include "server/replies.h"
#include "server/text.h"

namespace cartwheel {
namespace {

constexpr uint32_t kDefaultScanCount = 10;
// One page of SCAN looks at no more than this, whatever COUNT says: a page is one turn's work.
constexpr uint32_t kMaxScanCount = 10000;
constexpr uint32_t kKeysPageCount = 1000;

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
  const int64_t left_ms = std::max<int64_t>(0, newest->expires_at_ms - call.now().wall_ms);
  const bool seconds = call.command().name == "ttl";
  call.Reply().Integer(seconds ? (left_ms + 500) / 1000 : left_ms);
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

// What SCAN and KEYS keep between pages.
struct ScanState : CallState {
  std::string pattern;
  bool matches_all = true;
  bool wanted_type = true;  // TYPE named strings, or nothing
  uint8_t r = 0;
  std::vector<std::string> found;  // KEYS: from all pages

  bool Wants(std::string_view key) const {
    return wanted_type && (matches_all || GlobMatches(pattern, key));
  }
};

// The words after the cursor; the error line, or nothing when they are right.
std::string_view ParseScanOptions(std::span<const std::string_view> words, ScanState* state,
                                  uint32_t* count) {
  for (size_t index = 0; index < words.size(); index += 2) {
    if (index + 1 == words.size()) return "ERR syntax error";
    const std::string_view word = words[index];
    const std::string_view value = words[index + 1];
    if (EqualsIgnoreCase(word, "COUNT")) {
      const auto number = ParseInteger(value);
      if (!number) return "ERR value is not an integer or out of range";
      if (*number < 1) return "ERR syntax error";
      *count = static_cast<uint32_t>(std::min<int64_t>(*number, kMaxScanCount));
    } else if (EqualsIgnoreCase(word, "MATCH")) {
      state->pattern = value;
      state->matches_all = value == "*";
    } else if (EqualsIgnoreCase(word, "TYPE")) {
      state->wanted_type = EqualsIgnoreCase(value, "string");
    } else {
      return "ERR syntax error";
    }
  }
  return {};
}

void ReplyScanPage(Call& call, Answer& answer) {
  ScanAnswer* page = call.Expect<ScanAnswer>(answer);
  if (page == nullptr) return;
  const ScanState& state = call.StateAs<ScanState>();
  std::erase_if(page->keys, [&state](const std::string& key) { return !state.Wants(key); });
  ReplyWriter reply = call.Reply();
  reply.Array(2);
  reply.Bulk(std::to_string(page->cursor));
  reply.Array(page->keys.size());
  for (const std::string& key : page->keys) reply.Bulk(key);
}

void TakeKeysPage(Call& call, Answer& answer) {
  ScanAnswer* page = call.Expect<ScanAnswer>(answer);
  if (page == nullptr) return;
  ScanState& state = call.StateAs<ScanState>();
  for (std::string& key : page->keys) {
    if (state.Wants(key)) state.found.push_back(std::move(key));
  }
  if (page->cursor != 0) {
    return call.Start(ScanOperation{call.db(), page->cursor, kKeysPageCount, state.r},
                      TakeKeysPage);
  }
  // Pages may overlap where many keys share a cursor.
  std::sort(state.found.begin(), state.found.end());
  state.found.erase(std::unique(state.found.begin(), state.found.end()), state.found.end());
  ReplyWriter reply = call.Reply();
  reply.Array(state.found.size());
  for (const std::string& key : state.found) reply.Bulk(key);
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
    call.Join(ReadOperation{call.KeyAt(index), call.r(), false}, ReplyExistingCount);
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

void ScanCommand(Call& call) {
  const auto cursor = ParseUnsigned(call.arg(1));
  if (!cursor) return call.Error("ERR invalid cursor");
  auto state = std::make_unique<ScanState>();
  uint32_t count = kDefaultScanCount;
  const std::string_view error = ParseScanOptions(call.args().subspan(2), state.get(), &count);
  if (!error.empty()) return call.Error(error);
  call.state = std::move(state);
  call.Start(ScanOperation{call.db(), *cursor, count, call.r()}, ReplyScanPage);
}

void KeysCommand(Call& call) {
  auto state = std::make_unique<ScanState>();
  state->pattern = call.arg(1);
  state->matches_all = state->pattern == "*";
  state->r = call.r();
  call.state = std::move(state);
  call.Start(ScanOperation{call.db(), 0, kKeysPageCount, call.r()}, TakeKeysPage);
}

constexpr CommandRow kRows[] = {
    {"del", -2, kWrite, AllKeys(kKeyRemove | kKeyDelete), DelCommand, "1.0.0", "Deletes keys."},
    {"exists", -2, kFastRead, AllKeys(kKeyRead), ExistsCommand, "1.0.0",
     "Counts which of the keys have a value."},
    {"expire", -3, kFastWrite, OneKey(kKeyReadWrite | kKeyUpdate), ExpireCommand, "1.0.0",
     "Lets a key expire after seconds."},
    {"expireat", -3, kFastWrite, OneKey(kKeyReadWrite | kKeyUpdate), ExpireAtCommand, "1.2.0",
     "Lets a key expire at a second since 1970."},
    {"keys", 2, kReadonly | kAllKeys, kNoKeys, KeysCommand, "1.0.0",
     "Lists the keys that match a pattern."},
    {"persist", 2, kFastWrite, OneKey(kKeyReadWrite | kKeyUpdate), PersistCommand, "2.2.0",
     "Lets a key live on for good."},
    {"pexpire", -3, kFastWrite, OneKey(kKeyReadWrite | kKeyUpdate), PExpireCommand, "2.6.0",
     "Lets a key expire after milliseconds."},
    {"pexpireat", -3, kFastWrite, OneKey(kKeyReadWrite | kKeyUpdate), PExpireAtCommand, "2.6.0",
     "Lets a key expire at a millisecond since 1970."},
    {"pttl", 2, kFastRead, OneKey(kReadsKey), TtlCommand, "2.6.0",
     "Milliseconds until a key expires."},
    {"scan", -2, kReadonly | kAllKeys, kNoKeys, ScanCommand, "2.8.0",
     "Lists the keys of the whole ring page by page."},
    {"ttl", 2, kFastRead, OneKey(kReadsKey), TtlCommand, "1.0.0", "Seconds until a key expires."},
    {"type", 2, kFastRead, OneKey(kKeyRead), TypeCommand, "1.0.0", "The type of a value."},
    {"unlink", -2, kFastWrite, AllKeys(kKeyRemove | kKeyDelete), DelCommand, "4.0.0",
     "Deletes keys."},
};

}  // namespace

CommandFamily KeyCommands() { return {"generic", kRows}; }

}  // namespace cartwheel
