#include "cluster/scrub.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/cluster/rotting_engine.h"

namespace cartwheel {
namespace {

constexpr int64_t kWall = 1'700'000'000'000;

class ScrubTest : public testing::Test {
 protected:
  static KeyRef Ref(const std::string& key, NodeId hint_for = 0) {
    return {PositionOf(0, key, Partitioner::kSlot), 0, key, hint_for};
  }
  void Set(const std::string& key, NodeId hint_for) { Set(key, "bytes", hint_for); }
  void Set(const std::string& key, std::string bytes = "bytes", NodeId hint_for = 0) {
    NewVersion version{.operation = ++operation_,
                       .context = {},
                       .plain = true,
                       .kind = Kind::kValue,
                       .expires_at_ms = 0,
                       .bytes = std::move(bytes)};
    ASSERT_TRUE(replica_.Mint(Ref(key, hint_for), std::move(version), {kWall, 0}).has_value());
  }
  // One slice; false when the round is over.
  bool Slice() {
    const int64_t now_us = scrub_.NextDeadline();
    scrub_.Tick({now_us, kWall}, &effects_);
    return scrub_.NextDeadline() == now_us + Scrub::kSlicePauseUs;
  }
  int Round() {
    int slices = 1;
    while (Slice()) ++slices;
    return slices;
  }

  RottingEngine engine_;
  HybridClock clock_;
  StatusCounters counters_;
  Replica replica_{7, &engine_, &clock_, Births(0, kWall), {}, &counters_};
  Scrub scrub_{&replica_, &counters_};
  Effects effects_;
  uint64_t operation_ = 0;
};

TEST_F(ScrubTest, FindsNothingInWhatIsWhole) {
  for (int i = 0; i < 3000; ++i) Set("k" + std::to_string(i));
  EXPECT_GE(Round(), static_cast<int>(kSlotCount / Scrub::kSliceSlots));
  EXPECT_EQ(counters_.scrub_records, 3000U);
  Round();
  EXPECT_EQ(counters_.scrub_records, 6000U);
  EXPECT_EQ(counters_.scrub_rot_found, 0U);
  EXPECT_EQ(counters_.leaf_sums_mended, 0U);
  EXPECT_TRUE(effects_.log.empty());
}

TEST_F(ScrubTest, SetsDamagedRecordsAside) {
  for (int i = 0; i < 100; ++i) Set("k" + std::to_string(i));
  engine_.Rot(Ref("k17").position);
  engine_.Rot(Ref("k71").position);
  Round();
  EXPECT_EQ(counters_.scrub_rot_found, 2U);
  EXPECT_EQ(counters_.records_set_aside, 2U);
  EXPECT_EQ(counters_.leaf_sums_mended, 0U);
  EXPECT_EQ(replica_.TakeSetAside().size(), 2U);
  EXPECT_EQ(engine_.stats().records, 98U);
}

TEST_F(ScrubTest, LooksAtHintsAsWellWhichHaveNoSums) {
  Set("own");
  for (int i = 0; i < 2000; ++i) Set("k" + std::to_string(i), 9);
  ASSERT_EQ(replica_.hints().records(), 2000U);
  engine_.Rot(Ref("k17", 9).place());
  engine_.Rot(Ref("k71", 9).place());
  Round();
  EXPECT_EQ(counters_.scrub_records, 2001U);
  EXPECT_EQ(counters_.scrub_rot_found, 2U);
  EXPECT_EQ(counters_.leaf_sums_mended, 0U);
  EXPECT_EQ(replica_.TakeSetAside().size(), 2U);
  EXPECT_EQ(replica_.hints().records(), 1998U);
  EXPECT_EQ(counters_.hints_pending, 1998U);
  // Nobody repairs it: it is not missed either.
  StoredVersion version;
  EXPECT_TRUE(replica_.Load(Ref("k17", 9), &version).has_value());
  EXPECT_EQ(version.hash, 0U);
  Round();
  EXPECT_EQ(counters_.scrub_records, 4000U);
  EXPECT_EQ(counters_.scrub_rot_found, 2U);
}

// The checksum holds, but the record is not that of the place it stands at.
TEST_F(ScrubTest, FindsARecordThatIsNotWhereItBelongs) {
  Set("a");
  const std::string image((*engine_.Get(Ref("a").position))->image);
  engine_.Put(Ref("b").position, image);
  Round();
  EXPECT_EQ(counters_.scrub_rot_found, 1U);
  EXPECT_EQ(replica_.TakeSetAside(), std::vector<Position>{Ref("b").position});
}

TEST_F(ScrubTest, MendsWrongSumsOfLeavesWithAndWithoutRecords) {
  Set("k");
  const uint32_t held = Ref("k").position.leaf();
  const uint64_t sum = engine_.LeafSum(held);
  engine_.SpoilSum(held);
  engine_.SpoilSum(0);
  engine_.SpoilSum(kLeafCount - 1);
  Round();
  EXPECT_EQ(counters_.leaf_sums_mended, 3U);
  EXPECT_EQ(effects_.log.size(), 3U);
  EXPECT_EQ(engine_.LeafSum(held), sum);
  EXPECT_EQ(engine_.LeafSum(0), 0U);
  Round();
  EXPECT_EQ(counters_.leaf_sums_mended, 3U);
}

TEST_F(ScrubTest, TakesALargeSlotInSlicesAndDoesNotJudgeWhatChangedMeanwhile) {
  for (int i = 0; i < 3000; ++i) Set("{tag}" + std::to_string(i));
  do {
    for (int i = 0; i < 3000; i += 7) Set("{tag}" + std::to_string(i), "newer");
  } while (Slice());
  EXPECT_EQ(counters_.scrub_records, 3000U);
  EXPECT_EQ(counters_.scrub_rot_found, 0U);
  EXPECT_EQ(counters_.leaf_sums_mended, 0U);
  const uint16_t slot = Ref("{tag}").position.slot;
  for (uint32_t bucket = 0; bucket < kBucketsPerSlot; ++bucket) {
    engine_.SpoilSum(slot * kBucketsPerSlot + bucket);
  }
  Round();
  // What the first slice found wrong had the whole slot recounted.
  EXPECT_GE(counters_.leaf_sums_mended, 1U);
  EXPECT_LT(counters_.leaf_sums_mended, kBucketsPerSlot);
  const uint64_t mended = counters_.leaf_sums_mended;
  Round();
  EXPECT_EQ(counters_.leaf_sums_mended, mended);
}

TEST_F(ScrubTest, BoundsASliceInBytes) {
  for (int i = 0; i < 10; ++i) Set("{tag}" + std::to_string(i), std::string(400'000, 'x'));
  uint64_t before = 0;
  do {
    EXPECT_LE(counters_.scrub_records - before, 3U);
    before = counters_.scrub_records;
  } while (Slice());
  EXPECT_EQ(counters_.scrub_records, 10U);
}

TEST_F(ScrubTest, GoesOnBehindASlotThatCannotBeRead) {
  for (int i = 0; i < 1000; ++i) Set("k" + std::to_string(i));
  engine_.unreadable_slot = Ref("k5").position.slot;
  Round();
  EXPECT_EQ(effects_.log.size(), 1U);
  EXPECT_LT(counters_.scrub_records, 1000U);
  EXPECT_GT(counters_.scrub_records, 990U);
  EXPECT_EQ(counters_.leaf_sums_mended, 0U);
  EXPECT_EQ(counters_.scrub_rot_found, 0U);
}

}  // namespace
}  // namespace cartwheel
