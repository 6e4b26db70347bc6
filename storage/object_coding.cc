// The bytes of contexts and objects; the grammar is in object.h. What is decoded may come from a
// client, a peer or a rotten disk: every count is bounded by the bytes that are left, and nothing
// is taken that the encoder would not have written.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/coding.h"
#include "storage/object.h"

namespace cartwheel {
namespace {

// The fewest bytes that one element of a list can take.
constexpr size_t kLeastActorBytes = 17;
constexpr size_t kLeastCloudBytes = 2;
constexpr size_t kLeastSiblingBytes = 21;
// Beside the kind.
constexpr uint8_t kRetried = 2;
constexpr uint8_t kReplaces = 4;

// All actors of a context, sorted; counter 0 for those in the cloud only.
using Actors = absl::InlinedVector<CausalContext::Entry, 4>;

Actors ActorsOf(const CausalContext& context) {
  Actors actors(context.vector().begin(), context.vector().end());
  if (context.cloud().empty()) return actors;
  for (const Dot& dot : context.cloud()) actors.push_back({dot.actor, 0});
  // Of one actor's entries the one of the vector is the first then, and stays.
  std::sort(actors.begin(), actors.end(), [](const auto& a, const auto& b) {
    return a.actor != b.actor ? a.actor < b.actor : a.counter > b.counter;
  });
  const auto same = [](const auto& a, const auto& b) { return a.actor == b.actor; };
  actors.erase(std::unique(actors.begin(), actors.end(), same), actors.end());
  return actors;
}

uint64_t IndexOf(const Actors& actors, const Actor& actor) {
  const auto entry =
      std::lower_bound(actors.begin(), actors.end(), actor,
                       [](const CausalContext::Entry& a, const Actor& b) { return a.actor < b; });
  CHECK(entry != actors.end() && entry->actor == actor);
  return static_cast<uint64_t>(entry - actors.begin());
}

void WriteContext(const CausalContext& context, const Actors& actors, std::string* out) {
  PutVarint(out, actors.size());
  for (const auto& entry : actors) {
    PutFixed64(out, entry.actor.node);
    PutFixed64(out, entry.actor.birth);
    PutVarint(out, entry.counter);
  }
  PutVarint(out, context.cloud().size());
  for (const Dot& dot : context.cloud()) {
    PutVarint(out, IndexOf(actors, dot.actor));
    PutVarint(out, dot.counter);
  }
}

// A list's length, or nothing when that many elements cannot follow.
std::optional<size_t> ReadCount(Reader* reader, size_t least_bytes) {
  const uint64_t count = reader->Varint();
  if (!reader->ok() || count > reader->rest().size() / least_bytes) return std::nullopt;
  return static_cast<size_t>(count);
}

// Reads {actor:varint counter:varint}.
std::optional<Dot> ReadDot(Reader* reader, const Actors& actors) {
  const uint64_t index = reader->Varint();
  const uint64_t counter = reader->Varint();
  if (!reader->ok() || index >= actors.size() || counter == 0) return std::nullopt;
  return Dot{actors[static_cast<size_t>(index)].actor, counter};
}

bool ReadActors(Reader* reader, Actors* actors) {
  const auto count = ReadCount(reader, kLeastActorBytes);
  if (!count) return false;
  actors->reserve(*count);
  for (size_t i = 0; i < *count; ++i) {
    const uint64_t node = reader->Fixed64();
    const uint64_t birth = reader->Fixed64();
    actors->push_back({{node, birth}, reader->Varint()});
    if (i > 0 && (*actors)[i].actor <= (*actors)[i - 1].actor) return false;
  }
  return reader->ok();
}

std::optional<CausalContext> ReadContext(Reader* reader, Actors* actors) {
  if (!ReadActors(reader, actors)) return std::nullopt;
  const auto count = ReadCount(reader, kLeastCloudBytes);
  if (!count) return std::nullopt;
  std::vector<Dot> cloud;
  cloud.reserve(*count);
  for (size_t i = 0; i < *count; ++i) {
    const auto dot = ReadDot(reader, *actors);
    if (!dot) return std::nullopt;
    cloud.push_back(*dot);
  }
  absl::InlinedVector<CausalContext::Entry, 1> vector;
  // An actor with counter 0 has its first dot next in the cloud, which is sorted as the actors are.
  auto dot = cloud.begin();
  for (const auto& entry : *actors) {
    while (dot != cloud.end() && dot->actor < entry.actor) ++dot;
    if (entry.counter > 0) {
      vector.push_back(entry);
    } else if (dot == cloud.end() || dot->actor != entry.actor) {
      return std::nullopt;
    }
  }
  return CausalContext::FromParts(std::move(vector), std::move(cloud));
}

bool ReadReplaces(Reader* reader, std::vector<Replaced>* replaces) {
  const uint64_t count = reader->Varint();
  if (count == 0 || count > kMostReplaced) return false;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t operation = reader->Fixed64();
    replaces->push_back({operation, reader->Byte()});
    if (replaces->back().attempt == 0) return false;
  }
  return reader->ok();
}

bool ReadSibling(Reader* reader, const Actors& actors, Sibling* sibling) {
  const auto dot = ReadDot(reader, actors);
  if (!dot) return false;
  sibling->dot = *dot;
  sibling->time = reader->Fixed64();
  sibling->operation = reader->Fixed64();
  sibling->expires_at_ms = static_cast<int64_t>(reader->Varint());
  const uint8_t kind = reader->Byte();
  const std::string_view bytes = reader->Bytes();
  const uint8_t kind_alone = kind & static_cast<uint8_t>(~(kRetried | kReplaces));
  if (!reader->ok() || kind_alone > static_cast<uint8_t>(Kind::kTombstone)) return false;
  sibling->kind = static_cast<Kind>(kind_alone);
  sibling->bytes = bytes;
  if ((kind & kRetried) != 0) {
    sibling->attempt = reader->Byte();
    if (sibling->attempt == 0) return false;
  }
  return (kind & kReplaces) == 0 || ReadReplaces(reader, &sibling->replaces);
}

// In order, inside the context, and no dot twice.
bool AreSiblings(const Object& object) {
  const auto& siblings = object.siblings;
  std::vector<Dot> dots;
  for (size_t i = 0; i < siblings.size(); ++i) {
    if (!object.context.Contains(siblings[i].dot)) return false;
    if (siblings.size() == 1) return true;
    if (i > 0 && !siblings[i - 1].NewerThan(siblings[i])) return false;
    dots.push_back(siblings[i].dot);
  }
  std::sort(dots.begin(), dots.end());
  return std::adjacent_find(dots.begin(), dots.end()) == dots.end();
}

}  // namespace

