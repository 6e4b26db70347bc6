#include "cluster/rate_limit.h"

#include <gtest/gtest.h>

namespace cartwheel {
namespace {

constexpr int64_t kSecond = 1'000'000;

TEST(RateLimitTest, WhatIsTakenIsPaidForInTime) {
  RateLimit limit(1000);
  int64_t now_us = 10 * kSecond;
  EXPECT_TRUE(limit.Ready(now_us));
  limit.Take(5000, now_us);
  EXPECT_FALSE(limit.Ready(now_us + 4 * kSecond));
  now_us = limit.ready_us();
  EXPECT_EQ(now_us, 15 * kSecond - RateLimit::kBurstUs);
  EXPECT_TRUE(limit.Ready(now_us));
}

TEST(RateLimitTest, NoMoreThanABurstIsSaved) {
  RateLimit limit(1000);
  for (int64_t now_us = 0; now_us < 60 * kSecond; now_us += kSecond) limit.Take(1, now_us);
  uint64_t taken = 0;
  while (limit.Ready(60 * kSecond)) {
    limit.Take(10, 60 * kSecond);
    taken += 10;
  }
  EXPECT_LE(taken, 110U);
}

TEST(RateLimitTest, ZeroIsNoLimit) {
  RateLimit limit(0);
  limit.Take(UINT64_MAX, 5);
  EXPECT_TRUE(limit.Ready(5));
  limit.SetRate(1);
  limit.Take(UINT64_MAX, 5);
  EXPECT_FALSE(limit.Ready(1000 * kSecond));
  limit.SetRate(0);
  EXPECT_TRUE(limit.Ready(5));
}

}  // namespace
}  // namespace cartwheel
