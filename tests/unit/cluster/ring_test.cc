#include "cluster/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"

namespace cartwheel {
namespace {

Member MakeMember(NodeId id, std::string zone = "default", uint32_t weight = 1000) {
  Member member;
  member.id = id;
  member.host = "10.0.0.1";
  member.port = static_cast<uint16_t>(id);
  member.bus_port = static_cast<uint16_t>(id);
  member.zone = std::move(zone);
  member.weight_thousandths = weight;
  return member;
}

ClusterState MakeRing(uint8_t n, uint32_t partitions, const std::vector<Member>& members) {
  ClusterSettings settings;
  settings.n = n;
  settings.r = settings.w = static_cast<uint8_t>(n / 2 + 1);
  settings.partitions = partitions;
  ClusterState state = NewRing(1, settings, members.front(), 0);
  for (size_t i = 1; i < members.size(); ++i) state = *WithMember(state, members[i], 1, 0);
  return state;
}

std::vector<Member> Nodes(size_t count) {
  std::vector<Member> nodes;
  for (size_t i = 0; i < count; ++i) nodes.push_back(MakeMember(1000 + i * 7919 % 97));
  return nodes;
}

std::map<NodeId, uint32_t> Loads(const ClusterState& state) {
  std::map<NodeId, uint32_t> loads;
  for (const NodeId owner : state.owners) loads[owner] += 1;
  return loads;
}

// Partitions whose owner owns one of the next n - 1 as well.
uint32_t Crowded(const ClusterState& state) {
  const auto count = static_cast<uint32_t>(state.owners.size());
  uint32_t crowded = 0;
  for (uint32_t p = 0; p < count; ++p) {
    for (uint32_t d = 1; d < state.settings.n; ++d) {
      if (state.owners[p] != state.owners[(p + d) % count]) continue;
      crowded += 1;
      break;
    }
  }
  return crowded;
}

struct Shape {
  uint32_t partitions;
  uint8_t n;
};

class EqualPlacement : public testing::TestWithParam<Shape> {};

TEST_P(EqualPlacement, StaysBalancedAndMovesNoMoreThanTheJoinersShare) {
  const auto [partitions, n] = GetParam();
  const std::vector<Member> nodes = Nodes(12);
  ClusterState state = MakeRing(n, partitions, {nodes[0]});
  for (uint32_t count = 2; count <= nodes.size(); ++count) {
    const ClusterState before = state;
    state = *WithMember(state, nodes[count - 1], 1, 0);
    uint32_t moved = 0;
    for (uint32_t p = 0; p < partitions; ++p) {
      if (before.owners[p] == state.owners[p]) continue;
      moved += 1;
      EXPECT_EQ(state.owners[p], nodes[count - 1].id);
    }
    const uint32_t share = (partitions + count - 1) / count;  // rounded up: nobody can have less
    EXPECT_LE(moved, share);
    uint32_t largest = 0;
    for (const auto& [id, load] : Loads(state)) largest = std::max(largest, load);
    EXPECT_LE(largest, share) << count << " nodes";
    if (partitions >= 1024) {
      EXPECT_GE(static_cast<double>(partitions) / count / largest, 0.97);
    }
  }
}

TEST_P(EqualPlacement, KeepsNeighboursApartFromOneNodeMoreThanReplicas) {
  const auto [partitions, n] = GetParam();
  if (n > 3) return;  // with 5 columns the first joins leave some for the later ones to mend
  const std::vector<Member> nodes = Nodes(12);
  ClusterState state = MakeRing(n, partitions, {nodes[0]});
  for (uint32_t count = 2; count <= nodes.size(); ++count) {
    state = *WithMember(state, nodes[count - 1], 1, 0);
    // With n nodes the circle cannot close without one, as n does not divide a power of two.
    if (count >= n) {
      EXPECT_LE(Crowded(state), count == n ? 1U : 0U) << count << " nodes";
    }
  }
}

// What each node really holds: all the partitions whose list has it among the first n.
TEST_P(EqualPlacement, BalancesReplicasAsWellAsOwners) {
  const auto [partitions, n] = GetParam();
  const std::vector<Member> nodes = Nodes(12);
  for (size_t count = 1; count <= nodes.size(); ++count) {
    const ClusterState state = MakeRing(n, partitions, {nodes.begin(), nodes.begin() + count});
    const Ring ring(state);
    std::map<NodeId, uint32_t> held;
    uint32_t largest = 0;
    for (uint32_t p = 0; p < partitions; ++p) {
      for (const NodeId id : ring.Replicas(ring.FirstSlot(p))) {
        largest = std::max(largest, ++held[id]);
      }
    }
    EXPECT_EQ(held.size(), count);
    EXPECT_GE(static_cast<double>(partitions) * ring.n() / count / largest, 0.96) << count;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, EqualPlacement,
                         testing::Values(Shape{256, 3}, Shape{1024, 3}, Shape{256, 1},
                                         Shape{256, 2}, Shape{1024, 5}),
                         [](const auto& shape) {
                           return "Q" + std::to_string(shape.param.partitions) + "N" +
                                  std::to_string(shape.param.n);
                         });

TEST(OwnersAfterJoin, GivesAHeavyNodeItsShareByWeight) {
  const ClusterState state = MakeRing(
      3, 1024, {MakeMember(1), MakeMember(2), MakeMember(3), MakeMember(4, "default", 2000)});
  std::map<NodeId, uint32_t> loads = Loads(state);
  EXPECT_NEAR(loads[4], 1024 * 2 / 5, 1);
  for (const NodeId id : {1, 2, 3}) EXPECT_NEAR(loads[id], 1024 / 5, 1);
}

TEST(OwnersAfterJoin, WorksWhenPartitionsAreAsFewAsNodes) {
  const ClusterState state =
      MakeRing(3, 4, {MakeMember(1), MakeMember(2), MakeMember(3), MakeMember(4)});
  EXPECT_EQ(Loads(state).size(), 4U);
  const Result<ClusterState> fifth = WithMember(state, MakeMember(5), 1, 0);
  ASSERT_FALSE(fifth.has_value());
  EXPECT_EQ(fifth.error().code, ErrorCode::kFull);
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
  for (size_t i = 0; i < state.owners.size(); ++i) {
    const NodeId owner = state.owners[(from + i) % state.owners.size()];
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
      state.members.push_back(MakeMember(i + 1, std::to_string(random.Below(zones))));
    }
    for (uint32_t p = 0; p < state.settings.partitions; ++p) {
      state.owners.push_back(1 + random.Below(count));
    }
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
  for (NodeId id = 1; id <= 9; ++id) members.push_back(MakeMember(id, id <= 7 ? "a" : "b"));
  const ClusterState state = MakeRing(2, 256, members);
  const Ring ring(state);
  for (uint32_t p = 0; p < 256; ++p) {
    const auto replicas = ring.Replicas(ring.FirstSlot(p));
    EXPECT_NE(state.Find(replicas[0])->zone, state.Find(replicas[1])->zone);
  }
}

TEST(Ring, HandlesAThousandNodesOnTheFinestCircle) {
  std::vector<Member> members;
  ClusterState state;
  state.ring_id = state.epoch = 1;
  state.settings.partitions = kSlotCount;
  Random random(3);
  for (NodeId id = 1; id <= 1000; ++id) state.members.push_back(MakeMember(id));
  for (uint32_t p = 0; p < kSlotCount; ++p) state.owners.push_back(1 + random.Below(1000));
  const Ring ring(state);
  EXPECT_EQ(ring.PreferenceList(5).size(), 11U);
  EXPECT_EQ(ring.Walk(5).size(), 1000U);
}

}  // namespace
}  // namespace cartwheel
