#include "tests/simulation/sim_engine.h"

#include <gtest/gtest.h>

#include "storage/record.h"

namespace cartwheel::sim {
namespace {

struct Written {
  Position position;
  std::string image;
};

Written RecordOf(std::string_view key, uint64_t counter) {
  const Position position = PositionOf(0, key, Partitioner::kSlot);
  Sibling sibling;
  sibling.dot = {{1, 7}, counter};
  sibling.bytes = "v" + std::to_string(counter);
  return {position, EncodeRecord(position, 0, key, DeltaOf({}, sibling), 0)};
}

std::string At(SimEngine* engine, const Position& position) {
  const auto found = engine->Get(position);
  return found.value() ? std::string((*found)->image) : "";
}

TEST(SimEngineTest, ACrashKeepsWhatWasFlushedAndNoMore) {
  SimEngine engine(SyncPolicy::kEverySecond);
  const Written one = RecordOf("k", 1);
  const Written two = RecordOf("k", 2);
  engine.Put(one.position, one.image);
  ASSERT_TRUE(engine.Flush());
  engine.Put(two.position, two.image);
  engine.Crash(Loss::kNothing);
  EXPECT_EQ(At(&engine, one.position), one.image);
  EXPECT_EQ(engine.sequences().applied, 0U);
  EXPECT_EQ(engine.Get(one.position).value()->sequence, 0U);
}

TEST(SimEngineTest, ALostTailGoesBackToTheLastSync) {
  SimEngine engine(SyncPolicy::kAlways);
  const Written one = RecordOf("k", 1);
  const Written two = RecordOf("k", 2);
  const Written other = RecordOf("other", 1);
  engine.MarkSynced(0);
  const uint64_t first = engine.Put(one.position, one.image);
  ASSERT_TRUE(engine.Flush());
  EXPECT_EQ(engine.sequences().stored, 0U);
  engine.MarkSynced(first);
  EXPECT_EQ(engine.sequences().stored, first);
  engine.Put(two.position, two.image);
  engine.Put(other.position, other.image);
  engine.Drop(one.position);
  ASSERT_TRUE(engine.Flush());
  const uint64_t sum_before = engine.LeafSum(one.position.leaf());
  engine.Crash(Loss::kTail);
  EXPECT_EQ(At(&engine, one.position), one.image);
  EXPECT_EQ(At(&engine, other.position), "");
  EXPECT_NE(engine.LeafSum(one.position.leaf()), sum_before);
  EXPECT_EQ(engine.LeafSum(other.position.leaf()), 0U);
}

TEST(SimEngineTest, WhatIsOnDiskIsWhatALostTailLeaves) {
  SimEngine engine(SyncPolicy::kEverySecond);
  const Written one = RecordOf("k", 1);
  const Written two = RecordOf("k", 2);
  EXPECT_EQ(engine.OnDisk(one.position), "");
  const uint64_t first = engine.Put(one.position, one.image);
  ASSERT_TRUE(engine.Flush());
  EXPECT_EQ(engine.OnDisk(one.position), "");
  engine.MarkSynced(first);
  engine.Put(two.position, two.image);
  const uint64_t last = engine.Drop(two.position);
  ASSERT_TRUE(engine.Flush());
  EXPECT_EQ(engine.Written(one.position), "");
  EXPECT_EQ(engine.OnDisk(one.position), one.image);
  engine.MarkSynced(last);
  EXPECT_EQ(engine.OnDisk(one.position), "");
}

TEST(SimEngineTest, AFlippedRecordIsDamagedUntilItIsDroppedAndComesBackWithALostTail) {
  SimEngine engine(SyncPolicy::kAlways);
  const Written one = RecordOf("k", 1);
  const Written two = RecordOf("k", 2);
  EXPECT_FALSE(engine.Flip(5));
  const uint64_t first = engine.Put(one.position, one.image);
  EXPECT_FALSE(engine.Flip(5)) << "it is not on the disk yet";
  ASSERT_TRUE(engine.Flush());
  engine.MarkSynced(first);
  const uint64_t sum = engine.LeafSum(one.position.leaf());
  ASSERT_TRUE(engine.Flip(5));
  EXPECT_FALSE(engine.Flip(5)) << "there is no other";
  EXPECT_TRUE(engine.Get(one.position).value()->damaged);
  EXPECT_NE(At(&engine, one.position), one.image);
  engine.Put(two.position, two.image);
  EXPECT_FALSE(engine.Get(one.position).value()->damaged);
  engine.Drop(two.position);
  EXPECT_EQ(engine.LeafSum(one.position.leaf()), 0U);
  engine.Crash(Loss::kTail);
  EXPECT_TRUE(engine.Get(one.position).value()->damaged);
  EXPECT_EQ(engine.LeafSum(one.position.leaf()), sum);
}

TEST(SimEngineTest, AWipedDiskHasNothingAndSaysWhichHintsWentWithIt) {
  SimEngine engine(SyncPolicy::kEverySecond);
  const Written one = RecordOf("k", 1);
  const Position hint = HintPosition(7, one.position);
  engine.Put(one.position, one.image);
  engine.MarkSynced(0);
  engine.Put(hint, one.image);
  ASSERT_TRUE(engine.Flush());
  EXPECT_TRUE(engine.Crash(Loss::kNothing).empty());
  EXPECT_EQ(engine.hints(), 1U);
  EXPECT_EQ(engine.Crash(Loss::kAll), std::vector<std::string>{one.image});
  EXPECT_EQ(engine.hints(), 0U);
  EXPECT_EQ(At(&engine, one.position), "");
  EXPECT_EQ(engine.LeafSum(one.position.leaf()), 0U);
}

TEST(SimEngineTest, LeafSumsAndCountsFollowEveryWrite) {
  SimEngine engine(SyncPolicy::kEverySecond);
  const Written one = RecordOf("k", 1);
  engine.Put(one.position, one.image);
  EXPECT_EQ(engine.LeafSum(one.position.leaf()), ParseRecord(one.image)->version_hash);
  EXPECT_EQ(engine.SumOfLeaves(0, kLeafCount), ParseRecord(one.image)->version_hash);
  EXPECT_EQ(engine.SumOfLeaves(0, one.position.leaf()), 0U);
  EXPECT_EQ(engine.ValueCount(0, one.position.slot), 1U);
  engine.Drop(one.position);
  EXPECT_EQ(engine.LeafSum(one.position.leaf()), 0U);
  EXPECT_EQ(engine.ValueCount(0, one.position.slot), 0U);
}

}  // namespace
}  // namespace cartwheel::sim
