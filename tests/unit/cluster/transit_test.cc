#include "cluster/transit.h"

#include <gtest/gtest.h>

namespace cartwheel {
namespace {

constexpr int64_t kMs = 1000;
constexpr int64_t kSecond = 1'000'000;
constexpr NodeId kPeer = 7;

TEST(Transit, ClocksNeedNotAgree) {
  Transit transit;
  EXPECT_EQ(transit.Waited(kPeer, {1, 900 * kSecond}, 5 * kSecond), 0);
  EXPECT_EQ(transit.Waited(kPeer, {1, 901 * kSecond}, 6 * kSecond + 3 * kMs), 3 * kMs - 501);
  EXPECT_EQ(transit.Waited(kPeer, {1, 902 * kSecond}, 9 * kSecond), 2 * kSecond - 2 * kMs);
}

TEST(Transit, AFasterWayIsTheNewMeasure) {
  Transit transit;
  EXPECT_EQ(transit.Waited(kPeer, {1, 0}, 50 * kMs), 0);
  EXPECT_EQ(transit.Waited(kPeer, {1, 100 * kMs}, 101 * kMs), 0);
  EXPECT_EQ(transit.Waited(kPeer, {1, 200 * kMs}, 250 * kMs), 49 * kMs - 74);
}

TEST(Transit, ClocksMayDriftApart) {
  Transit transit;
  int64_t sent_us = 0;
  for (int64_t now_us = 0; now_us < 3600 * kSecond; now_us += kSecond) {
    // The sender's clock loses a tenth of a millisecond a second.
    EXPECT_LE(transit.Waited(kPeer, {1, sent_us}, now_us), 3 * kMs);
    sent_us += kSecond - kMs / 10;
  }
}

TEST(Transit, AQueueThatLastsIsNoFastWay) {
  Transit transit;
  EXPECT_EQ(transit.Waited(kPeer, {1, 0}, 0), 0);
  for (int64_t sent_us = kSecond; sent_us < 50 * kSecond; sent_us += kSecond) {
    EXPECT_GT(transit.Waited(kPeer, {1, sent_us}, sent_us + 5 * kSecond), 4 * kSecond);
  }
}

TEST(Transit, AClockThatStoodStillIsTrustedAgain) {
  Transit transit;
  EXPECT_EQ(transit.Waited(kPeer, {1, 0}, 0), 0);
  for (int64_t now_us = 100 * kSecond; now_us < 230 * kSecond; now_us += kSecond) {
    transit.Waited(kPeer, {1, now_us - 90 * kSecond}, now_us);
  }
  EXPECT_EQ(transit.Waited(kPeer, {1, 140 * kSecond}, 230 * kSecond), 0);
}

TEST(Transit, ARunThatIsOverIsTooOld) {
  Transit transit;
  EXPECT_EQ(transit.Waited(kPeer, {1, 5 * kSecond}, 100 * kSecond), 0);
  EXPECT_EQ(transit.Waited(kPeer, {2, 0}, 101 * kSecond), 0);
  EXPECT_EQ(transit.Waited(kPeer, {1, 6 * kSecond}, 102 * kSecond), Transit::kTooOld);
  EXPECT_EQ(transit.Waited(kPeer, {2, kSecond}, 102 * kSecond), 0);
}

TEST(Transit, ASmallerRunIsHeardAfterAWhile) {
  Transit transit;
  EXPECT_EQ(transit.Waited(kPeer, {9, 0}, 100 * kSecond), 0);
  EXPECT_EQ(transit.Waited(kPeer, {3, 0}, 109 * kSecond), Transit::kTooOld);
  EXPECT_EQ(transit.Waited(kPeer, {3, 0}, 110 * kSecond), 0);
  EXPECT_EQ(transit.Waited(kPeer, {3, kSecond}, 111 * kSecond), 0);
}

}  // namespace
}  // namespace cartwheel
