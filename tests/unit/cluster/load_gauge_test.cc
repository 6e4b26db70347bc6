#include "cluster/load_gauge.h"

#include <gtest/gtest.h>

namespace cartwheel {
namespace {

// A second of operations that take so long, but for one in fifty.
void Second(LoadGauge* gauge, int64_t* now_us, int64_t usual_us, int64_t slow_us, bool work) {
  for (int i = 0; i < 100; ++i) {
    *now_us += 10'000;
    gauge->Note(i % 50 == 0 ? slow_us : usual_us, *now_us);
    if (work) gauge->Work(*now_us);
  }
}

TEST(LoadGauge, TellsThe99thPercentileOfTheLastSecond) {
  LoadGauge gauge;
  int64_t now_us = 1;
  Second(&gauge, &now_us, 100, 4000, false);
  Second(&gauge, &now_us, 100, 4000, false);
  EXPECT_GE(gauge.last_p99_us(), 4000);
  EXPECT_LE(gauge.last_p99_us(), 5000);
}

TEST(LoadGauge, IsCalmWhileNobodyWaitsAndWithoutClients) {
  LoadGauge gauge;
  EXPECT_TRUE(gauge.IsCalm(0));
  EXPECT_FALSE(gauge.IsBusy(0));
  int64_t now_us = 1;
  for (int i = 0; i < 3; ++i) Second(&gauge, &now_us, 100, 800, false);
  EXPECT_TRUE(gauge.IsCalm(now_us));
  EXPECT_TRUE(gauge.IsBusy(now_us));
  // Half as much again is too much, whether a move caused it or not.
  for (int i = 0; i < 2; ++i) Second(&gauge, &now_us, 100, 2500, true);
  EXPECT_FALSE(gauge.IsCalm(now_us));
  // Clients who went away wait for nothing.
  EXPECT_TRUE(gauge.IsCalm(now_us + 3'000'000));
  EXPECT_FALSE(gauge.IsBusy(now_us + 3'000'000));
}

TEST(LoadGauge, SlowsDownWithinATenthOfASecond) {
  LoadGauge gauge;
  int64_t now_us = 1;
  for (int i = 0; i < 3; ++i) Second(&gauge, &now_us, 100, 800, false);
  for (int i = 0; i < 6; ++i) Second(&gauge, &now_us, 100, 800, true);
  ASSERT_TRUE(gauge.IsCalm(now_us));
  const uint64_t before = gauge.CostOf(100, now_us);
  for (int i = 0; i < 10; ++i) gauge.Note(9000, now_us += 10'000);
  gauge.Work(now_us += 1000);
  EXPECT_FALSE(gauge.IsCalm(now_us));
  EXPECT_GE(gauge.CostOf(100, now_us), 4 * before);
  // A trickle goes on.
  EXPECT_FALSE(gauge.Admits(now_us + 100'000));
  EXPECT_TRUE(gauge.Admits(now_us + 200'000));
}

TEST(LoadGauge, WhatIsUsualIsLearntWithoutBackgroundWorkOnly) {
  LoadGauge gauge;
  int64_t now_us = 1;
  for (int i = 0; i < 3; ++i) Second(&gauge, &now_us, 100, 1000, false);
  const int64_t bound_us = gauge.BoundUs();
  for (int i = 0; i < 9; ++i) Second(&gauge, &now_us, 100, 1200, true);
  ASSERT_TRUE(gauge.IsCalm(now_us));
  EXPECT_EQ(gauge.BoundUs(), bound_us);
  for (int i = 0; i < 40; ++i) Second(&gauge, &now_us, 100, 9000, false);
  EXPECT_GT(gauge.BoundUs(), 9000);
}

// The load has changed since the work began: it is not the work that clients wait for.
TEST(LoadGauge, WhoIsSlowForOtherReasonsHoldsNothingUpForLong) {
  LoadGauge gauge;
  int64_t now_us = 1;
  for (int i = 0; i < 3; ++i) Second(&gauge, &now_us, 100, 500, false);
  for (int i = 0; i < 3; ++i) Second(&gauge, &now_us, 100, 500, true);
  int worked = 0;
  for (int tenth = 0; tenth < 100; ++tenth) {
    for (int i = 0; i < 10; ++i) gauge.Note(50'000, now_us += 10'000);
    if (!gauge.Admits(now_us)) continue;
    gauge.Work(now_us);
    if (gauge.IsCalm(now_us)) ++worked;
  }
  EXPECT_GE(worked, 40) << "tenths of ten seconds";
}

TEST(LoadGauge, WorkBeginsSlowlyWhereThereAreClientsAndGoesUpWhileTheyDoNotNotice) {
  LoadGauge gauge;
  EXPECT_EQ(gauge.CostOf(1, 0), 1U);
  int64_t now_us = 1;
  for (int i = 0; i < 2; ++i) Second(&gauge, &now_us, 100, 800, false);
  EXPECT_EQ(gauge.CostOf(1, now_us), 64U);
  for (int i = 0; i < 10; ++i) Second(&gauge, &now_us, 100, 800, true);
  EXPECT_LE(gauge.CostOf(1, now_us), 2U);
  for (int i = 0; i < 3; ++i) Second(&gauge, &now_us, 100, 9000, true);
  EXPECT_GE(gauge.CostOf(1, now_us), 4U);
  EXPECT_EQ(gauge.CostOf(1, now_us + 3'000'000), 1U);
}

}  // namespace
}  // namespace cartwheel
