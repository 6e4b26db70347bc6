// Object: what is stored under a key. A causal context of everything this replica has seen for the
// key, and the siblings (versions no other known version has replaced) that are alive in it.
// Dynamo, section 4.4; the merge is that of dotted version vector sets and the whole of
// replication: writes, read repair, hints, anti-entropy and transfer all merge an object into a
// copy.
#pragma once

#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "storage/causal_context.h"
#include "storage/position.h"

namespace cartwheel {

enum class Kind : uint8_t { kValue = 0, kTombstone = 1 };

// From where liveness is judged: the reader's wall clock, and the hybrid time before which the
// key's db was flushed (0: never).
struct View {
  int64_t wall_ms = 0;
  uint64_t flushed_before = 0;
};

// So many operations a sibling remembers to have replaced.
inline constexpr size_t kMostReplaced = 32;

// A retried operation, and the attempt whose sibling was replaced.
struct Replaced {
  uint64_t operation = 0;
  uint8_t attempt = 0;
  bool operator==(const Replaced&) const = default;
};

struct Sibling {
  Dot dot;
  uint64_t time = 0;          // hybrid logical clock: milliseconds << 16 | logical
  uint64_t operation = 0;     // one client write, however often it was retried; never 0 once minted
  int64_t expires_at_ms = 0;  // wall clock, 0: never
  Kind kind = Kind::kValue;
  // The nodes that were asked to mint the operation before the answer was this one, and gave none:
  // each may have minted it, earlier. In two copies of one sibling the greater holds.
  uint8_t attempt = 0;
  std::string bytes;
  // The retried siblings that this one replaced, itself or with what it replaced, the latest last.
  // What earlier attempts minted was replaced as well. Fixed with the dot.
  std::vector<Replaced> replaces = {};

  bool LiveAt(const View& view) const {
    return kind == Kind::kValue && (expires_at_ms == 0 || expires_at_ms > view.wall_ms) &&
           time >= view.flushed_before;
  }
  const Replaced* FindReplaced(uint64_t other) const {
    const auto found = std::find_if(replaces.begin(), replaces.end(),
                                    [other](const Replaced& r) { return r.operation == other; });
    return found == replaces.end() ? nullptr : &*found;
  }
  bool NewerThan(const Sibling& other) const {
    return time != other.time ? time > other.time : dot > other.dot;
  }
  bool operator==(const Sibling&) const = default;
};

struct Object {
  CausalContext context;
  // Newest first: by time, then by dot.
  absl::InlinedVector<Sibling, 1> siblings;

  // The sibling of an operation, the newest of its twins, or nullptr.
  const Sibling* Find(uint64_t operation) const;
  // Whether a sibling replaces that operation.
  bool Replaces(uint64_t operation) const;
  // The newest live sibling, or nullptr.
  const Sibling* Newest(const View& view) const;
  bool operator==(const Object&) const = default;
};

// Merge: a sibling survives when both sides have it or when the side that lacks it has not seen its
// dot; the contexts are joined. A sibling that the other side has not seen goes when one of the
// other side's, which is new here, replaced a later attempt of its operation. Commutative,
// idempotent, and associative but for operations that were retried (they converge).
void MergeInto(Object* mine, Object&& theirs);
inline void MergeInto(Object* mine, const Object& theirs) { MergeInto(mine, Object(theirs)); }

// Twins are siblings of one operation, minted by two nodes. To clients they are one: leaves the
// newest of each. For what is shown, never for what is stored: a version is replaced only by what
// was minted over it, or two writes that met each other's twins would both be gone.
void UniteTwins(Object* object);
// Adds the dots of the twins of what is covered: who replaces a write replaces it under all names.
void CoverTwins(const Object& object, CausalContext* context);

// Adds one to a sibling's list.
void NoteReplaced(const Replaced& replaced, std::vector<Replaced>* replaces);
// What a version that replaces all of the object notes.
std::vector<Replaced> ReplacedWith(const Object& object);

// A write: drops what `given` covers, adds `sibling` (its dot is new; it notes which operations it
// replaces), joins `given` and the dot.
void PutInto(Object* object, const CausalContext& given, Sibling sibling);

// What is sent to the other replicas for a write: an object of the given context, the dot and the
// new sibling alone.
Object DeltaOf(const CausalContext& given, Sibling sibling);

// Makes tombstones without bytes of siblings that are expired or flushed. The version stays what it
// is (same dots, same hash).
void DropDeadBytes(Object* object, const View& view);

// A copy without any value bytes, for listings.
Object WithoutBytes(const Object& object);

// 64 bits over (position, context, dots alive, attempts): equal versions, equal hashes.
// Never 0, which stands for "nothing there". It is what Merkle leaves add up and what "same"
// answers compare.
uint64_t VersionHash(const Position& position, const Object& object);

// The size in memory and on the wire, roughly; bounds use it.
size_t ByteSize(const Object& object);

// Grammar (varint, fixed64, bytes as in base/coding.h):
//   context := count { node:fixed64 birth:fixed64 counter:varint }   counter 0: only in the cloud
//              count { actor:varint counter:varint }                 actor: index into the first
//              list
//   object  := context count { actor:varint counter:varint time:fixed64 operation:fixed64
//                              expires_at_ms:varint kind:byte bytes
//                              [attempt:byte when kind & 2] [replaces when kind & 4] }
//   replaces := count { operation:fixed64 attempt:byte }   of which no attempt is 0
// Decoders take only what the encoders write (sorted, nothing twice, every sibling's dot within the
// context) and give kInvalid for all else; they never allocate much more than they are given.
void EncodeContext(const CausalContext& context, std::string* out);
Result<CausalContext> DecodeContext(std::string_view bytes);
void EncodeObject(const Object& object, std::string* out);
Result<Object> DecodeObject(std::string_view bytes);
// The same into an object that is there already; false, with anything in it, when malformed.
bool DecodeObject(std::string_view bytes, Object* object);
void EncodeReplaces(const std::vector<Replaced>& replaces, std::string* out);
bool DecodeReplaces(std::string_view bytes, std::vector<Replaced>* replaces);

}  // namespace cartwheel
