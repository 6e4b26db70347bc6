// The changes of a ClusterState (cluster/cluster_state.h), which operators and the phases of a
// motion want. Each gives the next state, epoch raised and history written, or says in a line for
// its operator why not. Pure functions.
//
// A change of the members moves the target: while a ring fetches (Phase::kFetch) at once, while its
// reads switch (Phase::kSwitch) when that is over, so that what reads go by never moves back.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/status.h"
#include "cluster/cluster_state.h"

namespace cartwheel {

// Who proposes a change, and when.
struct Author {
  NodeId proposer = 0;
  int64_t wall_ms = 0;
};

ClusterState NewRing(uint64_t ring_id, const ClusterSettings& settings, const Member& founder,
                     int64_t wall_ms);

// Whether the ring takes this node; in the place of `replaced`, when there is one.
Result<void> MayJoin(const ClusterState& state, const Member& joiner, NodeId replaced = 0);
Result<ClusterState> WithMember(const ClusterState& state, const Member& joiner, NodeId replaced,
                                const Author& author);
// A member that came back with another address, zone or weight.
Result<ClusterState> WithUpdatedMember(const ClusterState& state, const Member& member,
                                       const Author& author);
// The member hands over what it holds; once it holds nothing any more it has departed.
Result<ClusterState> WithLeaving(const ClusterState& state, NodeId leaver, const Author& author);
Result<ClusterState> WithDeparted(const ClusterState& state, NodeId leaver, const Author& author);
// The members will not come back.
Result<ClusterState> WithRemoved(const ClusterState& state, std::span<const NodeId> gone,
                                 const Author& author);
// The same without a majority: a ring of its own, with a new id.
Result<ClusterState> WithForced(const ClusterState& state, std::span<const NodeId> gone,
                                uint64_t ring_id, const Author& author);
Result<ClusterState> WithSettings(const ClusterState& state, const QuorumSettings& settings,
                                  const Author& author);
ClusterState WithFlush(const ClusterState& state, uint32_t db, uint64_t flushed_before,
                       const Author& author);
// The end of the present phase, which is that of this placement version.
Result<ClusterState> WithNextPhase(const ClusterState& state, uint64_t placement_version,
                                   const Author& author);

}  // namespace cartwheel
