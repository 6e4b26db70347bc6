#include "cluster/plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <utility>

#include "cluster/ring.h"
#include "cluster/state_changes.h"

namespace cartwheel {
namespace {

// A motion has two phases, and what was decided in the second is another motion.
constexpr int kMostPhases = 8;

ClusterState AtRest(ClusterState state) {
  for (int i = 0; i < kMostPhases && state.in_motion(); ++i) {
    auto next = WithNextPhase(state, state.placement_version, {});
    if (!next) break;
    state = *std::move(next);
  }
  return state;
}

std::map<NodeId, uint32_t> Owned(const ClusterState& state) {
  std::map<NodeId, uint32_t> owned;
  for (const Member& member : state.members) owned[member.id] = 0;
  const Placement& placement = state.reading();
  for (uint32_t p = 0; p < placement.owners.size(); ++p) ++owned[placement.OwnerOf(p)];
  return owned;
}

bool IsViolated(const ClusterState& state, std::span<const NodeId> replicas, size_t zones) {
  std::set<std::string_view> found;
  for (const NodeId node : replicas) {
    if (const Member* member = state.Find(node)) found.insert(member->zone);
  }
  return found.size() < std::min(zones, replicas.size());
}

Result<Plan> MovesTo(const ClusterState& before, Result<ClusterState> changed) {
  if (!changed) return tl::unexpected(std::move(changed.error()));
  return WhatMoves(before, AtRest(*std::move(changed)));
}

}  // namespace

Plan WhatMoves(const ClusterState& before, const ClusterState& after) {
  Plan plan;
  const Ring was(before);
  const Ring will(after);
  std::set<std::string_view> zones;
  for (const Member& member : after.members) zones.insert(member.zone);
  for (uint32_t partition = 0; partition < will.partition_count(); ++partition) {
    const uint16_t slot = will.FirstSlot(partition);
    const auto had = was.Replicas(slot);
    const auto has = will.Replicas(slot);
    const auto gained =
        static_cast<uint64_t>(std::count_if(has.begin(), has.end(), [had](NodeId node) {
          return std::find(had.begin(), had.end(), node) == had.end();
        }));
    plan.replicas_gained += gained;
    plan.partitions_moved += gained > 0 ? 1 : 0;
    plan.zones_violated += IsViolated(after, has, zones.size()) ? 1 : 0;
  }
  std::map<NodeId, Plan::Share> shares;
  for (const auto& [node, owned] : Owned(before)) shares[node].before = owned;
  for (const auto& [node, owned] : Owned(after)) shares[node].after = owned;
  for (auto& [node, share] : shares) {
    share.node = node;
    plan.shares.push_back(share);
  }
  return plan;
}

Result<Plan> PlanJoin(const ClusterState& state, std::string_view zone,
                      uint32_t weight_thousandths) {
  const ClusterState before = AtRest(state);
  Member joiner;
  joiner.id = 1;
  while (before.Find(joiner.id) != nullptr || before.WasRemoved(joiner.id)) ++joiner.id;
  joiner.zone = zone;
  joiner.weight_thousandths = weight_thousandths;
  Result<Plan> plan = MovesTo(before, WithMember(before, joiner, 0, {}));
  if (!plan) return plan;
  for (Plan::Share& share : plan->shares) {
    if (share.node == joiner.id) share.node = 0;
  }
  return plan;
}

Result<Plan> PlanLeave(const ClusterState& state, NodeId leaver) {
  const ClusterState before = AtRest(state);
  Result<ClusterState> leaving = WithLeaving(before, leaver, {});
  if (leaving) leaving = WithDeparted(AtRest(*std::move(leaving)), leaver, {});
  return MovesTo(before, std::move(leaving));
}

Result<Plan> PlanRemove(const ClusterState& state, NodeId gone) {
  const ClusterState before = AtRest(state);
  return MovesTo(before, WithRemoved(before, std::span(&gone, 1), {}));
}

}  // namespace cartwheel
