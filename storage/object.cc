#include "storage/object.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace cartwheel {
namespace {

using Siblings = absl::InlinedVector<Sibling, 1>;

bool IsNewer(const Sibling& a, const Sibling& b) { return a.NewerThan(b); }

const Sibling* Find(const Siblings& siblings, const Dot& dot) {
  for (const Sibling& sibling : siblings) {
    if (sibling.dot == dot) return &sibling;
  }
  return nullptr;
}

Sibling* Find(Siblings& siblings, const Dot& dot) {
  return const_cast<Sibling*>(Find(std::as_const(siblings), dot));
}

// Two copies of one sibling differ at most where one replica dropped the bytes of a dead one
// already; dead stays dead, and a listing's copy without bytes never wins.
bool IsBetterCopy(const Sibling& candidate, const Sibling& than) {
  if (candidate.kind != than.kind) return candidate.kind == Kind::kTombstone;
  return candidate.bytes.size() > than.bytes.size();
}

// Of the siblings of one operation only the one with the greatest dot stays.
void UniteOperations(Siblings* siblings) {
  for (size_t i = 0; i + 1 < siblings->size(); ++i) {
    if ((*siblings)[i].operation == 0) continue;
    for (size_t j = i + 1; j < siblings->size();) {
      if ((*siblings)[j].operation != (*siblings)[i].operation) {
        ++j;
        continue;
      }
      if ((*siblings)[j].dot > (*siblings)[i].dot) std::swap((*siblings)[i], (*siblings)[j]);
      siblings->erase(siblings->begin() + static_cast<ptrdiff_t>(j));
    }
  }
}

// Narrows `winner`, whose context covers the other's, to what survives the merge of both: nothing
// of the other survives that winner lacks, so that no sibling moves.
void MergeCovered(Object* winner, Object* covered) {
  Siblings& siblings = winner->siblings;
  for (size_t i = 0; i < siblings.size();) {
    if (!covered->context.Contains(siblings[i].dot)) {
      ++i;
      continue;
    }
    Sibling* copy = Find(covered->siblings, siblings[i].dot);
    if (copy == nullptr) {
      siblings.erase(siblings.begin() + static_cast<ptrdiff_t>(i));
      continue;
    }
    if (IsBetterCopy(*copy, siblings[i])) {
      siblings[i].kind = copy->kind;
      siblings[i].bytes.swap(copy->bytes);
    }
    ++i;
  }
}

}  // namespace

const Sibling* Object::Newest(const View& view) const {
  for (const Sibling& sibling : siblings) {
    if (sibling.LiveAt(view)) return &sibling;
  }
  return nullptr;
}

void MergeInto(Object* mine, Object&& theirs) {
  if (theirs.context.Covers(mine->context)) {
    MergeCovered(&theirs, mine);
    *mine = std::move(theirs);
    return;
  }
  MergeCovered(mine, &theirs);
  const size_t before = mine->siblings.size();
  for (Sibling& sibling : theirs.siblings) {
    if (!mine->context.Contains(sibling.dot)) mine->siblings.push_back(std::move(sibling));
  }
  mine->context.Join(theirs.context);
  if (mine->siblings.size() == before) return;
  UniteOperations(&mine->siblings);
  std::sort(mine->siblings.begin(), mine->siblings.end(), IsNewer);
}

void PutInto(Object* object, const CausalContext& given, Sibling sibling) {
  Siblings& siblings = object->siblings;
  const auto dropped =
      std::remove_if(siblings.begin(), siblings.end(),
                     [&given](const Sibling& old) { return given.Contains(old.dot); });
  siblings.erase(dropped, siblings.end());
  object->context.Join(given);
  object->context.Add(sibling.dot);
  const bool alone = siblings.empty();
  siblings.push_back(std::move(sibling));
  if (alone) return;
  UniteOperations(&siblings);
  std::sort(siblings.begin(), siblings.end(), IsNewer);
}

Object DeltaOf(const CausalContext& given, Sibling sibling) {
  Object delta;
  delta.context = given;
  delta.context.Add(sibling.dot);
  delta.siblings.push_back(std::move(sibling));
  return delta;
}

void DropDeadBytes(Object* object, const View& view) {
  for (Sibling& sibling : object->siblings) {
    if (sibling.LiveAt(view)) continue;
    // A node whose clock is behind must not show the emptied value as a live one.
    sibling.kind = Kind::kTombstone;
    std::string().swap(sibling.bytes);
  }
}

Object WithoutBytes(const Object& object) {
  Object copy;
  copy.context = object.context;
  copy.siblings.reserve(object.siblings.size());
  for (const Sibling& sibling : object.siblings) {
    copy.siblings.push_back({sibling.dot, sibling.time, sibling.operation, sibling.expires_at_ms,
                             sibling.kind, std::string()});
  }
  return copy;
}

uint64_t VersionHash(const Position& position, const Object& object) {
  // Long enough on the stack for one actor and a few siblings, the common object.
  absl::InlinedVector<uint64_t, 32> words{position.slot, position.high, position.low,
                                          object.context.vector().size(),
                                          object.context.cloud().size()};
  const auto append = [&words](const Actor& actor, uint64_t counter) {
    words.push_back(actor.node);
    words.push_back(actor.birth);
    words.push_back(counter);
  };
  for (const auto& entry : object.context.vector()) append(entry.actor, entry.counter);
  for (const Dot& dot : object.context.cloud()) append(dot.actor, dot.counter);
  for (const Sibling& sibling : object.siblings) append(sibling.dot.actor, sibling.dot.counter);
  const uint64_t hash =
      Hash64({reinterpret_cast<const char*>(words.data()), words.size() * sizeof(uint64_t)});
  return hash == 0 ? 1 : hash;
}

size_t ByteSize(const Object& object) {
  size_t size = sizeof(Object) + object.context.size() * sizeof(Dot);
  for (const Sibling& sibling : object.siblings) size += sizeof(Sibling) + sibling.bytes.size();
  return size;
}

}  // namespace cartwheel
