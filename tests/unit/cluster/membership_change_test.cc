// Membership: joins, settings, flushes and the phases of a motion.
#include <gtest/gtest.h>

#include "cluster/membership.h"
#include "tests/unit/cluster/membership_cluster.h"

namespace cartwheel {
namespace {

TEST(MembershipJoin, AnEmptyRingOfOneJoinsAndIsAnswered) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed);
    cluster.Add(1, {});
    cluster.Add(2, {});
    cluster.Boot(1);
    cluster.Boot(2);
    cluster.Join(2, 7, Cluster::AddressOf(1));
    cluster.Run(1'100);
    EXPECT_TRUE(AnsweredWith<Done>(cluster, 2, 7)) << ErrorOf(cluster, 2, 7);
    EXPECT_TRUE(cluster.OneRing({1, 2}));
  }
}

TEST(MembershipJoin, ManyAtOnceThroughDifferentMembersAllCome) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Cluster cluster(seed);
    MakeThree(cluster);
    for (NodeId id = 4; id <= 8; ++id) {
      cluster.Add(id, {});
      cluster.Boot(id);
    }
    for (NodeId id = 4; id <= 8; ++id) cluster.Join(id, 1, Cluster::AddressOf(1 + id % 3));
    cluster.Run(10'000);
    EXPECT_TRUE(cluster.OneRing({1, 2, 3, 4, 5, 6, 7, 8})) << seed;
    EXPECT_EQ(cluster[1].state().epoch, 8U);
  }
}

TEST(MembershipJoin, TwoThatJoinEachOtherEndInOneRing) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed);
    cluster.Add(1, {2});
    cluster.Add(2, {1});
    for (const NodeId id : {1, 2}) {
      cluster[id].options.bootstrap = true;
      cluster.Boot(id);
    }
    cluster.Join(1, 1, Cluster::AddressOf(2));
    cluster.Join(2, 1, Cluster::AddressOf(1));
    cluster.Run(20'000);
    // Both give their ring up for the other's; one of them must come back with a new one.
    EXPECT_EQ(cluster[1].answers.size() + cluster[2].answers.size(), 2U);
    EXPECT_TRUE(cluster.OneRing({1, 2})) << seed;
  }
}

TEST(MembershipJoin, IsRefusedWithAReason) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Join(1, 1, Cluster::AddressOf(2));
  EXPECT_NE(ErrorOf(cluster, 1, 1).find("ring of 3 already"), std::string::npos);

  cluster.Add(4, {}).has_data = true;
  cluster.Boot(4);
  cluster.Join(4, 1, Cluster::AddressOf(1));
  EXPECT_NE(ErrorOf(cluster, 4, 1).find("holds data"), std::string::npos);

  Cluster::Node& other = cluster.Add(5, {});
  other.options.settings.partitioner = Partitioner::kMd5;
  other.options.partitioner_given = true;
  cluster.Boot(5);
  cluster.Join(5, 1, Cluster::AddressOf(1));
  cluster.Join(5, 2, Cluster::AddressOf(1));
  EXPECT_NE(ErrorOf(cluster, 5, 2).find("under way"), std::string::npos);
  cluster.Run(500);
  EXPECT_NE(ErrorOf(cluster, 5, 1).find("partitioner is md5 here and slot"), std::string::npos);
  cluster.Join(5, 3, Cluster::AddressOf(5));
  cluster.Run(500);
  EXPECT_NE(ErrorOf(cluster, 5, 3).find("this node itself"), std::string::npos);
  cluster.Join(5, 4, Cluster::AddressOf(99));
  cluster.Run(1'000);
  EXPECT_NE(ErrorOf(cluster, 5, 4).find("10.0.0.1:17099"), std::string::npos);
  EXPECT_TRUE(cluster.OneRing({5}));  // it kept its own

  cluster.Crash(3);
  Cluster::Node& wiped = cluster.Add(6, {});
  wiped.options.self.bus_port = Cluster::AddressOf(3).port;
  cluster.Boot(6);
  cluster.Join(6, 1, Cluster::AddressOf(1));
  cluster.Run(500);
  EXPECT_NE(ErrorOf(cluster, 6, 1).find("DYN.REPLACE"), std::string::npos);
  EXPECT_TRUE(cluster.OneRing({6}));
}

