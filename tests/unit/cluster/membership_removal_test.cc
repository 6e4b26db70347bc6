// Membership: members that leave, are removed, forced out, or replaced.
#include <gtest/gtest.h>

#include "cluster/membership.h"
#include "tests/unit/cluster/membership_cluster.h"

namespace cartwheel {
namespace {

// Nodes 1 to `count` in one ring at rest.
void MakeRing(Cluster& cluster, NodeId count) {
  MakeThree(cluster);
  for (NodeId id = 4; id <= count; ++id) {
    cluster.Add(id, {1, 2, 3});
    cluster.Boot(id);
    cluster.Run(3'000);
  }
  cluster.MoveOn(1);
  cluster.Run(3'000);
  ASSERT_FALSE(cluster[1].state().in_motion());
  ASSERT_EQ(cluster[1].state().members.size(), count);
}

MemberStatus StatusOf(Cluster& cluster, NodeId at, NodeId id) {
  return cluster[at].state().Find(id)->status;
}

// --- LEAVE ---

TEST(MembershipLeave, IsDecidedThenDepartsAndTheNodeIsDone) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Cluster cluster(seed);
    MakeRing(cluster, 4);
    cluster.Leave(4, 1);
    cluster.Run(200);
    EXPECT_TRUE(AnsweredWith<Done>(cluster, 4, 1));
    EXPECT_TRUE(cluster.OneRing({1, 2, 3, 4}));
    EXPECT_EQ(StatusOf(cluster, 1, 4), MemberStatus::kLeaving);
    EXPECT_TRUE(cluster[1].state().in_motion());

    cluster.MoveOn(2);
    cluster.Call(4, [&](Membership* m, Effects* effects) { m->Depart(cluster.now(), effects); });
    cluster.Run(3'000);
    EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
    EXPECT_TRUE(cluster[4].departed) << "exits 0";
    EXPECT_FALSE(cluster[4].stopped.has_value());
    EXPECT_TRUE(cluster[1].state().WasRemoved(4));
  }
}

TEST(MembershipLeave, IsAnsweredAtOnceWhenItLeavesAlready) {
  Cluster cluster;
  MakeRing(cluster, 3);
  cluster.Leave(3, 1);
  cluster.Run(200);
  const uint64_t epoch = cluster[3].state().epoch;
  cluster.Leave(3, 2);
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 3, 2));
  cluster.Run(2'000);
  EXPECT_EQ(cluster[3].state().epoch, epoch);
}

TEST(MembershipLeave, OfTheLastOneIsRefused) {
  Cluster cluster;
  cluster.Add(1, {});
  cluster.Boot(1);
  cluster.Leave(1, 1);
  EXPECT_NE(ErrorOf(cluster, 1, 1).find("nobody would be left"), std::string::npos);
}

TEST(MembershipLeave, WithoutAMajorityThereIsNoQuorum) {
  Cluster cluster;
  MakeRing(cluster, 3);
  cluster.Cut(1, 2);
  cluster.Cut(1, 3);
  cluster.Leave(1, 1);
  cluster.Run(1'100);
  EXPECT_TRUE(AnsweredWith<NoQuorum>(cluster, 1, 1));
  EXPECT_EQ(StatusOf(cluster, 2, 1), MemberStatus::kNormal);
}

TEST(MembershipLeave, DepartingIsRefusedWhileTheRingMoves) {
  Cluster cluster;
  MakeRing(cluster, 4);
  cluster.Leave(4, 1);
  cluster.Run(200);
  cluster.Call(4, [&](Membership* m, Effects* effects) { m->Depart(cluster.now(), effects); });
  cluster.Run(2'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3, 4}));
}

TEST(MembershipLeave, ANodeThatCrashedAsItDepartedTellsTheOthers) {
  Cluster cluster;
  MakeRing(cluster, 4);
  cluster.Leave(4, 1);
  cluster.Run(200);
  cluster.MoveOn(1);
  // Only its own vote and what the others have accepted know of it.
  cluster.Call(4, [&](Membership* m, Effects* effects) { m->Depart(cluster.now(), effects); });
  while (cluster[4].state().Find(4) != nullptr) cluster.Run(1);
  cluster.Crash(4);
  cluster.Boot(4);
  cluster.Run(5'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
  EXPECT_TRUE(cluster[4].departed);
}

TEST(MembershipLeave, IsNotDecidedWhileTheRestCouldNotDecideAlone) {
  Cluster cluster;
  MakeRing(cluster, 3);
  cluster.Leave(3, 1);
  cluster.Run(200);
  cluster.MoveOn(1);
  cluster.Lose(2);
  const auto depart = [&](Membership* m, Effects* effects) { m->Depart(cluster.now(), effects); };
  cluster.Call(3, depart);
  cluster.Run(5'000);
  EXPECT_NE(cluster[1].state().Find(3), nullptr);
  EXPECT_EQ(cluster[3].membership->MissedByDeparture(), std::vector<NodeId>{2});
  cluster.Remove(1, 2, {2});
  cluster.Run(1'000);
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 1, 2)) << ErrorOf(cluster, 1, 2);
  cluster.MoveOn(1);
  cluster.Call(3, depart);
  cluster.Run(2'000);
  EXPECT_TRUE(cluster[3].departed);
  EXPECT_TRUE(cluster.OneRing({1}));
}

TEST(MembershipLeave, IsOverWhenTheRestWasForcedIntoAnotherRing) {
  Cluster cluster;
  MakeRing(cluster, 3);
  cluster.Leave(3, 1);
  cluster.Run(200);
  cluster.MoveOn(1);
  cluster.Cut(1, 2);
  cluster.Cut(2, 3);
  cluster.Call(3, [&](Membership* m, Effects* effects) { m->Depart(cluster.now(), effects); });
  cluster.Run(5'000);
  EXPECT_TRUE(cluster[1].state().WasRemoved(3));
  EXPECT_FALSE(cluster[3].departed) << "one of two is no majority";
  cluster.Lose(2);
  cluster.Remove(1, 2, {2}, true);
  cluster.Run(5'000);
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 1, 2)) << ErrorOf(cluster, 1, 2);
  EXPECT_TRUE(cluster[3].departed);
}

// --- REMOVE ---

TEST(MembershipRemove, IsRefusedWhileSomebodyHearsTheMember) {
  Cluster cluster;
  MakeRing(cluster, 4);
  cluster.Remove(1, 1, {4});
  EXPECT_NE(ErrorOf(cluster, 1, 1).find("still heard by node " + FormatNodeId(1)),
            std::string::npos);
  // Only node 3 does: node 1 has to ask.
  cluster.Notice(1, 4, false);
  cluster.Notice(2, 4, false);
  cluster.Remove(1, 2, {4});
  cluster.Run(200);
  EXPECT_NE(ErrorOf(cluster, 1, 2).find("still heard by node " + FormatNodeId(3)),
            std::string::npos);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3, 4}));
}

TEST(MembershipRemove, OfWhoIsDownIsDecidedAfterAllWereAsked) {
  Cluster cluster;
  MakeRing(cluster, 5);
  cluster.Lose(4);
  cluster.Lose(5);
  cluster.Remove(2, 1, {4, 5});
  EXPECT_FALSE(cluster[2].answers.contains(1));
  cluster.Run(100);
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 2, 1)) << ErrorOf(cluster, 2, 1);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
  EXPECT_TRUE(cluster[1].state().in_motion());
}

TEST(MembershipRemove, WhoDoesNotAnswerHearsNobody) {
  Cluster cluster;
  MakeRing(cluster, 5);
  cluster.Lose(5);
  cluster.Crash(4);  // nobody has noticed
  cluster.Remove(1, 1, {5});
  cluster.Run(400);
  EXPECT_FALSE(cluster[1].answers.contains(1));
  cluster.Run(300);
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 1, 1)) << ErrorOf(cluster, 1, 1);
}

