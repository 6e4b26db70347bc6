// Commands over the keys of the whole ring: SCAN, KEYS, RANDOMKEY. Each page of keys is an
// operation of the core, from a cursor on; cursors hold on every node and after restarts.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/glob.h"
#include "server/command.h"
#include "server/commands.h"
#include "server/text.h"

namespace cartwheel {
namespace {

constexpr uint32_t kDefaultScanCount = 10;
// One page of SCAN looks at no more than this, whatever COUNT says: a page is one turn's work.
constexpr uint32_t kMaxScanCount = 10000;
constexpr uint32_t kKeysPageCount = 1000;
// RANDOMKEY chooses among so many neighbours: a key after a wide gap is not much likelier then.
constexpr uint32_t kRandomKeys = 16;

// What SCAN and KEYS keep between pages.
struct ScanState : CallState {
  std::string pattern;
  bool matches_all = true;
  bool wanted_type = true;         // TYPE named strings, or nothing
  std::vector<std::string> found;  // KEYS: from all pages

  bool Wants(std::string_view key) const {
    return wanted_type && (matches_all || GlobMatches(pattern, key));
  }
};

// As C's strtoul reads a number, which is how Redis reads a cursor: a sign is taken, and nothing at
// all is 0.
std::optional<uint64_t> ParseCursor(std::string_view text) {
  if (text.empty()) return 0;
  const bool negative = text[0] == '-';
  if (negative || text[0] == '+') text.remove_prefix(1);
  // More than one 0 before the others is no canonical number, but a cursor.
  while (text.size() > 1 && text[0] == '0') text.remove_prefix(1);
  const auto number = ParseUnsigned(text);
  if (!number) return std::nullopt;
  return negative ? 0 - *number : *number;
}

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

// Pages may overlap where many keys share a cursor.
void SortAndUnite(std::vector<std::string>* keys) {
  std::sort(keys->begin(), keys->end());
  keys->erase(std::unique(keys->begin(), keys->end()), keys->end());
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

void ScanCommand(Call& call) {
  const auto cursor = ParseCursor(call.arg(1));
  if (!cursor) return call.Error("ERR invalid cursor");
  auto state = std::make_unique<ScanState>();
  uint32_t count = kDefaultScanCount;
  const std::string_view error = ParseScanOptions(call.args().subspan(2), state.get(), &count);
  if (!error.empty()) return call.Error(error);
  call.state = std::move(state);
  call.Start(ScanOperation{call.db(), *cursor, count, call.r()}, ReplyScanPage);
}

void TakeKeysPage(Call& call, Answer& answer) {
  ScanAnswer* page = call.Expect<ScanAnswer>(answer);
  if (page == nullptr) return;
  ScanState& state = call.StateAs<ScanState>();
  for (std::string& key : page->keys) {
    if (state.Wants(key)) state.found.push_back(std::move(key));
  }
  if (page->cursor != 0) {
    return call.Start(ScanOperation{call.db(), page->cursor, kKeysPageCount, call.r()},
                      TakeKeysPage);
  }
  SortAndUnite(&state.found);
  ReplyWriter reply = call.Reply();
  reply.Array(state.found.size());
  for (const std::string& key : state.found) reply.Bulk(key);
}

void KeysCommand(Call& call) {
  auto state = std::make_unique<ScanState>();
  state->pattern = call.arg(1);
  state->matches_all = state->pattern == "*";
  call.state = std::move(state);
  call.Start(ScanOperation{call.db(), 0, kKeysPageCount, call.r()}, TakeKeysPage);
}

struct RandomKeyState : CallState {
  uint64_t start = 0;    // where on the ring it began
  bool wrapped = false;  // past the end, and on from the beginning
  std::vector<std::string> found;
};

void TakeRandomPage(Call& call, Answer& answer) {
  ScanAnswer* page = call.Expect<ScanAnswer>(answer);
  if (page == nullptr) return;
  RandomKeyState& state = call.StateAs<RandomKeyState>();
  std::move(page->keys.begin(), page->keys.end(), std::back_inserter(state.found));
  const bool around = state.wrapped && (page->cursor == 0 || page->cursor > state.start);
  if (state.found.size() < kRandomKeys && !around) {
    state.wrapped = state.wrapped || page->cursor == 0;
    const auto missing = static_cast<uint32_t>(kRandomKeys - state.found.size());
    return call.Start(ScanOperation{call.db(), page->cursor, missing, call.r()}, TakeRandomPage);
  }
  SortAndUnite(&state.found);
  if (state.found.empty()) return call.Reply().Null();
  call.Reply().Bulk(state.found[call.server().random.Below(state.found.size())]);
}

// The next keys after a random place on the ring, and one of them by chance.
void RandomKeyCommand(Call& call) {
  auto state = std::make_unique<RandomKeyState>();
  state->start = call.server().random.Below(kCursorEnd);
  const uint64_t start = state->start;
  call.state = std::move(state);
  call.Start(ScanOperation{call.db(), start, kRandomKeys, call.r()}, TakeRandomPage);
}

constexpr CommandRow kRows[] = {
    {"keys", 2, kReadonly | kAllKeys | kDangerous, kNoKeys, KeysCommand, "1.0.0",
     "Lists the keys that match a pattern.", "", kWholeRing},
    {"randomkey", 1, kReadonly | kAllKeys, kNoKeys, RandomKeyCommand, "1.0.0",
     "A key of the ring by chance.", "", kWholeRing},
    {"scan", -2, kReadonly | kAllKeys, kNoKeys, ScanCommand, "2.8.0",
     "Lists the keys of the whole ring page by page.", "",
     "cursors hold on every node and after restarts"},
};

}  // namespace

CommandFamily ScanCommands() { return {"generic", kRows}; }

}  // namespace cartwheel
