// OBJECT: what Redis tells of the inside of a value, by Redis's rules for what clients wrote. Here
// every value is a string of bytes, shared by nobody, and no access is noted.
#include "base/decimal.h"
#include "server/command.h"
#include "server/commands.h"
#include "server/replies.h"

namespace cartwheel {
namespace {

// What Redis does with a string that SET wrote: a number is kept as one, a short string beside its
// header.
constexpr size_t kMostIntegerBytes = 20;
constexpr size_t kMostEmbeddedBytes = 44;
// Small numbers are shared by all who use them, and their count stands still.
constexpr int64_t kSharedIntegers = 10000;
constexpr int64_t kSharedCount = INT32_MAX;

std::optional<int64_t> IntegerOf(const Sibling& sibling) {
  if (sibling.bytes.size() > kMostIntegerBytes) return std::nullopt;
  return ParseInteger(sibling.bytes);
}

// The newest live version; the null is the reply when there is none.
const Sibling* ExpectNewest(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return nullptr;
  const Sibling* newest = NewestOf(call, *read);
  if (newest == nullptr) call.Reply().Null();
  return newest;
}

void StartRead(Call& call, Continuation then) {
  call.Start(ReadOperation{call.KeyAt(2), call.r(), false}, then);
}

void ReplyEncoding(Call& call, Answer& answer) {
  const Sibling* newest = ExpectNewest(call, answer);
  if (newest == nullptr) return;
  if (IntegerOf(*newest)) return call.Reply().Bulk("int");
  call.Reply().Bulk(newest->bytes.size() <= kMostEmbeddedBytes ? "embstr" : "raw");
}

void ReplyReferences(Call& call, Answer& answer) {
  const Sibling* newest = ExpectNewest(call, answer);
  if (newest == nullptr) return;
  const auto number = IntegerOf(*newest);
  const bool shared = number && *number >= 0 && *number < kSharedIntegers;
  call.Reply().Integer(shared ? kSharedCount : 1);
}

void ReplyNoFrequency(Call& call, Answer& answer) {
  if (ExpectNewest(call, answer) == nullptr) return;
  call.Error(
      "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
      "when switching between policies at runtime LRU and LFU data will take some time to adjust.");
}

void ReplyNoIdleTime(Call& call, Answer& answer) {
  if (ExpectNewest(call, answer) == nullptr) return;
  call.Error("ERR no access is noted on this server, idle time not tracked");
}

void ObjectEncoding(Call& call) { StartRead(call, ReplyEncoding); }
void ObjectFreq(Call& call) { StartRead(call, ReplyNoFrequency); }
void ObjectIdleTime(Call& call) { StartRead(call, ReplyNoIdleTime); }
void ObjectRefCount(Call& call) { StartRead(call, ReplyReferences); }

constexpr KeyRange kSecondArgument = {2, 2, 1, kKeyRead};

constexpr CommandRow kObjectTable[] = {
    {"object|encoding", 3, kReadonly, kSecondArgument, ObjectEncoding, "2.2.3",
     "How Redis would keep the value.", "ENCODING <key>",
     "by the value alone: what APPEND made of it is embstr, too, while it is short"},
    {"object|freq", 3, kReadonly, kSecondArgument, ObjectFreq, "4.0.0",
     "An error: accesses are not counted.", "FREQ <key>",
     "always the error of Redis without an LFU policy"},
    {"object|idletime", 3, kReadonly, kSecondArgument, ObjectIdleTime, "2.2.3",
     "An error: accesses are not noted.", "IDLETIME <key>", "an error: no access is noted"},
    {"object|refcount", 3, kReadonly, kSecondArgument, ObjectRefCount, "2.2.3",
     "How many share the value in Redis: 1, or 2147483647 for small numbers.", "REFCOUNT <key>"},
};

constexpr CommandRow kRows[] = {
    {"object", -2, 0, kNoKeys, nullptr, "2.2.3", "What Redis tells of the inside of a value.", "",
     "", kObjectTable},
};

}  // namespace

CommandFamily ObjectCommands() { return {"generic", kRows}; }

}  // namespace cartwheel
