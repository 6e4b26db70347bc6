#include "cluster/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"
#include "tests/unit/cluster/ring_states.h"

namespace cartwheel {
namespace {

ClusterState MakeRing(uint8_t n, uint32_t partitions, const std::vector<Member>& members) {
  ClusterSettings settings;
  settings.n = n;
  settings.r = settings.w = static_cast<uint8_t>(n / 2 + 1);
  settings.partitions = partitions;
  return RingOf(settings, members);
}

std::vector<Member> Nodes(size_t count) {
  std::vector<Member> nodes;
  for (NodeId id = 1; id <= count; ++id) nodes.push_back(MemberOf(id));
  return nodes;
}

TEST(Ring, ThreeNodesWithThreeReplicasAreAllInEveryList) {
  const Ring ring(MakeRing(3, 256, Nodes(3)));
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    const auto list = ring.PreferenceList(static_cast<uint16_t>(slot));
    EXPECT_EQ(std::set<NodeId>(list.begin(), list.end()).size(), 3U);
  }
}

TEST(Ring, HasNoMoreReplicasThanMembers) {
  const Ring ring(MakeRing(3, 16, Nodes(2)));
  EXPECT_EQ(ring.n(), 2);
  EXPECT_EQ(ring.r(), 2);
  EXPECT_EQ(ring.w(), 2);
  EXPECT_EQ(Ring(MakeRing(3, 16, Nodes(1))).w(), 1);
}

TEST(Ring, PartitionsAreRunsOfSlots) {
  const Ring ring(MakeRing(3, 256, Nodes(1)));
  EXPECT_EQ(ring.PartitionOf(0), 0U);
  EXPECT_EQ(ring.PartitionOf(63), 0U);
  EXPECT_EQ(ring.PartitionOf(64), 1U);
  EXPECT_EQ(ring.PartitionOf(16383), 255U);
  EXPECT_EQ(ring.FirstSlot(255), 16320);
  EXPECT_EQ(ring.LastSlot(255), 16383);
}

// The definition, walked step by step.
std::vector<NodeId> SlowWalk(const ClusterState& state, uint32_t from, uint8_t n) {
  std::vector<NodeId> order;
  const auto count = static_cast<uint32_t>(state.serving.owners.size());
  for (uint32_t i = 0; i < count; ++i) {
    const NodeId owner = state.serving.OwnerOf((from + i) % count);
    if (std::find(order.begin(), order.end(), owner) == order.end()) order.push_back(owner);
  }
  std::vector<NodeId> list;
  std::set<std::string> zones;
  for (const NodeId id : order) {
    if (list.size() < n && zones.insert(state.Find(id)->zone).second) list.push_back(id);
  }
  for (const NodeId id : order) {
    if (std::find(list.begin(), list.end(), id) == list.end()) list.push_back(id);
  }
  return list;
}

TEST(Ring, ListsAreTheWalkOverOwnersWithDistinctZonesFirst) {
  Random random(7);
  for (int round = 0; round < 60; ++round) {
    ClusterState state;
    state.ring_id = state.epoch = 1;
    state.settings.n = static_cast<uint8_t>(1 + random.Below(7));
    state.settings.partitions = 1U << random.Below(8);
    const uint64_t count = 1 + random.Below(30);
    const uint64_t zones = 1 + random.Below(6);
    for (uint64_t i = 0; i < count; ++i) {
      state.members.push_back(MemberOf(i + 1, std::to_string(random.Below(zones))));
    }
    std::vector<NodeId> owners;
    for (uint32_t p = 0; p < state.settings.partitions; ++p) {
      owners.push_back(1 + random.Below(count));
    }
    state.serving = PlacementOf(state.settings.n, state.members, owners);
    const Ring ring(state);
    for (uint32_t p = 0; p < state.settings.partitions; ++p) {
      const std::vector<NodeId> walk = ring.Walk(ring.FirstSlot(p));
      const std::vector<NodeId> slow = SlowWalk(state, p, ring.n());
      ASSERT_EQ(walk.size(), count);
      ASSERT_TRUE(std::equal(slow.begin(), slow.end(), walk.begin()));
      ASSERT_EQ(std::set<NodeId>(walk.begin(), walk.end()).size(), count);
      const auto list = ring.PreferenceList(ring.LastSlot(p));
      ASSERT_EQ(list.size(), std::min<size_t>(count, std::max(ring.n() + 8, 2 * ring.n())));
      ASSERT_TRUE(std::equal(list.begin(), list.end(), walk.begin()));
    }
  }
}

TEST(Ring, ReplicasGoToDifferentZonesFirst) {
  std::vector<Member> members;
  for (NodeId id = 1; id <= 9; ++id) members.push_back(MemberOf(id, id <= 7 ? "a" : "b"));
  const ClusterState state = MakeRing(2, 256, members);
  const Ring ring(state);
  for (uint32_t p = 0; p < 256; ++p) {
    const auto replicas = ring.Replicas(ring.FirstSlot(p));
    EXPECT_NE(state.Find(replicas[0])->zone, state.Find(replicas[1])->zone);
  }
}

TEST(Ring, HandlesAThousandNodesOnTheFinestCircle) {
  ClusterState state;
  state.ring_id = state.epoch = 1;
  state.settings.partitions = kSlotCount;
  Random random(3);
  for (NodeId id = 1; id <= 1000; ++id) state.members.push_back(MemberOf(id));
  std::vector<NodeId> owners;
  for (uint32_t p = 0; p < kSlotCount; ++p) owners.push_back(1 + random.Below(1000));
  state.serving = PlacementOf(3, state.members, owners);
  const Ring ring(state);
  EXPECT_EQ(ring.PreferenceList(5).size(), 11U);
  EXPECT_EQ(ring.Walk(5).size(), 1000U);
}

}  // namespace
}  // namespace cartwheel
