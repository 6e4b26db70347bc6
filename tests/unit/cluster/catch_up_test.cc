#include "cluster/catch_up.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace cartwheel {
namespace {

constexpr std::array<NodeId, 3> kReplicas = {1, 2, 3};
constexpr size_t kW = 2;

Liveness AllAlive() {
  std::vector<Member> members(kReplicas.size());
  for (size_t i = 0; i < members.size(); ++i) members[i].id = kReplicas[i];
  Liveness liveness(1, 1'000'000);
  liveness.SetMembers(members, 0);
  return liveness;
}

TEST(CatchUpTest, AnswersCountOnceEnoughReplicasWereComparedWith) {
  CatchUp catch_up(1, true);
  EXPECT_TRUE(catch_up.IsBehind(kReplicas, kW));
  catch_up.OnCompared(9);  // not a replica of these
  catch_up.OnCompared(2);
  EXPECT_TRUE(catch_up.IsBehind(kReplicas, kW)) << "a write may be at 1 and 3 alone";
  catch_up.OnCompared(3);
  EXPECT_FALSE(catch_up.IsBehind(kReplicas, kW));
}

TEST(CatchUpTest, WithWOfNOneReplicaIsEnough) {
  CatchUp catch_up(1, true);
  catch_up.OnCompared(2);
  EXPECT_FALSE(catch_up.IsBehind(kReplicas, 3));
}

TEST(CatchUpTest, WhoeverLosesMoreComparesAnew) {
  CatchUp catch_up(1, false);
  catch_up.OnCompared(2);
  catch_up.OnCompared(3);
  EXPECT_TRUE(catch_up.TakeNews());
  EXPECT_FALSE(catch_up.TakeNews());
  catch_up.Lose();
  EXPECT_TRUE(catch_up.IsBehind(kReplicas, kW));
  catch_up.OnCompared(2);
  catch_up.OnCompared(3);
  EXPECT_TRUE(catch_up.TakeNews());
  EXPECT_FALSE(catch_up.IsBehind(kReplicas, kW));
}

TEST(CatchUpTest, WhoLostNothingIsNeverBehind) {
  EXPECT_FALSE(CatchUp(1, false).IsBehind(kReplicas, kW));
}

TEST(CatchUpTest, PlainWritesAreMintedOnceTheLiveReplicasWereComparedWith) {
  CatchUp catch_up(1, false);
  Liveness liveness = AllAlive();
  EXPECT_FALSE(catch_up.MintsPlain(kReplicas, kW, liveness));
  catch_up.OnCompared(2);
  EXPECT_FALSE(catch_up.MintsPlain(kReplicas, kW, liveness));
  liveness.Suspect(3);
  EXPECT_TRUE(catch_up.MintsPlain(kReplicas, kW, liveness));
  catch_up.OnCompared(3);
  EXPECT_TRUE(catch_up.MintsPlain(kReplicas, kW, AllAlive()));
}

TEST(CatchUpTest, ALonelyReplicaHasNobodyToCompareWith) {
  const std::array<NodeId, 1> alone = {1};
  CatchUp catch_up(1, true);
  EXPECT_FALSE(catch_up.IsBehind(alone, 1));
  EXPECT_TRUE(catch_up.MintsPlain(alone, 1, AllAlive()));
}

}  // namespace
}  // namespace cartwheel
