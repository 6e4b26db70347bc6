#include "server/latency_histogram.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cartwheel {
namespace {

TEST(LatencyHistogramTest, AnEmptyOneHasNothingToSay) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.total(), 0u);
  EXPECT_EQ(histogram.AtPercentile(50), 0u);
  EXPECT_TRUE(histogram.Steps().empty());
}

TEST(LatencyHistogramTest, AnyValueIsReadBackWithinOnePercent) {
  for (uint64_t ns = 1; ns < LatencyHistogram::kMostNs; ns = ns * 5 / 4 + 1) {
    LatencyHistogram histogram;
    histogram.Add(ns);
    const uint64_t read = histogram.AtPercentile(50);
    EXPECT_GE(read, ns);
    EXPECT_LE(static_cast<double>(read - ns), 0.01 * static_cast<double>(ns)) << ns;
  }
}

TEST(LatencyHistogramTest, WhatIsTooLongCountsAsTheLongest) {
  LatencyHistogram histogram;
  histogram.Add(UINT64_MAX);
  histogram.Add(LatencyHistogram::kMostNs + 1);
  EXPECT_EQ(histogram.total(), 2u);
  EXPECT_EQ(histogram.AtPercentile(100), LatencyHistogram::kMostNs);
  ASSERT_EQ(histogram.Steps().size(), 1u);
  EXPECT_EQ(histogram.Steps()[0].values, 2u);
}

TEST(LatencyHistogramTest, PercentilesAreThoseOfTheValues) {
  LatencyHistogram histogram;
  for (uint64_t us = 1; us <= 1000; ++us) histogram.Add(us * 1000);
  for (const double percentile : {1.0, 25.0, 50.0, 99.0, 100.0}) {
    const double expected = percentile * 10'000;
    EXPECT_NEAR(static_cast<double>(histogram.AtPercentile(percentile)), expected, 0.01 * expected);
  }
  EXPECT_NEAR(static_cast<double>(histogram.AtPercentile(0)), 1000, 10);
}

TEST(LatencyHistogramTest, StepsAddUpAndLeaveOutWhatAddsNothing) {
  LatencyHistogram histogram;
  for (const uint64_t us : {1, 3, 3, 100, 5000}) histogram.Add(us * 1000);
  const auto steps = histogram.Steps();
  ASSERT_EQ(steps.size(), 4u);
  EXPECT_EQ(steps[0].ns / 1000, 1u);
  EXPECT_EQ(steps[0].values, 1u);
  EXPECT_EQ(steps[1].ns / 1000, 4u);
  EXPECT_EQ(steps[1].values, 3u);
  EXPECT_EQ(steps[2].values, 4u);
  EXPECT_EQ(steps[3].values, 5u);
}

}  // namespace
}  // namespace cartwheel
