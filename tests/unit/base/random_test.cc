#include "base/random.h"

#include <gtest/gtest.h>

#include <array>

namespace cartwheel {
namespace {

// The reference values of SplitMix64 for the seed 0.
TEST(Random, IsSplitMix64) {
  Random random(0);
  EXPECT_EQ(random.Next(), 0xe220a8397b1dcdafu);
  EXPECT_EQ(random.Next(), 0x6e789e6aa1b965f4u);
}

TEST(Random, TheSameSeedGivesTheSameRun) {
  Random a(42);
  Random b(42);
  Random c(43);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t value = a.Next();
    EXPECT_EQ(value, b.Next());
    differs = differs || value != c.Next();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, BelowIsUniformAndStaysBelow) {
  Random random(1);
  std::array<int, 7> seen{};
  for (int i = 0; i < 70000; ++i) {
    const uint64_t value = random.Below(7);
    ASSERT_LT(value, 7u);
    ++seen[value];
  }
  for (const int count : seen) {
    EXPECT_GT(count, 9500);
    EXPECT_LT(count, 10500);
  }
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.Below(1), 0u);
}

TEST(Random, ChanceHappensAsOftenAsItSays) {
  Random random(2);
  int hits = 0;
  for (int i = 0; i < 40000; ++i) {
    hits += random.Chance(1, 4) ? 1 : 0;
    ASSERT_TRUE(random.Chance(3, 3));
    ASSERT_FALSE(random.Chance(0, 3));
  }
  EXPECT_GT(hits, 9500);
  EXPECT_LT(hits, 10500);
}

TEST(RandomDeathTest, BelowNothingIsABug) {
  Random random(3);
  EXPECT_DEATH(random.Below(0), "bound > 0");
}

}  // namespace
}  // namespace cartwheel