// --- SETTINGS ---

TEST(MembershipSettings, AreDecidedAndInForceEverywhere) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Set(2, 1, {.r = 1, .w = 3});
  cluster.Run(100);
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 2, 1));
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
  EXPECT_EQ(cluster[3].state().settings.r, 1);
  EXPECT_EQ(cluster[3].state().settings.w, 3);
  const uint64_t epoch = cluster[3].state().epoch;
  cluster.Set(3, 1, {.w = 3});
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 3, 1)) << "they are so already";
  cluster.Run(500);
  EXPECT_EQ(cluster[3].state().epoch, epoch);
  cluster.Set(3, 2, {.r = 4});
  EXPECT_NE(ErrorOf(cluster, 3, 2).find("must not be more than N 3"), std::string::npos);
}

TEST(MembershipSettings, OfTwoOperatorsAtOnceOneIsLast) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed);
    MakeThree(cluster);
    const uint64_t epoch = cluster[1].state().epoch;
    cluster.Set(1, 1, {.w = 1});
    cluster.Set(3, 1, {.w = 3});
    cluster.Run(3'000);
    EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
    EXPECT_TRUE(AnsweredWith<Done>(cluster, 1, 1));
    EXPECT_TRUE(AnsweredWith<Done>(cluster, 3, 1));
    EXPECT_EQ(cluster[2].state().epoch, epoch + 2);
    EXPECT_NE(cluster[2].state().settings.w, 2);
  }
}

TEST(MembershipSettings, OnBothSidesOfACutOneOperatorSucceeds) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Cut(1, 2);
  cluster.Cut(1, 3);
  cluster.Set(1, 1, {.w = 1});
  cluster.Set(2, 1, {.w = 3});
  cluster.Run(2'000);
  EXPECT_TRUE(AnsweredWith<NoQuorum>(cluster, 1, 1));
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 2, 1));
  cluster.Heal();
  cluster.Run(5'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
  EXPECT_EQ(cluster[1].state().settings.w, 3);
}

// --- phases ---

TEST(MembershipPhase, EndsOnceWhoeverSaysSo) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed);
    MakeThree(cluster);
    const ClusterState before = cluster[1].state();
    ASSERT_EQ(before.phase, Phase::kFetch);
    for (const NodeId id : {1, 2, 3}) {
      for (int twice = 0; twice < 2; ++twice) {
        cluster.Call(id, [&](Membership* m, Effects* effects) {
          m->EndPhase(cluster.now(), before.placement_version, effects);
        });
      }
    }
    cluster.Run(3'000);
    EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
    EXPECT_EQ(cluster[1].state().phase, Phase::kSwitch) << seed;
    EXPECT_EQ(cluster[1].state().epoch, before.epoch + 1);
  }
}

TEST(MembershipPhase, AnAnswerFromALaterPlacementIsAskedAbout) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Cut(1, 2);
  cluster.Cut(1, 3);
  cluster.Call(2, [&](Membership* m, Effects* effects) {
    m->EndPhase(cluster.now(), m->state().placement_version, effects);
  });
  cluster.Run(100);
  ASSERT_EQ(cluster[2].state().phase, Phase::kSwitch);
  cluster.Heal();
  const uint64_t later = cluster[2].state().placement_version;
  cluster.Call(1, [&](Membership* m, Effects* effects) {
    m->SawPlacement(cluster.now(), 2, later - 1, effects);
    EXPECT_TRUE(effects->outbox.sends.empty()) << "that it knows";
    m->SawPlacement(cluster.now(), 2, later, effects);
  });
  cluster.Run(10);
  EXPECT_EQ(cluster[1].state().phase, Phase::kSwitch);
}

