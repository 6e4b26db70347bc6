#include "cluster/motion.h"

#include <algorithm>
#include <limits>

namespace cartwheel {

void Motion::OnPlacementChanged(const Turn& turn) {
  reported_.clear();
  context_->switched.clear();
  gainers_ = context_->ring->Gainers();
  report_us_ = 0;
  over_us_ = 0;
  next_us_ = turn.now.mono_us;
}

bool Motion::HasReported(NodeId node) const { return Contains(reported_, node); }

bool Motion::HasPart() const {
  if (context_->state->phase == Phase::kSwitch) return true;
  return std::binary_search(gainers_.begin(), gainers_.end(), context_->self());
}

bool Motion::HasDonePart() {
  if (context_->state->phase == Phase::kSwitch) return coordinator_->HasHandedUpdatesOver();
  return transfer_->complete();
}

void Motion::Note(NodeId node) {
  if (HasReported(node)) return;
  reported_.push_back(node);
  if (context_->state->phase == Phase::kSwitch) context_->switched.push_back(node);
}

bool Motion::IsOver() const {
  if (context_->state->phase == Phase::kFetch) {
    return std::all_of(gainers_.begin(), gainers_.end(),
                       [this](NodeId node) { return HasReported(node); });
  }
  const Ring& ring = *context_->ring;
  for (uint32_t partition = 0; partition < ring.partition_count(); ++partition) {
    const Ring::Sources switchers = ring.SwitchersOf(partition);
    const auto know =
        static_cast<size_t>(std::count_if(switchers.nodes.begin(), switchers.nodes.end(),
                                          [this](NodeId node) { return HasReported(node); }));
    if (know < switchers.needed) return false;
  }
  return true;
}

void Motion::OnReport(const Turn& turn, NodeId from, const MotionReport& report) {
  if (!context_->state->in_motion() || report.placement != context_->placement()) return;
  Note(from);
  next_us_ = std::min(next_us_, turn.now.mono_us);
}

void Motion::Report(const Turn& turn) {
  report_us_ = turn.now.mono_us + context_->options.gossip_interval_ms * 1000;
  Note(context_->self());
  size_t told = 0;
  for (const Member& member : context_->state->members) {
    if (member.id == context_->self() || !context_->liveness.IsAlive(member.id)) continue;
    if (told++ == kMostListeners) return;
    turn.Request(member.id,
                 MotionReport{.epoch = context_->epoch(), .placement = context_->placement()});
  }
}

// A member that leaves and holds nothing has handed all of it over.
void Motion::Depart(const Turn& turn) {
  const Member* self = context_->state->Find(context_->self());
  if (self == nullptr || self->status != MemberStatus::kLeaving) return;
  next_us_ = turn.now.mono_us + kPollUs;
  const StorageEngine& engine = *context_->replica.engine();
  if (engine.stats().records > 0 || context_->replica.hints().records() > 0) return;
  membership_->Depart(turn.now, turn.effects);
}

void Motion::Tick(const Turn& turn) {
  const int64_t now_us = turn.now.mono_us;
  if (now_us < next_us_) return;
  next_us_ = std::numeric_limits<int64_t>::max();
  if (!context_->state->in_motion()) return Depart(turn);
  next_us_ = now_us + kPollUs;
  if (HasPart() && HasDonePart() && now_us >= report_us_) Report(turn);
  if (!IsOver()) {
    over_us_ = 0;
    return;
  }
  if (over_us_ == 0) over_us_ = now_us;
  int64_t rank = 0;
  for (const Member& member : context_->state->members) {
    if (member.id == context_->self()) break;
    rank += context_->liveness.IsAlive(member.id) ? 1 : 0;
  }
  if (now_us >= over_us_ + rank * kRankUs) {
    membership_->EndPhase(turn.now, context_->placement(), turn.effects);
  }
}

int64_t Motion::NextDeadline() const { return next_us_; }

std::vector<NodeId> Motion::WaitsFor() const {
  if (!context_->state->in_motion()) {
    const Member* self = context_->state->Find(context_->self());
    const bool leaves = self != nullptr && self->status == MemberStatus::kLeaving;
    return leaves ? membership_->MissedByDeparture() : std::vector<NodeId>();
  }
  std::vector<NodeId> nodes;
  const auto add = [&](NodeId node) {
    if (HasReported(node) || Contains(nodes, node)) return;
    nodes.push_back(node);
  };
  for (const NodeId gainer : gainers_) add(gainer);
  const Ring& ring = *context_->ring;
  for (uint32_t partition = 0; partition < ring.partition_count(); ++partition) {
    for (const NodeId node : ring.SwitchersOf(partition).nodes) add(node);
  }
  return nodes;
}

}  // namespace cartwheel
