#include "cluster/reaper.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "cluster/hybrid_clock.h"
#include "storage/record.h"

namespace cartwheel {
namespace {

bool AllDead(const Object& object, const View& view) { return object.Newest(view) == nullptr; }

// Only the actors of what is alive are left in the context.
void Prune(Object* object) {
  absl::InlinedVector<CausalContext::Entry, 1> entries;
  std::vector<Dot> cloud;
  const auto is_of = [&](const Actor& actor) {
    return std::any_of(object->siblings.begin(), object->siblings.end(),
                       [&](const Sibling& sibling) { return sibling.dot.actor == actor; });
  };
  for (const CausalContext::Entry& entry : object->context.vector()) {
    if (is_of(entry.actor)) entries.push_back(entry);
  }
  for (const Dot& dot : object->context.cloud()) {
    if (is_of(dot.actor)) cloud.push_back(dot);
  }
  auto pruned = CausalContext::FromParts(std::move(entries), std::move(cloud));
  CHECK(pruned.has_value());
  object->context = *std::move(pruned);
}

}  // namespace

// entries := { position:18 version_hash:fixed64 }
void Reaper::Encode(const std::vector<Entry>& entries, std::string* out) {
  for (const Entry& entry : entries) {
    char position[kPositionBytes];
    EncodePosition(entry.position, position);
    out->append(position, kPositionBytes);
    PutFixed64(out, entry.hash);
  }
}

std::optional<std::vector<Reaper::Entry>> Reaper::Decode(std::string_view bytes) {
  std::vector<Entry> entries;
  Reader reader(bytes);
  while (!reader.done()) {
    const std::string_view position = reader.Raw(kPositionBytes);
    const uint64_t hash = reader.Fixed64();
    if (!reader.ok()) return std::nullopt;
    entries.push_back({DecodePosition(position.data()), hash});
    if (IsHint(entries.back().position)) return std::nullopt;
  }
  return entries;
}

// A copy is dead and old when its last write and, for values, the end of their time are both so far
// back. A long context is pruned only when nothing was written for as long.
bool Reaper::MayGo(const Now& now, const RecordView& record, const Object& object,
                   int64_t patience) const {
  const View view = context_->ViewOf(record.db, now);
  const int64_t before_ms = now.wall_ms - patience * context_->options.tombstone_min_age_ms;
  if (object.siblings.empty()) return false;
  for (const Sibling& sibling : object.siblings) {
    if (HybridClock::ToWall(sibling.time) > before_ms) return false;
    if (sibling.expires_at_ms > before_ms) return false;
  }
  return AllDead(object, view) || object.context.size() > kLongContext;
}

// The first of the replicas proposes as soon as it may; the others, for what that one does not have
// any more, after two, three times as long. Nothing: not one of them.
std::optional<int64_t> Reaper::Patience(uint16_t slot) const {
  const auto replicas = context_->ring->Replicas(slot);
  const auto at = std::find(replicas.begin(), replicas.end(), context_->self());
  if (at == replicas.end()) return std::nullopt;
  return at - replicas.begin() + 1;
}

bool Reaper::Votes(const Turn& turn, const Entry& entry) const {
  const uint16_t slot = entry.position.slot;
  if (context_->state->in_motion() || handoff_->HasLeftOvers() ||
      context_->replica.hints().AnyIn(slot))
    return false;
  if (!Patience(slot)) return true;
  if (context_->IsBehind(slot)) return false;  // what is missing here may have been something
  const auto found = context_->replica.engine()->Get(entry.position);
  // What cannot be read is not nothing.
  if (!found) return false;
  if (!found->has_value()) return true;
  const auto record = ReadIntact((*found)->image);
  Object object;
  if (!record || record->version_hash != entry.hash || !DecodeObject(record->object, &object)) {
    return false;
  }
  return MayGo(turn.now, *record, object);
}

void Reaper::OnRequest(const Turn& turn, NodeId from, const ReapRequest& request) {
  const auto entries = Decode(request.entries);
  if (!entries || request.epoch != context_->epoch()) return;
  std::string votes;
  for (const Entry& entry : *entries) votes.push_back(Votes(turn, entry) ? 1 : 0);
  // Whatever this rests on is on the disk when it is said.
  turn.RespondSynced(from, ReapResponse{.request = request.request, .votes = votes},
                     context_->replica.engine()->sequences().applied);
}

void Reaper::Tick(const Turn& turn) {
  const int64_t now_us = turn.now.mono_us;
  if (now_us < next_us_) return;
  next_us_ = now_us + kSliceUs;
  if (asked_) {
    FinishWhenAllSaidSo(turn);
    // Somebody is away: what was proposed is found again in a later walk.
    if (asked_ && now_us >= deadline_us_) asked_.reset();
    return;
  }
  if (!waiting_.empty() && waiting_.front().due_us <= now_us) {
    Batch batch = std::move(waiting_.front());
    waiting_.pop_front();
    Ask(turn, std::move(batch));
    return;
  }
  if (waiting_.size() < kMaxWaiting) Find(turn);
}

// One slice of the walk. Asks when there is enough, or at the walk's end.
void Reaper::Find(const Turn& turn) {
  uint32_t looked = 0;
  bool at_end = true;
  (void)context_->replica.engine()->Scan(
      from_, kLastPosition, [&](const Position& position, std::string_view image) {
        if (found_.size() == kBatchEntries || looked++ == kSliceRecords) {
          from_ = position;
          at_end = false;
          return false;
        }
        const std::optional<int64_t> patience = Patience(position.slot);
        if (!patience) return true;
        const auto record = ReadIntact(image);
        Object object;
        if (!record || !DecodeObject(record->object, &object)) return true;
        if (!MayGo(turn.now, *record, object, *patience)) return true;
        found_.push_back({position, record->version_hash});
        ++met_;
        return true;
      });
  if (at_end) {
    context_->counters.tombstones_pending = std::exchange(met_, 0);
    from_ = Position();
    const int64_t pause_us = context_->options.tombstone_min_age_ms * 1000 / 10;
    next_us_ = turn.now.mono_us + std::clamp(pause_us, kSliceUs, kMaxPauseUs);
  }
  if (found_.empty() || (!at_end && found_.size() < kBatchEntries)) return;
  Ask(turn, {.epoch = context_->epoch(), .entries = std::exchange(found_, {})});
}

void Reaper::Ask(const Turn& turn, Batch batch) {
  if (batch.epoch != context_->epoch()) return;
  std::erase_if(batch.entries, [&](const Entry& entry) { return !Votes(turn, entry); });
  if (batch.entries.empty()) return;
  silent_.clear();
  for (const Member& member : context_->state->members) {
    if (member.id == context_->self()) continue;
    if (!context_->liveness.IsAlive(member.id)) return;
    silent_.insert(member.id);
  }
  std::string entries;
  Encode(batch.entries, &entries);
  ++request_;
  for (const NodeId node : silent_) {
    turn.Request(node, ReapRequest{.request = request_, .epoch = batch.epoch, .entries = entries});
  }
  asked_ = std::move(batch);
  // What this node's own vote rests on has to be on its disk as well.
  own_after_ = context_->replica.engine()->sequences().applied;
  context_->replica.engine()->SyncSoon(own_after_);
  deadline_us_ = turn.now.mono_us + 4 * context_->options.replica_timeout_ms * 1000;
  FinishWhenAllSaidSo(turn);
}

void Reaper::OnResponse(const Turn& turn, NodeId from, const ReapResponse& response) {
  if (!asked_ || response.request != request_ || silent_.count(from) == 0) return;
  if (response.votes.size() != asked_->entries.size()) {
    asked_.reset();
    return;
  }
  // A vote against an entry takes it out for good; the others' votes are by the same numbers, so it
  // stays in its place until all have answered.
  for (size_t i = 0; i < response.votes.size(); ++i) {
    if (response.votes[i] != 1) asked_->entries[i].hash = 0;
  }
  silent_.erase(from);
  FinishWhenAllSaidSo(turn);
}

void Reaper::FinishWhenAllSaidSo(const Turn& turn) {
  const bool own_vote_counts = context_->replica.engine()->sequences().synced >= own_after_;
  if (silent_.empty() && own_vote_counts) Finish(turn);
}

// A round is over, and nobody is against what is left.
void Reaper::Finish(const Turn& turn) {
  Batch batch = *std::exchange(asked_, std::nullopt);
  std::erase_if(batch.entries, [](const Entry& entry) { return entry.hash == 0; });
  if (batch.entries.empty() || batch.epoch != context_->epoch()) return;
  if (batch.round == 1) {
    batch.round = 2;
    batch.due_us = turn.now.mono_us + context_->OldestDataUs() + kSliceUs;
    waiting_.push_back(std::move(batch));
    return;
  }
  Commit(turn, batch);
}

void Reaper::Commit(const Turn& turn, const Batch& batch) {
  std::string entries;
  Encode(batch.entries, &entries);
  for (const Member& member : context_->state->members) {
    if (member.id == context_->self()) continue;
    turn.Request(
        member.id,
        ReapCommit{.epoch = batch.epoch, .stamp = context_->StampOf(turn.now), .entries = entries});
  }
  Apply(turn, batch.entries);
}

void Reaper::OnCommit(const Turn& turn, NodeId from, const ReapCommit& commit) {
  const auto entries = Decode(commit.entries);
  const int64_t waited_us = context_->transit.Waited(from, commit.stamp, turn.now.mono_us);
  if (!entries || commit.epoch != context_->epoch() || waited_us > context_->OldestDataUs() / 4) {
    return;
  }
  Apply(turn, *entries);
}

void Reaper::Apply(const Turn& turn, const std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    const auto found = context_->replica.engine()->Get(entry.position);
    if (!found || !found->has_value()) continue;
    const std::string image((*found)->image);
    const auto record = ReadIntact(image);
    Object object;
    if (!record || record->version_hash != entry.hash || !DecodeObject(record->object, &object)) {
      continue;
    }
    const KeyRef key{entry.position, record->db, record->key};
    if (AllDead(object, context_->ViewOf(record->db, turn.now))) {
      context_->replica.Drop(key, entry.hash);
      ++context_->counters.tombstones_dropped;
    } else if (object.context.size() > kLongContext) {
      Prune(&object);
      context_->replica.Replace(key, object);
      ++context_->counters.contexts_pruned;
    }
  }
}

}  // namespace cartwheel
