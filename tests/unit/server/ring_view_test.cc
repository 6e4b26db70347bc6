#include "server/ring_view.h"

#include <gtest/gtest.h>

#include "tests/unit/cluster/ring_states.h"

namespace cartwheel {
namespace {

// Four partitions of 4096 slots, owned in turn.
Ring MakeRing(uint8_t n, const std::vector<NodeId>& owners) {
  ClusterState state;
  state.ring_id = 1;
  state.settings.n = n;
  state.settings.r = 1;
  state.settings.w = 1;
  state.settings.partitions = static_cast<uint32_t>(owners.size());
  for (const NodeId id : {1U, 2U, 3U}) state.members.push_back(MemberOf(id));
  state.serving = PlacementOf(n, state.members, owners);
  return Ring(state);
}

TEST(RingViewTest, RunsCoverAllSlotsInOrder) {
  const Ring ring = MakeRing(2, {1, 2, 3, 1});
  const auto runs = ReplicaRuns(ring);
  uint32_t next = 0;
  for (const SlotRun& run : runs) {
    EXPECT_EQ(run.first, next);
    next = run.last + 1U;
    ASSERT_EQ(run.nodes.size(), 2U);
    EXPECT_EQ(run.nodes[0], ring.Replicas(run.first)[0]);
    EXPECT_EQ(run.nodes[1], ring.Replicas(run.first)[1]);
  }
  EXPECT_EQ(next, kSlotCount);
}

TEST(RingViewTest, EqualNeighboursAreMerged) {
  // Partitions 0 and 1 are both (1, 2).
  const auto runs = ReplicaRuns(MakeRing(2, {1, 1, 2, 3}));
  ASSERT_EQ(runs.size(), 3U);
  EXPECT_EQ(runs[0], (SlotRun{0, 8191, {1, 2}}));
  EXPECT_EQ(runs[1], (SlotRun{8192, 12287, {2, 3}}));
  EXPECT_EQ(runs[2], (SlotRun{12288, 16383, {3, 1}}));
}

TEST(RingViewTest, NodesThatAreDownStandLast) {
  const auto runs = ReplicaRuns(MakeRing(3, {1, 2, 3, 1}), [](NodeId id) { return id != 1; });
  for (const SlotRun& run : runs) {
    ASSERT_EQ(run.nodes.size(), 3U);
    EXPECT_EQ(run.nodes.back(), 1U);
  }
  EXPECT_EQ(runs.front().nodes, (std::vector<NodeId>{2, 3, 1}));
}

TEST(RingViewTest, EveryNodeIsFirstForWhatItOwns) {
  const auto runs = FirstReplicaRuns(MakeRing(2, {1, 2, 2, 1}));
  ASSERT_EQ(runs.size(), 2U);  // node 3 is first nowhere
  EXPECT_EQ(runs.at(1), (std::vector<SlotRun>{{0, 4095, {}}, {12288, 16383, {}}}));
  EXPECT_EQ(runs.at(2), (std::vector<SlotRun>{{4096, 12287, {}}}));
}

}  // namespace
}  // namespace cartwheel