void EncodeContext(const CausalContext& context, std::string* out) {
  WriteContext(context, ActorsOf(context), out);
}

Result<CausalContext> DecodeContext(std::string_view bytes) {
  Reader reader(bytes);
  Actors actors;
  auto context = ReadContext(&reader, &actors);
  if (!context || !reader.done()) return Error(ErrorCode::kInvalid, "malformed causal context");
  return *std::move(context);
}

void EncodeObject(const Object& object, std::string* out) {
  const Actors actors = ActorsOf(object.context);
  WriteContext(object.context, actors, out);
  PutVarint(out, object.siblings.size());
  for (const Sibling& sibling : object.siblings) {
    PutVarint(out, IndexOf(actors, sibling.dot.actor));
    PutVarint(out, sibling.dot.counter);
    PutFixed64(out, sibling.time);
    PutFixed64(out, sibling.operation);
    PutVarint(out, static_cast<uint64_t>(sibling.expires_at_ms));
    const uint8_t retried = sibling.attempt != 0 ? kRetried : 0;
    const uint8_t replaces = sibling.replaces.empty() ? 0 : kReplaces;
    out->push_back(static_cast<char>(static_cast<uint8_t>(sibling.kind) | retried | replaces));
    PutBytes(out, sibling.bytes);
    if (sibling.attempt != 0) out->push_back(static_cast<char>(sibling.attempt));
    if (!sibling.replaces.empty()) EncodeReplaces(sibling.replaces, out);
  }
}

void EncodeReplaces(const std::vector<Replaced>& replaces, std::string* out) {
  PutVarint(out, replaces.size());
  for (const Replaced& replaced : replaces) {
    PutFixed64(out, replaced.operation);
    out->push_back(static_cast<char>(replaced.attempt));
  }
}

bool DecodeReplaces(std::string_view bytes, std::vector<Replaced>* replaces) {
  Reader reader(bytes);
  return ReadReplaces(&reader, replaces) && reader.done();
}

bool DecodeObject(std::string_view bytes, Object* object) {
  Reader reader(bytes);
  Actors actors;
  auto context = ReadContext(&reader, &actors);
  if (!context) return false;
  const auto count = ReadCount(&reader, kLeastSiblingBytes);
  if (!count) return false;
  object->context = *std::move(context);
  object->siblings.clear();
  object->siblings.reserve(*count);
  for (size_t i = 0; i < *count; ++i) {
    if (!ReadSibling(&reader, actors, &object->siblings.emplace_back())) return false;
  }
  return reader.done() && AreSiblings(*object);
}

Result<Object> DecodeObject(std::string_view bytes) {
  Object object;
  if (!DecodeObject(bytes, &object)) return Error(ErrorCode::kInvalid, "malformed object");
  return object;
}

}  // namespace cartwheel
