#include "server/queue_age.h"

#include <gtest/gtest.h>

namespace cartwheel {
namespace {

constexpr int64_t kMs = 1000;

TEST(QueueAgeTest, OldWorkIsNoOverloadUntilItStaysOld) {
  QueueAge queue;
  queue.Note(1000 * kMs, 60 * kMs);
  EXPECT_FALSE(queue.overloaded());
  queue.Note(1060 * kMs, 60 * kMs);
  EXPECT_FALSE(queue.overloaded());
  queue.Note(1120 * kMs, 60 * kMs);
  EXPECT_TRUE(queue.overloaded());
}

TEST(QueueAgeTest, OneTurnWithoutOldWorkEndsIt) {
  QueueAge queue;
  for (int64_t at = 1000; at < 1500; at += 60) queue.Note(at * kMs, 60 * kMs);
  ASSERT_TRUE(queue.overloaded());
  queue.Note(1510 * kMs, 49 * kMs);
  EXPECT_FALSE(queue.overloaded());
  queue.Note(1570 * kMs, 60 * kMs);
  EXPECT_FALSE(queue.overloaded());
}

TEST(QueueAgeTest, AProcessThatStoodStillOnceIsNotOverloaded) {
  QueueAge queue;
  queue.Note(1000 * kMs, 1 * kMs);
  queue.Note(4000 * kMs, 3000 * kMs);
  EXPECT_FALSE(queue.overloaded());
  queue.Note(4001 * kMs, 1 * kMs);
  EXPECT_FALSE(queue.overloaded());
}

TEST(QueueAgeTest, LongTurnsWithSleepBetweenThemAreNoOverload) {
  QueueAge queue;
  for (int64_t at = 1000; at < 3000; at += 200) {
    queue.Note(at * kMs, 80 * kMs);
    EXPECT_FALSE(queue.overloaded());
  }
}

TEST(QueueAgeTest, WhatWaitsFromTurnToTurnCounts) {
  QueueAge queue;
  queue.Note(1000 * kMs, 1 * kMs);
  int64_t waits_since = 1000;
  int64_t at = 1000;
  while (!queue.overloaded()) {
    at += 10;
    ASSERT_LE(at, 1150);
    queue.Note(at * kMs, (at - waits_since) * kMs);
  }
  EXPECT_EQ(at, 1150);
}

}  // namespace
}  // namespace cartwheel
