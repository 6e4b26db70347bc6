// Plan: what a change of the members would move, before anybody decides on it (DYN.PLAN). Pure
// functions of the cluster state; nothing is done.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cluster/cluster_state.h"
#include "cluster/types.h"

namespace cartwheel {

struct Plan {
  struct Share {
    NodeId node = 0;  // 0: the one that would join
    uint32_t before = 0;
    uint32_t after = 0;

    bool operator==(const Share&) const = default;
  };

  uint32_t partitions_moved = 0;  // of which somebody becomes a replica who was none
  uint64_t replicas_gained = 0;   // how many do, over all partitions
  uint32_t zones_violated = 0;    // afterwards: those whose replicas stand in too few zones
  std::vector<Share> shares;      // partitions that each node owns, by id
};

// What differs between two states at rest, of the same partitions. Replicas stand in too few zones
// where there are others, and not each of the replicas stands in its own.
Plan WhatMoves(const ClusterState& before, const ClusterState& after);

// A ring in motion counts as it will be once it rests. A change that the ring would refuse is
// refused here in the same words. Under `placement tokens` a joiner's share depends on its id, so
// what is said of a join is said of some joiner.
Result<Plan> PlanJoin(const ClusterState& state, std::string_view zone,
                      uint32_t weight_thousandths);
Result<Plan> PlanLeave(const ClusterState& state, NodeId leaver);
Result<Plan> PlanRemove(const ClusterState& state, NodeId gone);

}  // namespace cartwheel
