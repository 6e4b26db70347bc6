#include "cluster/replica.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace cartwheel {
namespace {

constexpr size_t kKeptImageBytes = 1 << 20;
// How many set aside records are remembered; a disk that loses more is not worth the memory.
constexpr size_t kMostMissing = 100'000;

tl::unexpected<Status> Damaged() {
  return Error(ErrorCode::kDamaged, "this node's copy of the record was damaged and is set aside");
}

Status Collision(const KeyRef& key) {
  return {ErrorCode::kCollision, "another key has the hash of '" + std::string(key.bytes) + "'"};
}

bool Expires(const Sibling& sibling) {
  return sibling.kind == Kind::kValue && sibling.expires_at_ms != 0;
}

bool AllFlushed(const Object& object, uint64_t flushed_before) {
  return !object.siblings.empty() &&
         std::all_of(object.siblings.begin(), object.siblings.end(),
                     [&](const Sibling& s) { return s.time < flushed_before; });
}

}  // namespace

Result<std::optional<RecordView>> Replica::Find(const KeyRef& key, VersionHead* head) {
  const Position place = key.place();
  const auto found = engine_->Get(place);
  if (!found) return tl::unexpected(found.error());
  if (!found->has_value()) {
    if (!missing_.empty() && missing_.contains(place)) return Damaged();
    return std::nullopt;
  }
  const auto record = ParseRecord((*found)->image);
  if ((*found)->damaged || !record) {
    SetAside(place);
    return Damaged();
  }
  if (record->db != key.db || record->key != key.bytes) return tl::unexpected(Collision(key));
  *head = {record->version_hash, (*found)->sequence, (*found)->image.size()};
  return *record;
}

Result<VersionHead> Replica::Head(const KeyRef& key, std::string_view* object) {
  VersionHead head;
  const auto record = Find(key, &head);
  if (!record) return tl::unexpected(record.error());
  if (!record->has_value()) return head;
  if (object != nullptr) *object = (*record)->object;
  return head;
}

Result<void> Replica::Load(const KeyRef& key, StoredVersion* version) {
  const auto record = Find(key, version);
  if (!record) return tl::unexpected(record.error());
  if (!record->has_value()) return {};
  if (!DecodeObject((*record)->object, &version->object)) {
    SetAside(key.place());
    *version = {};
    return Damaged();
  }
  version->mark = (*record)->mark;
  return {};
}

tl::unexpected<Status> Replica::Full() {
  ++counters_->disk_full_refusals;
  return Error(ErrorCode::kFull, "no room for new values on the node that stores this key");
}

void Replica::SetAside(const Position& place) {
  ++counters_->records_set_aside;
  set_aside_.push_back(place);
  if (IsHint(place)) {
    if (const auto found = engine_->Get(place); found && found->has_value()) {
      CountHint(place, (*found)->image.size(), 0);
    }
  } else if (missing_.size() < kMostMissing) {
    missing_.insert(place);  // a hint is not missed: nobody repairs those
  }
  engine_->Drop(place);
}

Result<void> Replica::FindHints() {
  const Position first{kSlotCount, 0, 0};
  const Position last{kEngineSlots - 1, UINT64_MAX, UINT64_MAX};
  return engine_->Scan(first, last, [this](const Position& position, std::string_view image) {
    CountHint(position, 0, image.size());
    return true;
  });
}

void Replica::CountHint(const Position& place, size_t bytes_before, size_t bytes_after) {
  hints_.Replace(place, bytes_before, bytes_after);
  counters_->hints_pending = hints_.records();
  counters_->hints_pending_bytes = hints_.bytes();
}

