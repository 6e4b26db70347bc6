#include "cluster/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "cluster/ring.h"
#include "cluster/state_changes.h"

namespace cartwheel {
namespace {

constexpr uint32_t kPartitions = 64;

Member MakeMember(NodeId id, std::string zone = "default") {
  Member member;
  member.id = id;
  member.host = "10.0.0.1";
  member.port = static_cast<uint16_t>(id);
  member.bus_port = static_cast<uint16_t>(id);
  member.zone = std::move(zone);
  return member;
}

ClusterState AtRest(ClusterState state) {
  for (int i = 0; i < 8 && state.in_motion(); ++i) {
    state = *WithNextPhase(state, state.placement_version, {});
  }
  EXPECT_FALSE(state.in_motion());
  return state;
}

// Members 100, 101 ... at rest.
ClusterState RingOf(size_t members, uint8_t n = 3) {
  ClusterSettings settings;
  settings.n = n;
  settings.r = settings.w = 1;
  settings.partitions = kPartitions;
  ClusterState state = NewRing(1, settings, MakeMember(100), 0);
  for (NodeId id = 101; id < 100 + members; ++id) {
    state = AtRest(*WithMember(state, MakeMember(id), 0, {}));
  }
  return state;
}

std::set<NodeId> ReplicasOf(const ClusterState& state, uint32_t partition) {
  const Ring ring(state);
  const auto replicas = ring.Replicas(ring.FirstSlot(partition));
  return {replicas.begin(), replicas.end()};
}

// Replicas that a state has and another had not, and of how many partitions.
std::pair<uint64_t, uint32_t> Gained(const ClusterState& before, const ClusterState& after) {
  uint64_t replicas = 0;
  uint32_t partitions = 0;
  for (uint32_t partition = 0; partition < kPartitions; ++partition) {
    const std::set<NodeId> had = ReplicasOf(before, partition);
    uint64_t gained = 0;
    for (const NodeId node : ReplicasOf(after, partition)) gained += had.count(node) == 0 ? 1 : 0;
    replicas += gained;
    partitions += gained > 0 ? 1 : 0;
  }
  return {replicas, partitions};
}

uint32_t SumOf(const Plan& plan, uint32_t Plan::Share::*which) {
  return std::accumulate(
      plan.shares.begin(), plan.shares.end(), uint32_t{0},
      [which](uint32_t sum, const Plan::Share& share) { return sum + share.*which; });
}

const Plan::Share& ShareOf(const Plan& plan, NodeId node) {
  return *std::find_if(plan.shares.begin(), plan.shares.end(),
                       [node](const Plan::Share& share) { return share.node == node; });
}

TEST(PlanTest, AJoinMovesWhatThePlanSays) {
  const ClusterState before = RingOf(4);
  const Plan plan = *PlanJoin(before, "default", 1000);
  // The planned one has the least id that is free.
  const ClusterState after = AtRest(*WithMember(before, MakeMember(1), 0, {}));
  const auto [replicas, partitions] = Gained(before, after);
  EXPECT_GT(partitions, 0u);
  EXPECT_EQ(plan.partitions_moved, partitions);
  EXPECT_EQ(plan.replicas_gained, replicas);
  EXPECT_EQ(plan.zones_violated, 0u);
  EXPECT_EQ(plan.shares.size(), 5u);
  EXPECT_EQ(ShareOf(plan, 0).before, 0u);
  EXPECT_GT(ShareOf(plan, 0).after, 0u);
  EXPECT_EQ(SumOf(plan, &Plan::Share::before), kPartitions);
  EXPECT_EQ(SumOf(plan, &Plan::Share::after), kPartitions);
}

TEST(PlanTest, ALeaveAndARemovalMoveTheSame) {
  const ClusterState before = RingOf(5);
  const Plan leave = *PlanLeave(before, 102);
  const Plan removal = *PlanRemove(before, 102);
  const NodeId gone[] = {102};
  const ClusterState after = AtRest(*WithRemoved(before, gone, {}));
  const auto [replicas, partitions] = Gained(before, after);
  EXPECT_GT(partitions, 0u);
  EXPECT_EQ(leave.partitions_moved, partitions);
  EXPECT_EQ(leave.replicas_gained, replicas);
  EXPECT_EQ(removal.partitions_moved, partitions);
  EXPECT_EQ(removal.replicas_gained, replicas);
  EXPECT_EQ(leave.shares, removal.shares);
  EXPECT_GT(ShareOf(leave, 102).before, 0u);
  EXPECT_EQ(ShareOf(leave, 102).after, 0u);
}

TEST(PlanTest, WhereAllHoldAllALeaveMovesNothing) {
  const Plan plan = *PlanLeave(RingOf(3), 101);
  EXPECT_EQ(plan.partitions_moved, 0u);
  EXPECT_EQ(plan.replicas_gained, 0u);
  EXPECT_EQ(SumOf(plan, &Plan::Share::after), kPartitions);
}

TEST(PlanTest, ARingInMotionCountsAsItWillBe) {
  const ClusterState moving = *WithMember(RingOf(4), MakeMember(104), 0, {});
  ASSERT_TRUE(moving.in_motion());
  const Plan plan = *PlanLeave(moving, 104);
  EXPECT_EQ(plan.shares.size(), 5u);
  EXPECT_GT(ShareOf(plan, 104).before, 0u);
  EXPECT_EQ(plan.partitions_moved, PlanLeave(AtRest(moving), 104)->partitions_moved);
}

TEST(PlanTest, WhatTheRingRefusesIsRefused) {
  EXPECT_FALSE(PlanLeave(RingOf(3), 7));
  EXPECT_FALSE(PlanRemove(RingOf(3), 7));
  EXPECT_FALSE(PlanLeave(RingOf(1), 100));
}

TEST(PlanTest, ReplicasInFewerZonesThanTheyCouldBeAreCounted) {
  ClusterState state;
  state.ring_id = 1;
  state.settings.n = 2;
  state.settings.partitions = 4;
  state.members = {MakeMember(1, "a"), MakeMember(2, "a"), MakeMember(3, "b")};
  state.serving = {2, {{1, "a"}, {2, "a"}}, {0, 1, 0, 1}};
  EXPECT_EQ(WhatMoves(state, state).zones_violated, 4u);  // nothing is in b
  state.serving = {2, {{1, "a"}, {2, "a"}, {3, "b"}}, {0, 1, 2, 1}};
  EXPECT_EQ(WhatMoves(state, state).zones_violated, 0u);
}

}  // namespace
}  // namespace cartwheel
