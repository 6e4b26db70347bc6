#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cluster/node_parts.h"

namespace cartwheel {
namespace {

constexpr int64_t kManySiblingsPauseUs = 10'000'000;
constexpr size_t kKeyBytesInLog = 100;

}  // namespace

void Node::Parts::AdoptState(const Turn& turn) {
  const ClusterState& state = membership.state();
  if (!membership.ready() && !OnlyCoordinates()) return;
  if (state.ring_id == adopted_ring && state.epoch == adopted_epoch) return;
  const bool moved = state.ring_id != adopted_ring || state.placement_version != adopted_placement;
  adopted_ring = state.ring_id;
  adopted_epoch = state.epoch;
  context.state = &state;
  context.ring.emplace(state);
  context.liveness.SetMembers(state.members, turn.now.mono_us);
  if (moved) MovePlacement(turn, std::exchange(adopted_placement, state.placement_version));
  flushes.SetFlushes(state.flushed_before);
  turn.effects->ring_changed = true;
}

void Node::Parts::MovePlacement(const Turn& turn, uint64_t before) {
  // What was compared was not what is to be compared now.
  if (context.catch_up.may_have_lost()) context.catch_up.Lose();
  coordinator.ForgetCompared();
  handoff.OnPlacementChanged(turn.now);
  anti_entropy.OnPlacementChanged(turn);
  transfer.OnPlacementChanged(turn, before);
  motion.OnPlacementChanged(turn);
  coordinator.OnPlacementChanged(turn);
  ranges.OnPlacementChanged(turn);
}

// What was lost when this node last stopped is lost until all of it was compared, whatever other
// stops there are meanwhile: that is why it is in the control image.
void Node::Parts::NoticeComplete(const Turn& turn) {
  if (!context.catch_up.TakeNews() || !context.catch_up.may_have_lost()) return;
  for (uint32_t partition = 0; partition < context.ring->partition_count(); ++partition) {
    const uint16_t slot = context.ring->FirstSlot(partition);
    if (context.Replicates(slot, context.self()) && context.IsBehind(slot)) return;
  }
  context.catch_up.SetComplete();
  context.replica.ForgetSetAside();
  control_dirty = true;
  turn.effects->log.push_back({LogLevel::kNotice,
                               "compared with the other replicas: what may have been lost is here "
                               "again, and answers of this node count"});
}

void Node::Parts::LogSetAside(const Turn& turn) {
  bool lost = false;
  for (const Position& place : context.replica.TakeSetAside()) {
    turn.effects->log.push_back(
        {LogLevel::kWarning,
         IsHint(place)
             ? fmt::format("slot {}: the hint {:016x} for node {} is damaged and set aside",
                           place.slot - kSlotCount, place.low, FormatNodeId(place.high))
             : fmt::format("slot {}: the record {:016x}{:016x} is damaged and set aside; other "
                           "replicas repair it",
                           place.slot, place.high, place.low)});
    lost = lost || !IsHint(place);
  }
  if (!lost || !membership.ready()) return;
  context.catch_up.Lose();
  control_dirty = true;
  anti_entropy.CompareAll(turn);
}

void Node::Parts::LogManySiblings(const Turn& turn) {
  const auto many = context.replica.TakeManySiblings();
  if (!many || turn.now.mono_us < many_siblings_us) return;
  many_siblings_us = turn.now.mono_us + kManySiblingsPauseUs;
  std::string key = many->key.substr(0, kKeyBytesInLog);
  std::replace_if(
      key.begin(), key.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  turn.effects->log.push_back(
      {LogLevel::kWarning,
       fmt::format("key '{}' has {} versions, past siblings-warn: its clients do not merge them",
                   key, many->siblings)});
}

void Node::Parts::Finish(const Turn& turn) {
  LogSetAside(turn);
  LogManySiblings(turn);
  AdoptState(turn);
  if (std::exchange(context.wrote_left_over, false)) handoff.NoteLeftOver(turn.now);
  NoticeComplete(turn);
  Births* births = context.replica.births();
  if (births->NeedsMore(turn.now.wall_ms)) {
    births->Extend(turn.now.wall_ms);
    control_dirty = true;
  }
  if (membership.TakeDirty()) control_dirty = true;
  context.counters.may_have_lost = context.catch_up.may_have_lost() ? 1 : 0;
  if (control_dirty) turn.effects->control = ControlImage();
  control_dirty = false;
}

}  // namespace cartwheel
