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
  EXPECT_EQ(transit.Waited(kPeer, {1, 901 * kSecond}, 6 * kSecond + 3 * kMs), 3 * kMs);
  EXPECT_EQ(transit.Waited(kPeer, {1, 902 * kSecond}, 9 * kSecond), 2 * kSecond);
}

TEST(Transit, AFasterWayIsTheNewMeasure) {
  Transit transit;
  EXPECT_EQ(transit.Waited(kPeer, {1, 0}, 50 * kMs), 0);
  EXPECT_EQ(transit.Waited(kPeer, {1, 100 * kMs}, 101 * kMs), 0);
  EXPECT_EQ(transit.Waited(kPeer, {1, 200 * kMs}, 250 * kMs), 49 * kMs);
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
