// Membership: gossip, and everything at once under faults.
#include "cluster/membership.h"

#include <gtest/gtest.h>

#include "tests/unit/cluster/membership_cluster.h"

namespace cartwheel {
namespace {

TEST(MembershipChaos, CrashesCutsLossAndChangesLeaveOneRing) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Cluster cluster(seed);
    Random random(seed * 77);
    const std::vector<NodeId> ids = {1, 2, 3, 4, 5};
    for (const NodeId id : ids) cluster.Add(id, {1, 2});
    for (const NodeId id : ids) cluster.Boot(id);
    cluster.SetLossPercent(random.Below(20));
    uint64_t operation = 1;
    for (int turn = 0; turn < 120; ++turn) {
      const NodeId id = 1 + random.Below(ids.size());
      Cluster::Node& node = cluster[id];
      switch (random.Below(6)) {
        case 0:
          if (node.up) cluster.Crash(id);
          break;
        case 1:
          if (!node.up) node.options.self.zone = std::to_string(random.Below(3));
          [[fallthrough]];
        case 2:
          if (!node.up) cluster.Boot(id);
          break;
        case 3: cluster.Cut(id, 1 + random.Below(ids.size())); break;
        case 4: cluster.Heal(); break;
        case 5:
          if (node.up) cluster.Flush(id, operation++, static_cast<uint32_t>(random.Below(4)));
          break;
      }
      cluster.Run(static_cast<int64_t>(random.Below(1000)));
      ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed;
    }
    cluster.Heal();
    cluster.SetLossPercent(0);
    for (const NodeId id : ids) {
      if (!cluster[id].up) cluster.Boot(id);
    }
    cluster.Run(20'000);
    ASSERT_TRUE(cluster.OneRing(ids)) << "seed " << seed;
    for (const NodeId id : ids) {
      EXPECT_EQ(cluster[1].state().Find(id)->zone, cluster[id].options.self.zone);
    }
  }
}

// --- spreading ---

TEST(MembershipGossip, WhoIsBehindAsksWhenADataMessageSaysSo) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Cut(1, 3);
  cluster.Cut(2, 3);
  cluster.Flush(1, 5, 0);
  cluster.Run(2'000);
  ASSERT_LT(cluster[3].state().epoch, cluster[1].state().epoch);
  cluster.Heal();
  const uint64_t epoch = cluster[1].state().epoch;
  cluster.Call(
      3, [&](Membership* m, Effects* effects) { m->SawEpoch(cluster.now(), 1, epoch, effects); });
  cluster.Run(20);
  EXPECT_EQ(cluster[3].state().epoch, epoch);
}

TEST(MembershipGossip, WhoIsAheadPushesButNotForEveryMessage) {
  Cluster cluster;
  MakeThree(cluster);
  int pushes = 0;
  for (int i = 0; i < 50; ++i) {
    cluster.Call(1, [&](Membership* m, Effects* effects) {
      m->SawEpoch(cluster.now(), 2, 1, effects);
      pushes += static_cast<int>(effects->outbox.sends.size());
    });
  }
  EXPECT_EQ(pushes, 1);
}

TEST(MembershipGossip, HostileFramesAreIgnored) {
  Cluster cluster;
  MakeThree(cluster);
  Random random(4);
  const std::string good = EncodeControl(Promise{1, 2, {3, 4}, true, {5, 6}, {7, 8}, 9, "value"});
  for (int i = 0; i < 20'000; ++i) {
    const FrameReader reader(good);
    std::string head(reader.fields()[0]);
    head[0] = static_cast<char>(30 + random.Below(12));
    head.resize(random.Below(head.size() + 1));
    for (char& byte : head) {
      if (&byte != head.data() && random.Chance(1, 4)) byte = static_cast<char>(random.Next());
    }
    const std::vector<std::string_view> fields = {head, "abc"};
    cluster.Call(1, [&](Membership* m, Effects* effects) {
      m->Receive(cluster.now(), 2 + random.Below(3), fields, effects);
      effects->outbox.Clear();
      effects->sends_to_address.clear();
    });
  }
  cluster.Run(5'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
}

}  // namespace
}  // namespace cartwheel
