// SORT and SORT_RO. Their words are read as Redis reads them. All values are strings so far, which
// are not to be sorted: a key that is missing sorts to nothing, any other is of the wrong type.
#include <memory>
#include <string>
#include <utility>

#include "server/command.h"
#include "server/commands.h"
#include "server/replies.h"
#include "server/text.h"

namespace cartwheel {
namespace {

struct SortState : CallState {
  std::optional<Key> store;
};

void ReplyNothingStored(Call& call, Answer& answer) {
  if (call.Expect<DeleteAnswer>(answer) != nullptr) call.Reply().Integer(0);
}

void SortSource(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  if (NewestOf(call, *read) != nullptr) {
    return call.Error("WRONGTYPE Operation against a key holding the wrong kind of value");
  }
  std::optional<Key>& store = call.StateAs<SortState>().store;
  if (!store) return call.Reply().Array(0);
  call.Start(DeleteOperation{*std::move(store), call.r(), call.w()}, ReplyNothingStored);
}

// [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE destination]
void Sort(Call& call, bool may_store) {
  auto state = std::make_unique<SortState>();
  for (size_t index = 2; index < call.arg_count(); ++index) {
    const std::string_view word = call.arg(index);
    const size_t left = call.arg_count() - index - 1;
    if (EqualsIgnoreCase(word, "ASC") || EqualsIgnoreCase(word, "DESC") ||
        EqualsIgnoreCase(word, "ALPHA")) {
      continue;
    }
    if (EqualsIgnoreCase(word, "LIMIT") && left >= 2) {
      if (!ParseInteger(call.arg(index + 1)) || !ParseInteger(call.arg(index + 2))) {
        return call.Error("ERR value is not an integer or out of range");
      }
      index += 2;
    } else if (may_store && EqualsIgnoreCase(word, "STORE") && left >= 1) {
      state->store = call.KeyAt(++index);
    } else if ((EqualsIgnoreCase(word, "BY") || EqualsIgnoreCase(word, "GET")) && left >= 1) {
      ++index;
    } else {
      return call.Error("ERR syntax error");
    }
  }
  call.state = std::move(state);
  call.Start(ReadOperation{call.KeyAt(1), call.r(), false}, SortSource);
}

void SortCommand(Call& call) { Sort(call, true); }
void SortRoCommand(Call& call) { Sort(call, false); }

constexpr CommandRow kRows[] = {
    // STORE's key stands anywhere among the words.
    {"sort", -2, kValueWrite | kMovableKeys | kAllKeys | kDangerous, OneKey(kReadsKey), SortCommand,
     "1.0.0", "Sorts what a key holds, and may store that.", "",
     "there are only strings yet, which cannot be sorted"},
    {"sort_ro", -2, kReadonly | kMovableKeys | kDangerous, OneKey(kReadsKey), SortRoCommand,
     "7.0.0", "Sorts what a key holds.", "", "there are only strings yet, which cannot be sorted"},
};

}  // namespace

CommandFamily SortCommands() { return {"generic", kRows}; }

}  // namespace cartwheel
