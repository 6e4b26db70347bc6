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

// `by` is minted in the place of `old`.
void Replace(const Sibling& old, Sibling* by) {
  for (const Replaced& replaced : old.replaces) NoteReplaced(replaced, &by->replaces);
  if (old.attempt != 0) NoteReplaced({old.operation, old.attempt}, &by->replaces);
}

// Who replaced an attempt takes those before it: they were minted earlier, whatever the clocks say,
// and so was all that they had replaced. One of the same attempt is there when the answer was an
// earlier one's after all, which came late: then the clocks decide. A later attempt may have been
// minted over writes that `sibling` does not know.
bool Takes(const Sibling& sibling, const Sibling& twin) {
  const Replaced* replaced = sibling.FindReplaced(twin.operation);
  if (replaced == nullptr || twin.FindReplaced(sibling.operation) != nullptr) return false;
  return twin.attempt < replaced->attempt ||
         (twin.attempt == replaced->attempt && sibling.NewerThan(twin));
}

bool Carries(const Siblings& siblings) {
  return std::any_of(siblings.begin(), siblings.end(),
                     [](const Sibling& sibling) { return !sibling.replaces.empty(); });
}

// The siblings that `by` has not seen and some of its own, which these have not seen, take.
std::vector<Dot> TwinsIn(const Object& of, const Object& by) {
  std::vector<Dot> twins;
  for (const Sibling& twin : of.siblings) {
    if (by.context.Contains(twin.dot)) continue;
    const bool taken = std::any_of(by.siblings.begin(), by.siblings.end(), [&](const Sibling& s) {
      return !of.context.Contains(s.dot) && Takes(s, twin);
    });
    if (taken) twins.push_back(twin.dot);
  }
  return twins;
}

void Drop(const std::vector<Dot>& dots, Siblings* siblings) {
  const auto dropped = std::remove_if(siblings->begin(), siblings->end(), [&](const Sibling& s) {
    return std::find(dots.begin(), dots.end(), s.dot) != dots.end();
  });
  siblings->erase(dropped, siblings->end());
}

// Drops the twins of what the other side's siblings have replaced. `mine` holds only what survives
// of it. Whoever takes another stays, so that something always does; in a circle all stay.
void DropTwins(Object* mine, Object* theirs) {
  if (!Carries(mine->siblings) && !Carries(theirs->siblings)) return;
  const std::vector<Dot> in_mine = TwinsIn(*mine, *theirs);
  const std::vector<Dot> in_theirs = TwinsIn(*theirs, *mine);
  const auto coming =
      std::count_if(theirs->siblings.begin(), theirs->siblings.end(),
                    [&](const Sibling& sibling) { return !mine->context.Contains(sibling.dot); });
  const size_t all = mine->siblings.size() + static_cast<size_t>(coming);
  if (in_mine.size() + in_theirs.size() == all) return;
  Drop(in_mine, &mine->siblings);
  Drop(in_theirs, &theirs->siblings);
}

// Narrows `winner` to what survives of it. When its context covers the other's that is the whole
// merge: nothing of the other survives that winner lacks, so that no sibling moves.
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
    siblings[i].attempt = std::max(siblings[i].attempt, copy->attempt);
    if (IsBetterCopy(*copy, siblings[i])) {
      siblings[i].kind = copy->kind;
      siblings[i].bytes.swap(copy->bytes);
    }
    ++i;
  }
}

}  // namespace

const Sibling* Object::Find(uint64_t operation) const {
  for (const Sibling& sibling : siblings) {
    if (sibling.operation == operation) return &sibling;
  }
  return nullptr;
}

bool Object::Replaces(uint64_t operation) const {
  return std::any_of(siblings.begin(), siblings.end(), [operation](const Sibling& s) {
    return s.FindReplaced(operation) != nullptr;
  });
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
  DropTwins(mine, &theirs);
  const size_t before = mine->siblings.size();
  for (Sibling& sibling : theirs.siblings) {
    if (!mine->context.Contains(sibling.dot)) mine->siblings.push_back(std::move(sibling));
  }
  mine->context.Join(theirs.context);
  if (mine->siblings.size() == before) return;
  std::sort(mine->siblings.begin(), mine->siblings.end(), IsNewer);
}

void UniteTwins(Object* object) {
  Siblings& siblings = object->siblings;
  for (size_t i = 0; i + 1 < siblings.size(); ++i) {
    const auto twins = std::remove_if(
        siblings.begin() + static_cast<ptrdiff_t>(i) + 1, siblings.end(),
        [&](const Sibling& s) { return s.operation != 0 && s.operation == siblings[i].operation; });
    siblings.erase(twins, siblings.end());
  }
}

void CoverTwins(const Object& object, CausalContext* context) {
  if (object.siblings.size() < 2) return;
  std::vector<Dot> twins;
  for (const Sibling& twin : object.siblings) {
    if (twin.operation == 0 || context->Contains(twin.dot)) continue;
    const bool covered =
        std::any_of(object.siblings.begin(), object.siblings.end(), [&](const Sibling& sibling) {
          return sibling.operation == twin.operation && context->Contains(sibling.dot);
        });
    if (covered) twins.push_back(twin.dot);
  }
  for (const Dot& dot : twins) context->Add(dot);
}

void NoteReplaced(const Replaced& replaced, std::vector<Replaced>* replaces) {
  for (Replaced& known : *replaces) {
    if (known.operation != replaced.operation) continue;
    known.attempt = std::max(known.attempt, replaced.attempt);
    return;
  }
  if (replaces->size() == kMostReplaced) replaces->erase(replaces->begin());
  replaces->push_back(replaced);
}

std::vector<Replaced> ReplacedWith(const Object& object) {
  Sibling by;
  for (const Sibling& old : object.siblings) Replace(old, &by);
  return std::move(by.replaces);
}

void PutInto(Object* object, const CausalContext& given, Sibling sibling) {
  Siblings& siblings = object->siblings;
  const auto dropped =
      std::remove_if(siblings.begin(), siblings.end(), [&given, &sibling](const Sibling& old) {
        if (!given.Contains(old.dot)) return false;
        Replace(old, &sibling);
        return true;
      });
  siblings.erase(dropped, siblings.end());
  object->context.Join(given);
  object->context.Add(sibling.dot);
  const bool alone = siblings.empty();
  siblings.push_back(std::move(sibling));
  if (alone) return;
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
                             sibling.kind, sibling.attempt, std::string(), sibling.replaces});
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
  for (const Sibling& sibling : object.siblings) {
    if (sibling.attempt == 0) continue;
    words.push_back(sibling.operation);
    words.push_back(sibling.attempt);
  }
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
