// The command table. A CommandRow describes one command; each family's file (commands_*.cc) ends
// with its rows, command_table.cc names the families. COMMAND, HELP, arity, the order of calls on a
// key, AUTH, MULTI and docs/redis-compatibility.md all read these rows. A Command is a row as it is
// found by name, with what the table adds to it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace cartwheel {

class Call;
using Handler = void (*)(Call& call);

// Flags of a row.
enum CommandFlag : uint32_t {
  // Those that COMMAND shows, in Redis's sense.
  kWrite = 1 << 0,
  kReadonly = 1 << 1,
  kDenyOom = 1 << 2,
  kAdmin = 1 << 3,
  kNoScript = 1 << 4,
  kFast = 1 << 5,
  kLoading = 1 << 6,  // works before the ring is known
  kStale = 1 << 7,
  kNoAuth = 1 << 8,       // works before AUTH
  kSkipMonitor = 1 << 9,  // MONITOR does not show it
  kSkipSlowlog = 1 << 10,
  kMovableKeys = 1 << 11,
  kPubSub = 1 << 12,
  kBlocking = 1 << 13,
  kNoMulti = 1 << 14,  // not between MULTI and EXEC
  kMayReplicate = 1 << 15,
  kNoMandatoryKeys = 1 << 16,
  kNoAsyncLoading = 1 << 17,
  kAllowBusy = 1 << 18,
  kAskingFlag = 1 << 19,
  // Ours: touches keys that its arguments do not name (FLUSHALL, DBSIZE, SCAN): with kWrite it
  // waits for and holds up everything of its connection, with kReadonly all writes.
  kAllKeys = 1 << 24,
  // Ours: begins when all calls of its connection are done, and none begins before it is.
  kBarrier = 1 << 25,
  // Ours: allowed to a RESP2 connection that has subscriptions.
  kWhileSubscribed = 1 << 26,
  // Ours: runs at once between MULTI and EXEC instead of being queued.
  kEndsMulti = 1 << 27,
  // Ours: "@dangerous", which admin commands are anyway.
  kDangerous = 1 << 28,
};

// What is done to keys, as COMMAND's key specifications say it.
enum KeyFlag : uint32_t {
  kKeyRead = 1 << 0,       // RO
  kKeyReadWrite = 1 << 1,  // RW
  kKeyOverwrite = 1 << 2,  // OW
  kKeyRemove = 1 << 3,     // RM
  kKeyAccess = 1 << 4,
  kKeyUpdate = 1 << 5,
  kKeyInsert = 1 << 6,
  kKeyDelete = 1 << 7,
  kKeyNotKey = 1 << 8,
  kKeyIncomplete = 1 << 9,
  kKeyVariable = 1 << 10,
};

// Keys stand at arguments first, first + step, ... up to last.
struct KeyRange {
  int first = 0;  // 0: none
  int last = 0;   // from the end when negative
  int step = 1;
  uint32_t flags = 0;
};

// What many rows share.
inline constexpr uint32_t kAnytime = kLoading | kStale;
inline constexpr uint32_t kOpening = kNoScript | kAnytime | kFast | kNoAuth | kAllowBusy;
inline constexpr uint32_t kFastRead = kReadonly | kFast;
inline constexpr uint32_t kFastWrite = kWrite | kFast;
inline constexpr uint32_t kValueWrite = kWrite | kDenyOom;

// All keys of a command: one range, or two that are treated differently (COPY, BITOP).
struct KeyRanges : std::array<KeyRange, 2> {
  constexpr KeyRanges() : array{} {}
  constexpr KeyRanges(KeyRange range) : array{range} {}
  constexpr KeyRanges(KeyRange a, KeyRange b) : array{a, b} {}
};
inline constexpr KeyRanges kNoKeys;

inline constexpr uint32_t kReadsKey = kKeyRead | kKeyAccess;
inline constexpr uint32_t kChangesKey = kKeyReadWrite | kKeyAccess | kKeyUpdate;
constexpr KeyRange OneKey(uint32_t flags) { return {1, 1, 1, flags}; }
constexpr KeyRange AllKeys(uint32_t flags) { return {1, -1, 1, flags}; }
constexpr KeyRange EverySecondKey(uint32_t flags) { return {1, -1, 2, flags}; }

struct CommandRow {
  std::string_view name;  // lower case; of a subcommand "client|id"
  int arity;              // Redis's convention: all words count, -n is "at least n"
  uint32_t flags;
  KeyRanges keys;
  Handler handler;         // nullptr: only its subcommands do something
  std::string_view since;  // the version of Redis
  std::string_view summary;
  // Of a subcommand, for HELP: "KILL <option> ...".
  std::string_view usage = {};
  // How it differs from Redis's command of that name; empty: not at all.
  std::string_view difference = {};
  std::span<const CommandRow> subcommands = {};
};

// The rows of one file, which are of one group.
struct CommandFamily {
  std::string_view group;  // in Redis's words: "string"
  std::span<const CommandRow> rows;
};

struct Command : CommandRow {
  uint32_t id;                       // below CommandCount()
  std::string_view group;            // of its family, "string"
  const Command* container;          // of a subcommand
  std::vector<Command> subcommands;  // in alphabetical order, HELP among them; hides the row's

  // A subcommand's name without its container's.
  std::string_view short_name() const {
    return container == nullptr ? name : name.substr(container->name.size() + 1);
  }
};

// All commands in alphabetical order.
std::span<const Command> CommandTable();
// How many commands there are, subcommands included.
size_t CommandCount();
// Case-insensitive; nullptr when there is none.
const Command* FindCommand(std::string_view name);
const Command* FindSubcommand(const Command& container, std::string_view name);
// "config|get" is one as well.
const Command* FindByFullName(std::string_view name);
// What the words of a command ask for: the subcommand where there is one, else the command.
const Command* FindCommand(std::span<const std::string_view> words);

inline bool ArityFits(const CommandRow& row, size_t arguments) {
  return row.arity >= 0 ? arguments == static_cast<size_t>(row.arity)
                        : arguments >= static_cast<size_t>(-row.arity);
}

// Calls visit(index) for each key of the range among `count` arguments.
template <typename Visit>
void ForEachKey(const KeyRange& range, size_t count, Visit visit) {
  if (range.first == 0) return;
  const int size = static_cast<int>(count);
  const int last = range.last >= 0 ? range.last : size + range.last;
  for (int index = range.first; index <= last && index < size; index += range.step) {
    visit(static_cast<size_t>(index));
  }
}
template <typename Visit>
void ForEachKey(const CommandRow& row, size_t count, Visit visit) {
  for (const KeyRange& range : row.keys) ForEachKey(range, count, visit);
}

}  // namespace cartwheel
