#include <gtest/gtest.h>

#include "cluster/liveness.h"
#include "cluster/read_op.h"
#include "cluster/write_op.h"

namespace cartwheel {
namespace {

const Position kPosition = PositionOf(0, "k", Partitioner::kSlot);

Object Version(uint64_t node, uint64_t counter, const CausalContext& given = {}) {
  return DeltaOf(given, {.dot = {{node, 1}, counter},
                         .time = counter,
                         .operation = node * 100 + counter,
                         .bytes = std::to_string(counter)});
}

uint64_t HashOf(const Object& object) { return VersionHash(kPosition, object); }

TEST(ReadOpTest, IsEnoughWithRAnswersWhateverTheySay) {
  ReadOp op;
  op.Begin(kPosition, 2, 2);
  op.Add({1, 0, false, false}, Object());
  EXPECT_FALSE(op.Enough());
  op.Add({2, 0, false, false}, Object());
  EXPECT_TRUE(op.Enough());
  EXPECT_EQ(op.merged_hash(), 0U);
}

TEST(ReadOpTest, MergesConcurrentAnswers) {
  ReadOp op;
  op.Begin(kPosition, 2, 2);
  const Object a = Version(1, 1);
  const Object b = Version(2, 1);
  op.Add({1, HashOf(a), false, false}, Object(a));
  op.Add({2, HashOf(b), false, false}, Object(b));
  EXPECT_EQ(op.merged().siblings.size(), 2U);
  EXPECT_EQ(op.merged_hash(), HashOf(op.merged()));
  for (const ReadOp::Replied& replied : op.replied()) EXPECT_NE(replied.hash, op.merged_hash());
}

TEST(ReadOpTest, ANewerAnswerReplacesWhatItCovers) {
  ReadOp op;
  op.Begin(kPosition, 2, 2);
  const Object old = Version(1, 1);
  const Object fresh = Version(1, 2, old.context);
  op.Add({1, HashOf(fresh), false, false}, Object(fresh));
  op.Add({2, HashOf(old), false, false}, Object(old));
  EXPECT_EQ(op.merged(), fresh);
  EXPECT_EQ(op.merged_hash(), HashOf(fresh));
}

TEST(ReadOpTest, WhoIsBehindCountsOnlyForWantOfOthers) {
  ReadOp op;
  op.Begin(kPosition, 2, 2);
  op.Add({1, 0, false, true}, Object());
  op.Add({2, 0, false, false}, Object());
  EXPECT_FALSE(op.Enough());
  EXPECT_TRUE(op.CountBehind());
  EXPECT_TRUE(op.Enough());
  EXPECT_FALSE(op.AllReplicas());
}

TEST(ReadOpTest, SameCountsAsAnAnswer) {
  ReadOp op;
  op.Begin(kPosition, 2, 2);
  const Object a = Version(1, 1);
  op.Add({1, HashOf(a), false, false}, Object(a));
  op.AddSame({2, HashOf(a), false, false});
  EXPECT_TRUE(op.Enough());
  EXPECT_TRUE(op.HasReplied(2));
  EXPECT_FALSE(op.HasReplied(3));
}

TEST(WriteOpTest, CountsDistinctNodes) {
  WriteOp op;
  op.Begin(2);
  op.Stored(1);
  op.Stored(1);
  EXPECT_EQ(op.answered(), 1);
  op.Stored(2);
  EXPECT_EQ(op.answered(), 2);
  EXPECT_TRUE(op.HasStored(2));
  EXPECT_FALSE(op.HasStored(3));
}

TEST(WriteOpTest, CountsOfEachSetOfReplicasWhoIsInIt) {
  WriteOp op;
  op.Begin(2);
  const NodeId serving[] = {1, 2, 3};
  const NodeId target[] = {2, 3, 4};
  op.Stored(1);
  op.Stored(2);
  EXPECT_EQ(op.CountOf(serving), 2);
  EXPECT_EQ(op.CountOf(target), 1);
  op.Stored(4);
  EXPECT_EQ(op.CountOf(serving), 2);
  EXPECT_EQ(op.CountOf(target), 2);
  EXPECT_EQ(op.CountOf(target, 4), 1);
  EXPECT_EQ(op.ReplicasOf(target), 2);
}

TEST(WriteOpTest, AFallbackCountsForTheSetOfWhomItStandsInFor) {
  WriteOp op;
  op.Begin(2);
  const NodeId serving[] = {1, 2, 3};
  const NodeId target[] = {2, 3, 4};
  op.Stored(9, 1);
  EXPECT_TRUE(op.HasFallbackFor(1));
  EXPECT_FALSE(op.HasFallbackFor(4));
  EXPECT_EQ(op.CountOf(serving), 1);
  EXPECT_EQ(op.CountOf(target), 0);
  EXPECT_EQ(op.ReplicasOf(serving), 0);
}

class LivenessTest : public testing::Test {
 protected:
  LivenessTest() {
    std::vector<Member> members(2);
    members[0].id = 1;
    members[1].id = 2;
    liveness_.SetMembers(members, 0);
  }
  Liveness liveness_{1, 3000};
};

TEST_F(LivenessTest, AStrangerIsNotAliveAndOneselfAlwaysIs) {
  EXPECT_TRUE(liveness_.IsAlive(1));
  EXPECT_TRUE(liveness_.IsAlive(2));
  EXPECT_FALSE(liveness_.IsAlive(3));
}

TEST_F(LivenessTest, SilenceForNodeTimeoutIsDeathAndAnyWordIsLife) {
  liveness_.Expire(3000);
  EXPECT_TRUE(liveness_.IsAlive(2));
  liveness_.Expire(3001);
  EXPECT_FALSE(liveness_.IsAlive(2));
  liveness_.Heard(2, 3002);
  EXPECT_TRUE(liveness_.IsAlive(2));
}

TEST_F(LivenessTest, OnlyAnAnswerClearsASuspicion) {
  liveness_.Suspect(2);
  EXPECT_FALSE(liveness_.IsAlive(2));
  liveness_.Heard(2, 10);
  EXPECT_FALSE(liveness_.IsAlive(2));
  liveness_.Answered(2, 20);
  EXPECT_TRUE(liveness_.IsAlive(2));
}

TEST_F(LivenessTest, SuspectsAndTheSilentAreProbedNotTooOften) {
  EXPECT_TRUE(liveness_.ToProbe(999).empty());
  EXPECT_EQ(liveness_.ToProbe(1000), std::vector<NodeId>{2});
  EXPECT_TRUE(liveness_.ToProbe(1100).empty());
  liveness_.Answered(2, 1200);
  EXPECT_TRUE(liveness_.ToProbe(1900).empty());
  liveness_.Suspect(2);
  EXPECT_EQ(liveness_.ToProbe(1901), std::vector<NodeId>{2});
}

TEST_F(LivenessTest, OurOwnPauseIsNobodysSilence) {
  liveness_.Forgive(60000);
  liveness_.Expire(60000);
  EXPECT_TRUE(liveness_.IsAlive(2));
}

TEST_F(LivenessTest, TransitionsAreToldOnce) {
  EXPECT_TRUE(liveness_.TakeTransitions().empty());
  liveness_.Suspect(2);
  const auto transitions = liveness_.TakeTransitions();
  ASSERT_EQ(transitions.size(), 1U);
  EXPECT_EQ(transitions[0].id, 2U);
  EXPECT_FALSE(transitions[0].alive);
  EXPECT_TRUE(liveness_.TakeTransitions().empty());
}

}  // namespace
}  // namespace cartwheel
