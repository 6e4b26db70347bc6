#include "server/latency_events.h"

#include <gtest/gtest.h>

namespace cartwheel {
namespace {

TEST(LatencyEventsTest, OfOneSecondTheLongestIsKept) {
  LatencyEvents events;
  events.Add("command", 100, 5);
  events.Add("command", 100, 9);
  events.Add("command", 100, 7);
  events.Add("command", 101, 6);
  const LatencyEvent* const event = events.Find("command");
  ASSERT_NE(event, nullptr);
  ASSERT_EQ(event->samples.size(), 2u);
  EXPECT_EQ(event->samples[0].ms, 9);
  EXPECT_EQ(event->samples[1].ms, 6);
  EXPECT_EQ(event->most_ms, 9);
  EXPECT_EQ(events.Find("fast-command"), nullptr);
}

TEST(LatencyEventsTest, SamplesAreBoundedAndTheLongestEverIsRemembered) {
  LatencyEvents events;
  events.Add("command", 0, 1000);
  for (int64_t second = 1; second <= 1000; ++second) events.Add("command", second, 1);
  const LatencyEvent* const event = events.Find("command");
  EXPECT_EQ(event->samples.size(), LatencyEvent::kMostSamples);
  EXPECT_EQ(event->samples.back().wall_s, 1000);
  EXPECT_EQ(event->most_ms, 1000);
}

TEST(LatencyEventsTest, ClearingCountsWhatWasThere) {
  LatencyEvents events;
  events.Add("command", 1, 1);
  events.Add("fast-command", 1, 1);
  EXPECT_EQ(events.Clear("nothing"), 0u);
  EXPECT_EQ(events.Clear("command"), 1u);
  EXPECT_EQ(events.Clear(), 1u);
  EXPECT_EQ(events.Clear(), 0u);
}

}  // namespace
}  // namespace cartwheel
