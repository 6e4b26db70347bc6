#include "cluster/handoff.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "cluster/hybrid_clock.h"
#include "storage/record.h"

namespace cartwheel {
namespace {

Position After(Position position) {
  if (++position.low == 0 && ++position.high == 0) ++position.slot;
  return position;
}

}  // namespace

void Handoff::OnAlive(NodeId node, const Now& now) {
  Walk& walk = walks_[node];
  walk.due_us = now.mono_us;
  walk.pause_us = kMinPauseUs;
  next_us_ = now.mono_us;
}

void Handoff::OnPlacementChanged(const Now& now) {
  // What was confirmed was confirmed by the N of another ring.
  copies_.clear();
  bytes_ = 0;
  walks_.clear();
  left_overs_.Restart();
  has_left_overs_ = true;  // until a walk finds none
  next_us_ = now.mono_us;
}

void Handoff::NoteLeftOver(const Now& now) {
  has_left_overs_ = true;
  next_us_ = std::min(next_us_, now.mono_us + kMinPauseUs);
}

bool Handoff::IsIdle() const {
  return copies_.empty() && !has_left_overs_ && context_->replica.hints().records() == 0;
}

int64_t Handoff::NextDeadline() const {
  return IsIdle() ? std::numeric_limits<int64_t>::max() : next_us_;
}

void Handoff::Tick(const Turn& turn) {
  const int64_t now_us = turn.now.mono_us;
  if (IsIdle() || now_us < next_us_) return;
  while (!copies_.empty() && copies_.begin()->second.deadline_us <= now_us) {
    Forget(copies_.begin()->first);
  }
  ConfirmOwn();
  const auto& targets = context_->replica.hints().targets();
  for (const auto& [node, target] : targets) walks_.try_emplace(node);
  if (has_left_overs_) walks_.try_emplace(kLeftOvers);
  next_us_ = now_us + kLongestRestUs;
  for (auto& [target, walk] : walks_) {
    const bool needed = target == kLeftOvers ? has_left_overs_ : targets.contains(target);
    if (needed && walk.due_us <= now_us) Go(turn, target, &walk);
    next_us_ = std::min(next_us_, std::max(walk.due_us, now_us + kSliceUs));
  }
}

// One slice of a walk. At its end it rests, the longer the less came of it.
void Handoff::Go(const Turn& turn, NodeId target, Walk* walk) {
  if (copies_.size() >= kMaxCopies || bytes_ >= kMaxBytes) return;
  if (!limit_.Ready(turn.now.mono_us)) return;
  std::vector<Found> found;
  const bool ended =
      target == kLeftOvers ? NextLeftOvers(turn, walk, &found) : NextHints(target, walk, &found);
  for (const Found& copy : found) Offer(turn, target, copy);
  if (!ended || walk->in_flight > 0) return;
  if (target == kLeftOvers) {
    if (!left_overs_.met_any()) has_left_overs_ = false;
    left_overs_.Restart();
  }
  walk->pause_us = walk->released ? kMinPauseUs : std::min(2 * walk->pause_us, kMaxPauseUs);
  walk->due_us = turn.now.mono_us + walk->pause_us;
  walk->released = false;
  walk->from = Position();
}

bool Handoff::Collect(const Position& first, const Position& last,
                      std::vector<Found>* found) const {
  // What cannot be read is left where it is.
  (void)context_->replica.engine()->Scan(first, last,
                                         [&](const Position& position, std::string_view image) {
                                           found->push_back({position, std::string(image)});
                                           return found->size() < kSliceRecords;
                                         });
  return found->size() >= kSliceRecords;
}

bool Handoff::NextHints(NodeId target, Walk* walk, std::vector<Found>* found) const {
  const auto& slots = context_->replica.hints().targets().at(target).slots;
  for (auto it = slots.lower_bound(walk->from.slot); it != slots.end(); ++it) {
    const bool within = it->first == walk->from.slot;
    const Position key{it->first, 0, within ? walk->from.low : 0};
    const Position last = HintPosition(target, {it->first, 0, UINT64_MAX});
    if (Collect(HintPosition(target, key), last, found)) break;
  }
  if (found->empty()) return true;
  const Position& seen = found->back().place;
  const auto slot = static_cast<uint16_t>(seen.slot - kSlotCount);
  walk->from = After({slot, UINT64_MAX, seen.low});
  return false;
}

// Clients are not to notice: while there are any, a slice is short.
bool Handoff::NextLeftOvers(const Turn& turn, Walk* walk, std::vector<Found>* found) {
  LoadGauge& load = context_->load;
  const int64_t now_us = turn.now.mono_us;
  if (!load.Admits(now_us)) return false;
  load.Work(now_us);
  LeftOvers::Slice slice =
      left_overs_.Next(turn, load.IsBusy(now_us) ? kSliceRecords / 8 : kSliceRecords);
  limit_.Take(load.CostOf(slice.dropped * kDropBytes, now_us), now_us);
  context_->counters.left_overs_moved += slice.dropped;
  walk->released = walk->released || slice.dropped > 0;
  *found = std::move(slice.differing);
  return slice.ended;
}

// Offers a copy to those of the N who live. Not when too few of them do to let it go afterwards.
void Handoff::Offer(const Turn& turn, NodeId target, const Found& found) {
  const auto record = ReadIntact(found.image);
  Object object;
  if (!record || !DecodeObject(record->object, &object)) {
    context_->replica.SetAside(found.place);
    return;
  }
  Copy copy;
  copy.target = target;
  copy.key = {record->db, std::string(record->key)};
  copy.position = context_->Locate(record->db, record->key).position;
  copy.hash = record->version_hash;
  copy.bytes = found.image.size();
  copy.deadline_us = turn.now.mono_us + 2 * context_->ReplicaTimeoutUs() + NodeContext::kSyncUs +
                     2 * NodeContext::TransferUs(copy.bytes);
  const NodeList replicas = context_->HoldersOf(copy.position.slot);
  const auto alive = [&](NodeId node) { return context_->liveness.IsAlive(node); };
  copy.needs_target = std::find(replicas.begin(), replicas.end(), target) != replicas.end();
  if (copy.needs_target && IsOverCap(object, turn.now)) {
    copy.needs_target = false;
    copy.gives_up = true;
  }
  if (copy.needs_target && !alive(target)) return;
  if (!context_->HasQuorum(copy.position.slot, alive)) return;

  const uint64_t id = ++last_id_;
  const size_t frames_before = turn.effects->outbox.frames.size();
  std::string context;
  EncodeContext(object.context, &context);
  for (const NodeId node : replicas) {
    if (node == context_->self()) {
      const auto merged =
          context_->MergeAt({copy.position, copy.key.db, copy.key.bytes}, Object(object), turn.now);
      if (merged) copy.own_after = std::max<uint64_t>(merged->sequence, 1);
    } else if (node == target) {
      if (alive(node)) SendCopy(turn, id, copy, record->object, node);
    } else if (alive(node)) {
      turn.Request(node, HoldsRequest{.request = id,
                                      .epoch = context_->epoch(),
                                      .db = copy.key.db,
                                      .key = copy.key.bytes,
                                      .context = context});
    }
  }
  const uint64_t sent = turn.effects->outbox.frames.size() - frames_before;
  context_->counters.hints_bytes_sent += sent;
  if (target == kLeftOvers) {
    limit_.Take(context_->load.CostOf(sent, turn.now.mono_us), turn.now.mono_us);
  }
  if (copy.own_after != 0) context_->replica.engine()->SyncSoon(copy.own_after);
  bytes_ += copy.bytes;
  ++walks_[target].in_flight;
  copies_.emplace(id, std::move(copy));
}

void Handoff::SendCopy(const Turn& turn, uint64_t id, const Copy& copy, std::string_view object,
                       NodeId to) {
  turn.Request(to, MergeRequest{.request = id,
                                .epoch = context_->epoch(),
                                .synced = true,
                                .stamp = context_->StampOf(turn.now),
                                .db = copy.key.db,
                                .key = copy.key.bytes,
                                .object = object});
  limit_.Take(object.size(), turn.now.mono_us);
}

bool Handoff::OnMergeResponse(NodeId from, const MergeResponse& response) {
  if (response.request < kFirstId) return false;
  // Who knows another placement may not be of the N there, or about to give it up itself.
  const bool counts = response.stored && response.placement == context_->placement();
  if (counts) Confirm(response.request, from);
  return true;
}

void Handoff::OnHoldsResponse(const Turn& turn, NodeId from, const HoldsResponse& response) {
  const auto it = copies_.find(response.request);
  if (it == copies_.end() || response.placement != context_->placement()) return;
  if (response.holds) return Confirm(response.request, from);
  std::string_view object;
  const auto head = context_->replica.Head(Ref(it->second), &object);
  if (!head || head->hash != it->second.hash) return;
  const size_t frames_before = turn.effects->outbox.frames.size();
  SendCopy(turn, it->first, it->second, object, from);
  context_->counters.hints_bytes_sent += turn.effects->outbox.frames.size() - frames_before;
}

// Copies that this node itself should have had all along.
void Handoff::ConfirmOwn() {
  const uint64_t synced = context_->replica.engine()->sequences().synced;
  std::vector<uint64_t> on_disk;
  for (const auto& [id, copy] : copies_) {
    if (copy.own_after != 0 && copy.own_after <= synced) on_disk.push_back(id);
  }
  for (const uint64_t id : on_disk) Confirm(id, context_->self());
}

void Handoff::Confirm(uint64_t id, NodeId node) {
  const auto it = copies_.find(id);
  if (it == copies_.end()) return;
  Copy& copy = it->second;
  auto& confirmed = copy.confirmed;
  const auto has = [&](NodeId who) {
    return std::find(confirmed.begin(), confirmed.end(), who) != confirmed.end();
  };
  if (!has(node)) confirmed.push_back(node);
  if (!context_->HasQuorum(copy.position.slot, has) || (copy.needs_target && !has(copy.target)))
    return;
  if (context_->replica.Drop(Ref(copy), copy.hash)) {
    StatusCounters& counters = context_->counters;
    if (copy.target == kLeftOvers) {
      ++counters.left_overs_moved;
    } else {
      ++(copy.gives_up && !has(copy.target) ? counters.hints_given_up : counters.hints_delivered);
    }
    walks_[copy.target].released = true;
  }
  Forget(id);
}

void Handoff::Forget(uint64_t id) {
  const auto it = copies_.find(id);
  bytes_ -= it->second.bytes;
  --walks_[it->second.target].in_flight;
  copies_.erase(it);
}

bool Handoff::IsOverCap(const Object& object, const Now& now) const {
  if (context_->replica.hints().bytes() >= context_->options.hints_max_bytes) return true;
  if (object.siblings.empty()) return true;
  const int64_t newest_ms = HybridClock::ToWall(object.siblings.front().time);
  return now.wall_ms - newest_ms > context_->options.hints_max_age_ms;
}

}  // namespace cartwheel