Result<void> Replica::LoadKept(const KeyRef& key, std::span<const NodeId> nodes,
                               StoredVersion* version) {
  // What is damaged is as good as none: a fallback's word counts only beside a replica's.
  const auto load = [this](const KeyRef& copy, StoredVersion* to) {
    auto done = Load(copy, to);
    return !done && done.error().code == ErrorCode::kDamaged ? Result<void>() : done;
  };
  if (auto done = load({key.position, key.db, key.bytes}, version); !done) return done;
  if (hints_.records() == 0) return {};
  for (const NodeId node : nodes) {
    StoredVersion kept;
    if (auto done = load({key.position, key.db, key.bytes, node}, &kept); !done) return done;
    if (kept.hash == 0 || kept.hash == version->hash) continue;
    version->sequence = std::max(version->sequence, kept.sequence);
    MergeInto(&version->object, std::move(kept.object));
    version->hash = VersionHash(key.position, version->object);
  }
  return {};
}

bool Replica::Drop(const KeyRef& key, uint64_t hash) {
  const auto head = Head(key);
  if (!head || head->hash != hash) return false;
  if (key.hint_for != 0) CountHint(key.place(), head->record_bytes, 0);
  engine_->Drop(key.place());
  return true;
}

Dot Replica::NextDot(const StoredVersion& current, const CausalContext& given, int64_t wall_ms,
                     uint64_t* mark) {
  if (current.mark >= births_.era()) {
    const Actor actor{self_, current.mark};
    const uint64_t known = current.object.context.HighestCounter(actor);
    if (given.HighestCounter(actor) <= known) {
      *mark = current.mark;
      return {actor, known + 1};
    }
    ++counters_->clock_amnesia;
  }
  *mark = births_.Next(wall_ms);
  return {{self_, *mark}, 1};
}

// What was past the bounds before may be written as long as it does not grow.
bool Replica::PastBounds(const Object& next, size_t siblings_before, size_t bytes_before) const {
  if (next.siblings.size() > std::max<size_t>(limits_.siblings_max, siblings_before)) return true;
  return ByteSize(next) > std::max<size_t>(limits_.object_max_bytes, bytes_before);
}

void Replica::NoteMany(const KeyRef& key, const Object& next) {
  if (next.siblings.size() <= limits_.siblings_warn) return;
  ++counters_->siblings_past_warn;
  many_siblings_ = {std::string(key.bytes), next.siblings.size()};
}

uint64_t Replica::Store(const KeyRef& key, const Object& object, uint64_t hash, uint64_t mark,
                        const VersionHead& before) {
  image_.clear();
  if (image_.capacity() > kKeptImageBytes) image_.shrink_to_fit();
  AppendRecord(hash, key.db, key.bytes, object, mark, &image_);
  expiring_stored_ += std::any_of(object.siblings.begin(), object.siblings.end(), Expires) ? 1 : 0;
  const Position place = key.place();
  if (key.hint_for != 0) CountHint(place, before.record_bytes, image_.size());
  if (!missing_.empty()) missing_.erase(place);
  return engine_->Put(place, image_);
}