// --- FLUSH ---

TEST(MembershipFlush, IsAnsweredWhenAllKnowIt) {
  Cluster cluster;
  MakeThree(cluster);
  const uint64_t before = cluster[2].clock->last();
  cluster.Flush(1, 5, 3);
  cluster.Run(100);
  ASSERT_TRUE(AnsweredWith<Done>(cluster, 1, 5));
  for (NodeId id = 1; id <= 3; ++id) {
    const uint64_t time = cluster[id].state().FlushedBefore(3);
    EXPECT_GT(time, before);
    EXPECT_GT(cluster[id].clock->last(), time);
    EXPECT_EQ(cluster[id].state().FlushedBefore(0), 0U);
  }
}

TEST(MembershipFlush, WhoWasAwayLearnsOfItOnReturn) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Crash(3);
  for (const NodeId id : {1, 2}) {
    cluster.Call(id, [](Membership* m, Effects*) { m->SetAlive(3, false); });
  }
  cluster.Flush(2, 5, std::nullopt);
  cluster.Run(100);
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 2, 5));
  cluster.Run(10'000);
  cluster.Boot(3);
  EXPECT_EQ(cluster[3].state().FlushedBefore(0), 0U);
  cluster.Run(3'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
  EXPECT_GT(cluster[3].state().FlushedBefore(0), 0U);
  EXPECT_GT(cluster[3].clock->last(), cluster[3].state().FlushedBefore(0));
}

TEST(MembershipFlush, AMemberThatIsSilentDelaysTheAnswerNoLongerThanAReplicaMay) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Crash(3);
  cluster.Flush(1, 5, std::nullopt);
  cluster.Run(400);
  EXPECT_FALSE(cluster[1].answers.contains(5));
  cluster.Run(200);
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 1, 5));
}

TEST(MembershipFlush, WithoutAMajorityThereIsNoQuorum) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Cut(1, 2);
  cluster.Cut(1, 3);
  cluster.Flush(1, 5, std::nullopt);
  cluster.Run(1'100);
  ASSERT_TRUE(AnsweredWith<NoQuorum>(cluster, 1, 5));
  const NoQuorum& answer = std::get<NoQuorum>(cluster[1].answers[5].result);
  EXPECT_EQ(answer.needed, 2);
  EXPECT_EQ(answer.answered, 1);
  cluster.Heal();
  cluster.Run(5'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
}

TEST(MembershipFlush, ManyAtOnceThroughAllNodesAreAllDecided) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed);
    MakeThree(cluster);
    cluster.SetLossPercent(seed % 2 * 10);
    for (NodeId id = 1; id <= 3; ++id) cluster.Flush(id, 5, static_cast<uint32_t>(id));
    cluster.Run(10'000);
    EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
    for (NodeId id = 1; id <= 3; ++id) {
      ASSERT_TRUE(cluster[id].answers.contains(5));
      if (!AnsweredWith<Done>(cluster, id, 5)) continue;
      EXPECT_GT(cluster[1].state().FlushedBefore(static_cast<uint32_t>(id)), 0U) << seed;
    }
  }
}

TEST(MembershipFlush, AClockFarAheadDoesNotFlushTheFuture) {
  Cluster cluster;
  MakeThree(cluster);
  cluster[2].clock->TickAbove(HybridClock::FromWall(kWallBase * 2), 0);
  cluster.Flush(1, 5, std::nullopt);
  cluster.Run(1'000);
  ASSERT_TRUE(AnsweredWith<Done>(cluster, 1, 5));
  EXPECT_LE(HybridClock::ToWall(cluster[1].state().FlushedBefore(0)),
            cluster.now().wall_ms + cluster[1].options.max_clock_skew_ms);
}

}  // namespace
}  // namespace cartwheel
