// Membership: how a ring is made, found again, and told from another.
#include <gtest/gtest.h>

#include "cluster/membership.h"
#include "tests/unit/cluster/membership_cluster.h"

namespace cartwheel {
namespace {

TEST(MembershipStart, WithoutSeedsANodeMakesARingOfOneAtOnce) {
  Cluster cluster;
  cluster.Add(1, {});
  cluster.Boot(1);
  EXPECT_TRUE(cluster.OneRing({1}));
  EXPECT_TRUE(cluster[1].Logged("made a ring of one"));
}

TEST(MembershipStart, AloneInItsListANodeMakesARingOfOneAtOnce) {
  Cluster cluster;
  cluster.Add(1, {1});
  cluster.Boot(1);
  EXPECT_TRUE(cluster.OneRing({1}));
}

TEST(MembershipStart, ASeedThatIsTheNodeUnderAnotherNameIsRecognised) {
  Cluster cluster;
  Cluster::Node& node = cluster.Add(1, {});
  node.options.seeds = {{"localhost", 17001}};
  node.aliases = node.options.seeds;
  cluster.Boot(1);
  EXPECT_FALSE(cluster[1].membership->ready());
  cluster.Run(1'000);
  EXPECT_TRUE(cluster.OneRing({1}));
}

TEST(MembershipStart, ThreeAtOnceMakeOneRing) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Cluster cluster(seed);
    cluster.SetLossPercent(seed % 4 * 10);
    MakeThree(cluster);
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed;
    EXPECT_EQ(cluster[1].state().history.back().proposer, 1U);  // the first seed made it
  }
}

TEST(MembershipStart, ThreeAtOnceAreThereWithinASecond) {
  Cluster cluster;
  for (NodeId id = 1; id <= 3; ++id) cluster.Add(id, {1, 2, 3});
  for (NodeId id = 1; id <= 3; ++id) cluster.Boot(id);
  cluster.Run(1'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
}

TEST(MembershipStart, InAnyOrderTheyMakeOneRing) {
  std::vector<NodeId> order = {1, 2, 3};
  do {
    Cluster cluster;
    for (NodeId id = 1; id <= 3; ++id) cluster.Add(id, {1, 2, 3});
    for (const NodeId id : order) {
      cluster.Boot(id);
      cluster.Run(4'000);
    }
    cluster.Run(5'000);
    EXPECT_TRUE(cluster.OneRing({1, 2, 3})) << order[0] << order[1] << order[2];
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(MembershipStart, WhileTheFirstSeedIsDownTheOthersWaitAndSayForWhom) {
  Cluster cluster;
  for (NodeId id = 1; id <= 3; ++id) cluster.Add(id, {1, 2, 3});
  cluster.Boot(2);
  cluster.Boot(3);
  cluster.Run(60'000);
  for (const NodeId id : {2, 3}) {
    EXPECT_FALSE(cluster[id].membership->ready());
    EXPECT_TRUE(cluster[id].Logged("waiting for a ring: 10.0.0.1:17001 (no answer)"));
    EXPECT_LE(cluster[id].Count("waiting"), 6);
  }
  cluster.Boot(1);
  cluster.Run(5'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
}

TEST(MembershipStart, TheFirstWaitsUntilAllOthersHaveAnswered) {
  Cluster cluster;
  for (NodeId id = 1; id <= 3; ++id) cluster.Add(id, {1, 2, 3});
  cluster.Boot(1);
  cluster.Boot(2);
  cluster.Run(30'000);
  EXPECT_FALSE(cluster[1].membership->ready());
  cluster.Boot(3);
  cluster.Run(5'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
}

TEST(MembershipStart, EachFirstInItsOwnListTheyStillMakeOneRing) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Cluster cluster(seed);
    cluster.Add(1, {1, 2, 3});
    cluster.Add(2, {2, 3, 1});
    cluster.Add(3, {3, 1, 2});
    for (NodeId id = 1; id <= 3; ++id) cluster.Boot(id);
    cluster.Run(20'000);
    EXPECT_TRUE(cluster.OneRing({1, 2, 3})) << "seed " << seed;
  }
}

TEST(MembershipStart, BootstrapMakesARingWhateverTheSeedsSay) {
  Cluster cluster;
  cluster.Add(2, {1, 2}).options.bootstrap = true;
  cluster.Boot(2);
  EXPECT_TRUE(cluster.OneRing({2}));
}

TEST(MembershipStart, AManyAtOnceAreAllTaken) {
  Cluster cluster(3);
  cluster.SetLossPercent(10);
  std::vector<NodeId> ids;
  for (NodeId id = 1; id <= 8; ++id) {
    cluster.Add(id, {1, 2});
    ids.push_back(id);
  }
  for (const NodeId id : ids) cluster.Boot(id);
  cluster.Run(30'000);
  EXPECT_TRUE(cluster.OneRing(ids));
  EXPECT_EQ(cluster[1].state().epoch, 8U);  // one change each, none twice
}

TEST(MembershipStart, SettingsGivenAndDifferentEndTheStart) {
  Cluster cluster;
  cluster.Add(1, {});
  cluster.Boot(1);
  Cluster::Node& other = cluster.Add(2, {1});
  other.options.settings.partitions = 64;
  other.options.partitions_given = true;
  cluster.Boot(2);
  cluster.Run(2'000);
  ASSERT_TRUE(cluster[2].stopped.has_value());
  EXPECT_NE(cluster[2].stopped->find("partitions is 64 here and 256 in the ring"),
            std::string::npos);
  EXPECT_EQ(cluster[1].state().members.size(), 1U);
}

TEST(MembershipStart, AQuorumGivenAndDifferentIsALogLine) {
  Cluster cluster;
  cluster.Add(1, {});
  cluster.Boot(1);
  Cluster::Node& other = cluster.Add(2, {1});
  other.options.settings.w = 3;
  other.options.quorum_given = true;
  cluster.Boot(2);
  cluster.Run(2'000);
  EXPECT_TRUE(cluster.OneRing({1, 2}));
  EXPECT_EQ(cluster[2].Count("the ring's n=3 r=2 w=2 hold"), 1);
  EXPECT_EQ(cluster[2].state().settings.w, 2);
}

// --- restarts ---

TEST(MembershipRestart, AMemberComesBackToItsRing) {
  Cluster cluster;
  MakeThree(cluster);
  const uint64_t ring = cluster[1].state().ring_id;
  for (NodeId id = 1; id <= 3; ++id) cluster.Crash(id);
  cluster.Run(1'000);
  cluster.Boot(2);
  EXPECT_TRUE(cluster[2].membership->ready());  // without asking anybody
  cluster.Boot(1);
  cluster.Boot(3);
  cluster.Run(5'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
  EXPECT_EQ(cluster[1].state().ring_id, ring);
  EXPECT_EQ(cluster[1].state().epoch, 3U);
}

TEST(MembershipRestart, ANewAddressIsToldToTheRing) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Crash(3);
  cluster.Run(1'000);
  cluster[3].options.self.bus_port = 18003;
  cluster[3].options.self.zone = "b";
  cluster.Boot(3);
  cluster.Run(5'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
  EXPECT_EQ(cluster[1].state().Find(3)->bus_port, 18003);
  EXPECT_EQ(cluster[1].state().Find(3)->zone, "b");
}

TEST(MembershipRestart, AJoinerThatCrashedBeforeItKnewIsFoundByItsRing) {
  for (int64_t after_ms = 0; after_ms < 40; after_ms += 2) {
    Cluster cluster;
    cluster.Add(1, {});
    cluster.Boot(1);
    cluster.Add(2, {1});
    cluster.Boot(2);
    cluster.Run(after_ms);
    cluster.Crash(2);
    cluster.Run(500);
    cluster.Boot(2);
    cluster.Run(5'000);
    EXPECT_TRUE(cluster.OneRing({1, 2})) << after_ms;
    EXPECT_EQ(cluster[1].state().epoch, 2U);
  }
}

TEST(MembershipRestart, DamagedDurableStateIsAnError) {
  Cluster cluster;
  MakeThree(cluster);
  const std::string& disk = cluster[1].disk;
  Random random(1);
  HybridClock clock;
  for (size_t length = 1; length < disk.size(); ++length) {
    Membership membership(cluster[1].options, &random, &clock);
    EXPECT_FALSE(membership.Restore(disk.substr(0, length)).has_value()) << length;
  }
}

TEST(MembershipRestart, ANodeThatWasRemovedStopsAndDoesNotStartAgain) {
  Cluster cluster;
  MakeThree(cluster);
  const NodeId gone[] = {3};
  const ClusterState without = *WithRemoved(cluster[1].state(), gone, {1, 0});
  std::string bytes;
  EncodeState(without, &bytes);
  const std::string frame = EncodeControl(StatePush{false, false, bytes});
  cluster.Call(3, [&](Membership* m, Effects* effects) {
    m->Receive(cluster.now(), 1, FrameReader(frame).fields(), effects);
  });
  ASSERT_TRUE(cluster[3].stopped.has_value());
  EXPECT_NE(cluster[3].stopped->find("was removed"), std::string::npos);
  EXPECT_FALSE(cluster[3].membership->ready());
  Random random(1);
  HybridClock clock;
  Membership again(cluster[3].options, &random, &clock);
  EXPECT_FALSE(again.Restore(cluster[3].disk).has_value());
}

TEST(MembershipRestart, AFreshNodeAtAMembersAddressIsToldToReplaceIt) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Crash(3);
  Cluster::Node& wiped = cluster.Add(4, {1, 2});
  wiped.options.self.bus_port = Cluster::AddressOf(3).port;
  cluster.Boot(4);
  cluster.Run(25'000);
  EXPECT_FALSE(cluster[4].membership->ready());
  EXPECT_TRUE(cluster[4].Logged("DYN.REPLACE"));
  EXPECT_LE(cluster[4].Count("DYN.REPLACE"), 3);
  EXPECT_EQ(cluster[1].state().members.size(), 3U);
}

// --- rings that meet ---

TEST(MembershipMeeting, OfTwoEmptyRingsOfOneTheLargerIdYields) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed);
    cluster.Add(1, {});
    cluster.Add(2, {1}).options.bootstrap = true;
    cluster.Boot(1);
    cluster.Boot(2);
    const uint64_t smaller = std::min(cluster[1].state().ring_id, cluster[2].state().ring_id);
    cluster.Run(10'000);
    EXPECT_TRUE(cluster.OneRing({1, 2})) << seed;
    EXPECT_EQ(cluster[1].state().ring_id, smaller);
  }
}

TEST(MembershipMeeting, AnEmptyRingOfOneJoinsTheRingThatHoldsData) {
  for (const NodeId full : {1, 2}) {
    Cluster cluster;
    cluster.Add(1, {});
    cluster.Add(2, {1}).options.bootstrap = true;
    cluster[full].has_data = true;
    cluster.Boot(1);
    cluster.Boot(2);
    const uint64_t kept = cluster[full].state().ring_id;
    cluster.Run(10'000);
    EXPECT_TRUE(cluster.OneRing({1, 2}));
    EXPECT_EQ(cluster[1].state().ring_id, kept);
  }
}

TEST(MembershipMeeting, RingsThatBothHoldDataNeverMixAndSaySo) {
  Cluster cluster;
  cluster.Add(1, {}).has_data = true;
  Cluster::Node& other = cluster.Add(2, {1});
  other.options.bootstrap = true;
  other.has_data = true;
  cluster.Boot(1);
  cluster.Boot(2);
  cluster.Run(30'000);
  EXPECT_TRUE(cluster.OneRing({1}));
  EXPECT_TRUE(cluster.OneRing({2}));
  EXPECT_EQ(cluster[2].Count("not mixed"), 1);
}

TEST(MembershipMeeting, ANodeThatCrashesWhileItYieldsIsTakenLater) {
  for (int64_t after_ms = 0; after_ms < 1'500; after_ms += 50) {
    Cluster cluster;
    cluster.Add(1, {}).has_data = true;
    cluster.Add(2, {1}).options.bootstrap = true;
    cluster.Boot(1);
    cluster.Boot(2);
    cluster.Run(after_ms);
    cluster.Crash(2);
    cluster.Run(1'000);
    cluster[2].options.bootstrap = false;
    cluster.Boot(2);
    cluster.Run(10'000);
    EXPECT_TRUE(cluster.OneRing({1, 2})) << after_ms;
  }
}

}  // namespace
}  // namespace cartwheel