Result<Minted> Replica::Mint(const KeyRef& key, NewVersion&& version, const View& view) {
  if (version.kind == Kind::kValue && engine_->Full()) return Full();
  StoredVersion current;
  // Over a damaged copy as over none.
  if (auto done = Load(key, &current); !done && done.error().code != ErrorCode::kDamaged) {
    return tl::unexpected(std::move(done.error()));
  }
  if (const Sibling* done = current.object.Find(version.operation)) {
    Minted again{.delta = version.plain ? current.object : DeltaOf(version.context, *done),
                 .sequence = current.sequence};
    for (Sibling& sibling : again.delta.siblings) {
      if (sibling.operation != version.operation) continue;
      sibling.attempt = std::max(sibling.attempt, version.attempt);
    }
    return again;
  }
  if (current.object.Replaces(version.operation)) {
    return Minted{.delta = std::move(current.object), .sequence = current.sequence};
  }
  uint64_t mark = 0;
  Sibling sibling;
  sibling.dot = NextDot(current, version.context, view.wall_ms, &mark);
  if (version.plain) version.context.Join(current.object.context);
  CoverTwins(current.object, &version.context);
  sibling.time = clock_->Tick(view.wall_ms);
  for (const Sibling& old : current.object.siblings) {
    // Later than what it covers, even where a clock ran ahead that we do not follow.
    if (version.context.Contains(old.dot)) sibling.time = std::max(sibling.time, old.time + 1);
  }
  sibling.operation = version.operation;
  sibling.expires_at_ms = version.expires_at_ms;
  sibling.kind = version.kind;
  sibling.attempt = version.attempt;
  sibling.replaces = std::move(version.replaces);
  sibling.bytes = std::move(version.bytes);

  Minted minted;
  minted.fresh = current.object.Newest(view) == nullptr;
  Object next = std::move(current.object);
  const size_t siblings_before = next.siblings.size();
  const size_t bytes_before = ByteSize(next);
  if (version.plain) {
    // A plain write's delta is all that stays: nothing here is left uncovered.
    PutInto(&next, version.context, std::move(sibling));
    minted.delta = std::move(next);
    if (PastBounds(minted.delta, siblings_before, bytes_before)) {
      return Error(ErrorCode::kTooMany, "the value is past object-max-bytes");
    }
    minted.sequence =
        Store(key, minted.delta, VersionHash(key.position, minted.delta), mark, current);
    return minted;
  }
  PutInto(&next, version.context, std::move(sibling));
  minted.delta = DeltaOf(version.context, *next.Find(version.operation));
  DropDeadBytes(&next, view);
  if (PastBounds(next, siblings_before, bytes_before)) {
    return Error(ErrorCode::kTooMany, "the key has too many siblings: merge them first");
  }
  if (next.siblings.size() > 1) ++counters_->siblings_created;
  NoteMany(key, next);
  minted.sequence = Store(key, next, VersionHash(key.position, next), mark, current);
  return minted;
}

Result<Minted> Replica::MintKept(const KeyRef& key, std::span<const NodeId> nodes,
                                 NewVersion&& version, const View& view) {
  if (version.plain) {
    StoredVersion kept;
    if (auto done = LoadKept(key, nodes, &kept); !done) return tl::unexpected(done.error());
    version.context.Join(kept.object.context);
    for (const Replaced& replaced : ReplacedWith(kept.object)) {
      NoteReplaced(replaced, &version.replaces);
    }
  }
  return Mint(key, std::move(version), view);
}

Result<Minted> Replica::MintSiblings(const KeyRef& key, NewSiblings&& siblings, const View& view) {
  if (engine_->Full()) return Full();
  StoredVersion current;
  // Over a damaged copy as over none.
  if (auto done = Load(key, &current); !done && done.error().code != ErrorCode::kDamaged) {
    return tl::unexpected(std::move(done.error()));
  }
  std::vector<Replaced> replaces = std::move(siblings.replaces);
  for (const Replaced& replaced : ReplacedWith(current.object)) NoteReplaced(replaced, &replaces);
  uint64_t mark = 0;
  Dot dot = NextDot(current, siblings.context, view.wall_ms, &mark);
  // Later than what they cover, even where a clock ran ahead that we do not follow.
  uint64_t time = 0;
  for (const Sibling& old : current.object.siblings) time = std::max(time, old.time);

  Minted minted;
  minted.fresh = current.object.Newest(view) == nullptr;
  Object& next = minted.delta;
  next.context = std::move(siblings.context);
  next.context.Join(current.object.context);
  next.siblings.resize(siblings.copies.size());
  for (size_t i = siblings.copies.size(); i-- > 0; ++dot.counter) {
    time = std::max(clock_->Tick(view.wall_ms), time + 1);
    next.context.Add(dot);
    next.siblings[i] = {.dot = dot,
                        .time = time,
                        .operation = siblings.operation + i,
                        .expires_at_ms = siblings.copies[i].expires_at_ms,
                        .kind = Kind::kValue,
                        .attempt = 0,
                        .bytes = std::move(siblings.copies[i].bytes),
                        .replaces = replaces};
  }
  if (PastBounds(next, current.object.siblings.size(), ByteSize(current.object))) {
    return Error(ErrorCode::kTooMany, "the versions are past siblings-max or object-max-bytes");
  }
  NoteMany(key, next);
  minted.sequence = Store(key, next, VersionHash(key.position, next), mark, current);
  return minted;
}