TEST(MembershipRemove, WithoutAMajorityThereIsNoQuorum) {
  Cluster cluster;
  MakeRing(cluster, 4);
  cluster.Lose(3);
  cluster.Lose(4);
  cluster.Remove(1, 1, {3, 4});
  cluster.Run(3'000);
  ASSERT_TRUE(AnsweredWith<NoQuorum>(cluster, 1, 1));
  EXPECT_EQ(std::get<NoQuorum>(cluster[1].answers[1].result).needed, 3);
}

TEST(MembershipRemove, OfAStrangerOrOneselfIsRefused) {
  Cluster cluster;
  MakeRing(cluster, 3);
  cluster.Remove(1, 1, {9});
  EXPECT_NE(ErrorOf(cluster, 1, 1).find("not a member"), std::string::npos);
  cluster.Remove(1, 2, {1});
  EXPECT_NE(ErrorOf(cluster, 1, 2).find("still heard"), std::string::npos);
  cluster.Remove(1, 3, {1}, true);
  EXPECT_NE(ErrorOf(cluster, 1, 3).find("DYN.LEAVE"), std::string::npos);
}

TEST(MembershipRemove, WhoComesBackIsToldAndStops) {
  Cluster cluster;
  MakeRing(cluster, 4);
  cluster.Lose(4);
  cluster.Remove(1, 1, {4});
  cluster.Run(100);
  ASSERT_TRUE(AnsweredWith<Done>(cluster, 1, 1));
  cluster.Boot(4);
  cluster.Run(5'000);
  ASSERT_TRUE(cluster[4].stopped.has_value());
  EXPECT_NE(cluster[4].stopped->find("was removed"), std::string::npos);
  EXPECT_FALSE(cluster[4].departed);
}

// --- FORCE ---

TEST(MembershipForce, RemovesWhoIsStillHeardByTheMajority) {
  Cluster cluster;
  MakeRing(cluster, 4);
  const uint64_t ring = cluster[1].state().ring_id;
  cluster.Remove(1, 1, {4}, true);
  cluster.Run(200);
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 1, 1));
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
  EXPECT_EQ(cluster[1].state().ring_id, ring) << "there was a majority";
  EXPECT_TRUE(cluster[4].stopped.has_value());
}

