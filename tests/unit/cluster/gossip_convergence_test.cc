// How soon gossip brings a new state to everybody (Dynamo, section 4.8.1). bench/ring_lab prints
// the course of it.
#include <gtest/gtest.h>

#include "tests/unit/cluster/gossip_ring.h"
#include "tests/unit/cluster/large_ring.h"

namespace cartwheel {
namespace {

constexpr int64_t kRoundMs = 1000;  // gossip-interval
constexpr uint32_t kMostRounds = 15;

ClusterState RingOf(uint32_t members, uint32_t partitions) {
  ClusterSettings settings;
  settings.partitions = partitions;
  return LargeRing(settings, MakeMembers(members, 1));
}

// The rounds until all know what one was told.
uint32_t RoundsToSpread(GossipRing* ring, size_t first) {
  const ClusterState next = WithFlush(ring->state(first), kAllDbs, 1, {1, 0});
  ring->Tell(first, next);
  uint32_t rounds = 0;
  while (ring->CountAware(next.epoch) < ring->size() && rounds < 100) {
    ring->Run(kRoundMs);
    rounds += 1;
  }
  for (size_t i = 0; i < ring->size(); ++i) EXPECT_EQ(ring->state(i), next) << i;
  EXPECT_EQ(ring->warnings(), 0U);
  return rounds;
}

TEST(GossipConvergence, OneNodesNewsReachATenthAndAThousandInTime) {
  for (const uint32_t members : {2U, 10U, 100U, 1000U}) {
    GossipRing ring(RingOf(members, 16384), members);
    for (size_t news = 0; news < (members < 1000 ? 20U : 2U); ++news) {
      EXPECT_LE(RoundsToSpread(&ring, news * 7 % members), kMostRounds) << members;
    }
  }
}

TEST(GossipConvergence, AFifthOfAllMessagesMayBeLost) {
  GossipRing ring(RingOf(100, 256), 1);
  ring.SetLossPercent(20);
  for (size_t news = 0; news < 20; ++news) EXPECT_LE(RoundsToSpread(&ring, news), 2 * kMostRounds);
}

TEST(GossipConvergence, WhoHasNothingNewSendsNoStates) {
  GossipRing ring(RingOf(100, 256), 1);
  const GossipRing::Traffic before = ring.traffic();
  ring.Run(10 * kRoundMs);
  EXPECT_EQ(ring.traffic().states, before.states);
  // A digest a second each, and now and then a seed that answers.
  const uint64_t messages = ring.traffic().messages - before.messages;
  EXPECT_EQ(ring.warnings(), 0U);
  EXPECT_GE(messages, 900U);
  EXPECT_LE(messages, 1500U);
}

TEST(GossipConvergence, TwoStatesOfOneEpochAreNoticed) {
  GossipRing ring(RingOf(3, 256), 1);
  const ClusterState next = WithFlush(ring.state(0), 1, 1, {1, 0});
  ring.Tell(0, next);
  ring.Tell(1, WithFlush(ring.state(1), 2, 1, {1, 0}));
  ring.Tell(2, next);
  ring.Run(5 * kRoundMs);
  EXPECT_GT(ring.warnings(), 0U);
}

TEST(GossipConvergence, ADecidedFlushReachesAllByItsPush) {
  GossipRing ring(RingOf(100, 256), 1);
  const uint64_t epoch = ring.state(0).epoch;
  ring.Flush(42);
  ring.Run(50);  // prepare, accept, push: five ways through the network
  EXPECT_EQ(ring.CountAware(epoch + 1), 100U);
}

}  // namespace
}  // namespace cartwheel
