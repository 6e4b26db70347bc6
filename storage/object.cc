#include "storage/object.h"

#include <algorithm>
#include <iterator>
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

// Of the siblings of one operation only the one with the greatest dot stays. Others that it does
// not know of may be left of such an operation.
void UniteOperations(Siblings* siblings) {
  for (size_t i = 0; i + 1 < siblings->size(); ++i) {
    if ((*siblings)[i].operation == 0) continue;
    for (size_t j = i + 1; j < siblings->size();) {
      if ((*siblings)[j].operation != (*siblings)[i].operation) {
        ++j;
        continue;
      }
      if ((*siblings)[j].dot > (*siblings)[i].dot) std::swap((*siblings)[i], (*siblings)[j]);
      (*siblings)[i].retried = true;
      siblings->erase(siblings->begin() + static_cast<ptrdiff_t>(j));
    }
  }
}

// `sibling` of the object, or of a copy of it, was replaced.
void NoteReplaced(const Sibling& sibling, Object* object) {
  if (!sibling.retried) return;
  std::vector<uint64_t>& replaced = object->replaced;
  const auto place = std::lower_bound(replaced.begin(), replaced.end(), sibling.operation);
  if (place != replaced.end() && *place == sibling.operation) return;
  replaced.insert(place, sibling.operation);
}

// Whether the side with those siblings, which has seen `gone` and does not hold it, has replaced
// it. Otherwise it has united it with a twin, and holds the one with the greater dot.
bool WasReplaced(const Sibling& gone, const Siblings& siblings) {
  return std::none_of(siblings.begin(), siblings.end(), [&gone](const Sibling& sibling) {
    return sibling.operation == gone.operation && sibling.dot >= gone.dot;
  });
}

void DropReplaced(Object* object) {
  if (object->replaced.empty()) return;
  Siblings& siblings = object->siblings;
  siblings.erase(
      std::remove_if(siblings.begin(), siblings.end(),
                     [object](const Sibling& s) { return object->Replaced(s.operation); }),
      siblings.end());
}

void JoinReplaced(const std::vector<uint64_t>& theirs, std::vector<uint64_t>* mine) {
  if (theirs.empty()) return;
  std::vector<uint64_t> joined;
  joined.reserve(mine->size() + theirs.size());
  std::set_union(mine->begin(), mine->end(), theirs.begin(), theirs.end(),
                 std::back_inserter(joined));
  *mine = std::move(joined);
}

// Narrows `winner` to what survives of it, and notes what the merge of both replaces. When its
// context covers the other's that is the whole merge: nothing of the other survives that winner
// lacks, so that no sibling moves.
void MergeCovered(Object* winner, Object* covered) {
  Siblings& siblings = winner->siblings;
  for (const Sibling& theirs : covered->siblings) {
    const bool seen = theirs.retried && winner->context.Contains(theirs.dot);
    if (seen && WasReplaced(theirs, siblings)) NoteReplaced(theirs, winner);
  }
  for (size_t i = 0; i < siblings.size();) {
    if (!covered->context.Contains(siblings[i].dot)) {
      ++i;
      continue;
    }
    Sibling* copy = Find(covered->siblings, siblings[i].dot);
    if (copy == nullptr) {
      if (WasReplaced(siblings[i], covered->siblings)) NoteReplaced(siblings[i], winner);
      siblings.erase(siblings.begin() + static_cast<ptrdiff_t>(i));
      continue;
    }
    siblings[i].retried |= copy->retried;
    if (IsBetterCopy(*copy, siblings[i])) {
      siblings[i].kind = copy->kind;
      siblings[i].bytes.swap(copy->bytes);
    }
    ++i;
  }
  JoinReplaced(covered->replaced, &winner->replaced);
  DropReplaced(winner);
}

}  // namespace

const Sibling* Object::Find(uint64_t operation) const {
  for (const Sibling& sibling : siblings) {
    if (sibling.operation == operation) return &sibling;
  }
  return nullptr;
}

bool Object::Replaced(uint64_t operation) const {
  return std::binary_search(replaced.begin(), replaced.end(), operation);
}

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
    if (mine->context.Contains(sibling.dot) || mine->Replaced(sibling.operation)) continue;
    mine->siblings.push_back(std::move(sibling));
  }
  mine->context.Join(theirs.context);
  if (mine->siblings.size() == before) return;
  UniteOperations(&mine->siblings);
  std::sort(mine->siblings.begin(), mine->siblings.end(), IsNewer);
}

void PutInto(Object* object, const CausalContext& given, Sibling sibling) {
  Siblings& siblings = object->siblings;
  const auto dropped =
      std::remove_if(siblings.begin(), siblings.end(), [&given, object](const Sibling& old) {
        if (!given.Contains(old.dot)) return false;
        NoteReplaced(old, object);
        return true;
      });
  siblings.erase(dropped, siblings.end());
  object->context.Join(given);
  object->context.Add(sibling.dot);
  if (object->Replaced(sibling.operation)) return;
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
                             sibling.kind, sibling.retried, std::string()});
  }
  copy.replaced = object.replaced;
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
  // Operations that are retried and alive, or replaced: none is both.
  for (const Sibling& sibling : object.siblings) {
    if (sibling.retried) words.push_back(sibling.operation);
  }
  words.insert(words.end(), object.replaced.begin(), object.replaced.end());
  const uint64_t hash =
      Hash64({reinterpret_cast<const char*>(words.data()), words.size() * sizeof(uint64_t)});
  return hash == 0 ? 1 : hash;
}

size_t ByteSize(const Object& object) {
  size_t size = sizeof(Object) + object.context.size() * sizeof(Dot) +
                object.replaced.size() * sizeof(uint64_t);
  for (const Sibling& sibling : object.siblings) size += sizeof(Sibling) + sibling.bytes.size();
  return size;
}

}  // namespace cartwheel