TEST(MembershipForce, WithoutAMajorityTheSurvivorsAreARingOfTheirOwn) {
  Cluster cluster;
  MakeRing(cluster, 5);
  const uint64_t ring = cluster[1].state().ring_id;
  for (const NodeId id : {3, 4, 5}) cluster.Lose(id);
  cluster.Remove(1, 1, {3, 4, 5}, true);
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 1, 1)) << ErrorOf(cluster, 1, 1);
  cluster.Run(100);
  EXPECT_TRUE(cluster.OneRing({1, 2}));
  EXPECT_NE(cluster[2].state().ring_id, ring);
  EXPECT_EQ(cluster[2].state().parent_ring_id, ring);
  cluster.Flush(2, 2, std::nullopt);  // it decides again
  cluster.Run(200);
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 2, 2));
}

TEST(MembershipForce, ASurvivorThatMissedItFindsOut) {
  Cluster cluster;
  MakeRing(cluster, 5);
  for (const NodeId id : {3, 4, 5}) cluster.Lose(id);
  cluster.Cut(1, 2);
  cluster.Remove(1, 1, {3, 4, 5}, true);
  cluster.Run(5'000);
  EXPECT_FALSE(cluster.OneRing({1, 2}));
  cluster.Heal();
  cluster.Run(5'000);
  EXPECT_TRUE(cluster.OneRing({1, 2}));
}

// A minority forces itself into a ring of its own, and the others remove it meanwhile.
TEST(MembershipForce, AMajorityThatRemovedThemDoesNotFollow) {
  Cluster cluster;
  MakeRing(cluster, 3);
  const uint64_t ring = cluster[1].state().ring_id;
  const auto notice = [&](bool alive) {
    for (const NodeId id : {2, 3}) {
      cluster.Notice(1, id, alive);
      cluster.Notice(id, 1, alive);
    }
  };
  cluster.Cut(1, 2);
  cluster.Cut(1, 3);
  notice(false);
  cluster.Remove(1, 1, {2, 3}, true);
  cluster.Run(3'000);
  for (uint64_t op = 2; op < 8; ++op) {
    cluster.Flush(1, op, std::nullopt);
    cluster.Run(500);
  }
  cluster.Remove(2, 1, {1});
  cluster.Run(5'000);
  ASSERT_TRUE(cluster.OneRing({2, 3}));
  ASSERT_GT(cluster[1].state().epoch, cluster[2].state().epoch);
  ASSERT_EQ(cluster[1].state().parent_ring_id, ring);
  cluster.Heal();
  notice(true);
  // What a client asks of node 1 for keys, and its pings, name its epoch.
  for (const NodeId id : {2, 3}) {
    cluster.Call(id, [&](Membership* m, Effects* effects) {
      m->SawEpoch(cluster.now(), 1, cluster[1].state().epoch, effects);
    });
  }
  cluster.Run(20'000);
  for (const NodeId id : {2, 3}) {
    EXPECT_FALSE(cluster[id].stopped.has_value());
    EXPECT_EQ(cluster[id].state().ring_id, ring);
  }
}

TEST(MembershipForce, EverybodyWhoIsSilentMustBeNamed) {
  Cluster cluster;
  MakeRing(cluster, 5);
  for (const NodeId id : {3, 4, 5}) cluster.Lose(id);
  cluster.Remove(1, 1, {3, 4}, true);
  EXPECT_NE(ErrorOf(cluster, 1, 1).find(FormatNodeId(5) + " does not answer either"),
            std::string::npos);
  cluster.Run(1'000);
  EXPECT_EQ(cluster[1].state().members.size(), 5U);
}

TEST(MembershipForce, WhoWasRemovedWhileDownIsNotMissed) {
  Cluster cluster;
  MakeRing(cluster, 5);
  const uint64_t ring = cluster[1].state().ring_id;
  for (const NodeId id : {4, 5}) {
    cluster.Lose(id);
    cluster.Remove(1, id, {id});
    cluster.Run(700);
    ASSERT_TRUE(AnsweredWith<Done>(cluster, 1, id)) << ErrorOf(cluster, 1, id);
  }
  ASSERT_TRUE(cluster.OneRing({1, 2, 3}));
  cluster.Lose(3);
  cluster.Remove(1, 3, {3}, true);
  cluster.Run(200);
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 1, 3)) << ErrorOf(cluster, 1, 3);
  EXPECT_EQ(cluster[1].state().ring_id, ring) << "two of three are a majority";
}

TEST(MembershipForce, WhoWasGivenUpAndComesBackIsToldAndStops) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed);
    MakeRing(cluster, 3);
    for (const NodeId id : {2, 3}) cluster.Lose(id);
    cluster.Remove(1, 1, {2, 3}, true);
    ASSERT_TRUE(AnsweredWith<Done>(cluster, 1, 1));
    for (const NodeId id : {2, 3}) cluster.Boot(id);
    cluster.Run(10'000);
    for (const NodeId id : {2, 3}) EXPECT_TRUE(cluster[id].stopped.has_value()) << id;
    EXPECT_TRUE(cluster.OneRing({1})) << seed;
  }
}

// --- REPLACE ---

TEST(MembershipReplace, AFreshNodeTakesThePlaceOfOneThatIsDown) {
  for (const bool at_start : {false, true}) {
    Cluster cluster;
    MakeRing(cluster, 4);
    cluster.Lose(4);
    Cluster::Node& fresh =
        cluster.Add(9, at_start ? std::vector<NodeId>{1, 2} : std::vector<NodeId>());
    fresh.options.self.bus_port = Cluster::AddressOf(4).port;  // the same machine
    if (at_start) fresh.options.replaces = 4;
    cluster.Boot(9);
    if (!at_start) cluster.Join(9, 1, Cluster::AddressOf(1), 4);
    cluster.Run(5'000);
    if (!at_start) {
      EXPECT_TRUE(AnsweredWith<Done>(cluster, 9, 1)) << ErrorOf(cluster, 9, 1);
    }
    EXPECT_TRUE(cluster.OneRing({1, 2, 3, 9}));
    EXPECT_TRUE(cluster[1].state().WasRemoved(4));
    EXPECT_EQ(StatusOf(cluster, 1, 9), MemberStatus::kJoining);
  }
}

TEST(MembershipReplace, OfWhoIsStillHeardIsRefused) {
  Cluster cluster;
  MakeRing(cluster, 4);
  cluster.Add(9, {});
  cluster.Boot(9);
  cluster.Notice(1, 4, false);
  cluster.Join(9, 1, Cluster::AddressOf(1), 4);
  cluster.Run(3'000);
  EXPECT_NE(ErrorOf(cluster, 9, 1).find("still heard by node"), std::string::npos);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3, 4}));
  cluster.Join(9, 2, Cluster::AddressOf(1), 77);
  cluster.Run(3'000);
  EXPECT_NE(ErrorOf(cluster, 9, 2).find("not a member"), std::string::npos);
}

}  // namespace
}  // namespace cartwheel
