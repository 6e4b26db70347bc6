#include "cluster/expiry_sweep.h"

#include <gtest/gtest.h>

#include <string>

#include "storage/memory/memory_engine.h"

namespace cartwheel {
namespace {

constexpr int64_t kWall = 1'700'000'000'000;
constexpr int64_t kNever = INT64_MAX;

class ExpirySweepTest : public testing::Test {
 protected:
  void Set(const std::string& key, int64_t expires_at_ms) {
    const KeyRef ref{PositionOf(0, key, Partitioner::kSlot), 0, key};
    NewVersion version{.operation = ++operation_,
                       .context = {},
                       .plain = true,
                       .kind = Kind::kValue,
                       .expires_at_ms = expires_at_ms,
                       .bytes = "bytes"};
    ASSERT_TRUE(replica_.Mint(ref, std::move(version), {kWall, 0}).has_value());
  }
  uint64_t Values() const {
    uint64_t values = 0;
    for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
      values += engine_.ValueCount(0, static_cast<uint16_t>(slot));
    }
    return values;
  }
  // Ticks when they are due, until nothing is or the time is over.
  void RunUntil(int64_t ms) {
    while (sweep_.NextDeadline() <= ms * 1000) {
      now_us_ = std::max(now_us_, sweep_.NextDeadline());
      sweep_.Tick({now_us_, kWall + now_us_ / 1000}, &gone_);
    }
    now_us_ = ms * 1000;
  }

  MemoryEngine engine_;
  HybridClock clock_;
  StatusCounters counters_;
  Replica replica_{7, &engine_, &clock_, Births(0, kWall), {}, &counters_};
  ExpirySweep sweep_{&replica_};
  uint64_t operation_ = 0;
  std::vector<Key> gone_;
  int64_t now_us_ = 0;
};

TEST_F(ExpirySweepTest, IsIdleWhenNothingExpires) {
  Set("a", 0);
  RunUntil(10'000);
  EXPECT_EQ(sweep_.NextDeadline(), kNever);
  EXPECT_EQ(Values(), 1U);
}

TEST_F(ExpirySweepTest, EmptiesWhatIsOverWithinSecondsAndRestsThen) {
  for (int i = 0; i < 5000; ++i) Set("k" + std::to_string(i), i % 2 == 0 ? kWall + 3000 : 0);
  RunUntil(3'900);
  EXPECT_EQ(Values(), 5000U);
  EXPECT_NE(sweep_.NextDeadline(), kNever);
  RunUntil(7'000);
  EXPECT_EQ(Values(), 2500U);
  EXPECT_EQ(sweep_.NextDeadline(), kNever);
  Set("late", kWall + 8'000);
  EXPECT_NE(sweep_.NextDeadline(), kNever);
  RunUntil(12'000);
  EXPECT_EQ(Values(), 2500U);
  EXPECT_EQ(sweep_.NextDeadline(), kNever);
}

// Redis's users expect DBSIZE to fall within two seconds.
TEST_F(ExpirySweepTest, AFewAreEmptiedSoonAfterTheirGrace) {
  for (int i = 0; i < 3; ++i) Set("k" + std::to_string(i), kWall + 500);
  RunUntil(500 + ExpirySweep::kGraceMs - 1);
  EXPECT_EQ(Values(), 3U);
  RunUntil(500 + ExpirySweep::kGraceMs + 200);
  EXPECT_EQ(Values(), 0U);
}

}  // namespace
}  // namespace cartwheel