Result<VersionHead> Replica::Merge(const KeyRef& key, Object&& incoming, const View& view) {
  StoredVersion current;
  // Over a damaged copy as over none.
  if (auto done = Load(key, &current); !done && done.error().code != ErrorCode::kDamaged) {
    return tl::unexpected(std::move(done.error()));
  }
  for (const Sibling& sibling : incoming.siblings) {
    if (!clock_->Observe(sibling.time, view.wall_ms, limits_.max_clock_skew_ms)) {
      ++counters_->clock_skew_refused;
    }
  }
  uint64_t mark = current.mark;
  if (mark != 0) {
    const Actor actor{self_, mark};
    if (incoming.context.HighestCounter(actor) > current.object.context.HighestCounter(actor)) {
      ++counters_->clock_amnesia;
      mark = 0;
    }
  }
  if (current.hash == 0) {
    if (incoming.context.empty()) return VersionHead{};
    // What was flushed everywhere need not come back as a record.
    if (AllFlushed(incoming, view.flushed_before)) return VersionHead{};
  }
  MergeInto(&current.object, std::move(incoming));
  const uint64_t hash = VersionHash(key.position, current.object);
  if (hash == current.hash && mark == current.mark) {
    return VersionHead{hash, current.sequence, current.record_bytes};
  }
  DropDeadBytes(&current.object, view);
  const uint64_t sequence = Store(key, current.object, hash, mark, current);
  return VersionHead{hash, sequence, 0};
}

void Replica::Replace(const KeyRef& key, const Object& object) {
  const auto head = Head(key);
  if (head) Store(key, object, VersionHash(key.position, object), 0, *head);
}

bool Replica::SweepFlushed(uint32_t db, uint64_t flushed_before, uint32_t budget, Position* from) {
  std::vector<Position> dead;
  bool more = false;
  const auto scanned =
      engine_->Scan(*from, kLastPosition, [&](const Position& position, std::string_view image) {
        if (budget-- == 0) {
          *from = position;
          more = true;
          return false;
        }
        const auto record = ReadIntact(image);
        if (!record || (db != UINT32_MAX && record->db != db)) return true;
        const auto object = DecodeObject(record->object);
        if (object && AllFlushed(*object, flushed_before)) dead.push_back(position);
        return true;
      });
  for (const Position& position : dead) engine_->Drop(position);
  return scanned.has_value() && more;
}

bool Replica::SweepExpired(int64_t wall_ms, uint32_t budget, Position* from, bool* later,
                           std::vector<Key>* gone) {
  std::vector<std::pair<Position, std::string>> over;
  bool more = false;
  const auto scanned =
      engine_->Scan(*from, kLastPosition, [&](const Position& position, std::string_view image) {
        if (budget-- == 0) {
          *from = position;
          more = true;
          return false;
        }
        const auto record = ReadIntact(image);
        Object object;
        if (!record || !record->has_value || !DecodeObject(record->object, &object)) return true;
        bool any_over = false;
        for (const Sibling& sibling : object.siblings) {
          if (!Expires(sibling)) continue;
          (sibling.expires_at_ms <= wall_ms ? any_over : *later) = true;
        }
        if (any_over) over.emplace_back(position, image);
        return true;
      });
  for (const auto& [position, image] : over) {
    const auto record = ParseRecord(image);
    Object object;
    DecodeObject(record->object, &object);
    DropDeadBytes(&object, {wall_ms, 0});
    if (object.Newest({wall_ms, 0}) == nullptr) {
      gone->push_back({record->db, std::string(record->key)});
    }
    Store({position, record->db, record->key}, object, record->version_hash, record->mark, {});
  }
  return scanned.has_value() && more;
}

}  // namespace cartwheel
