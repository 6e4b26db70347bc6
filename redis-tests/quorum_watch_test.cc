// What polls of two nodes' counters prove of the operations between them.
#include "redis-tests/quorum_watch.h"

#include <gtest/gtest.h>

namespace cartwheel::chaos {
namespace {

class QuorumWatchTest : public testing::Test {
 protected:
  void Poll(size_t node, int64_t began_us, uint64_t reads, uint64_t writes, uint64_t hints,
            uint64_t connection = 0) {
    watch_.Add(node, {began_us, began_us + 2, connection, reads, writes, hints});
  }
  // A read and an acknowledged write through node 0 in that time.
  KeyHistory Judged(int64_t began_us, int64_t ended_us) const {
    KeyHistory history;
    history.writes.emplace_back().began_us = began_us;
    history.writes.back().ended_us = ended_us;
    history.reads.emplace_back().began_us = began_us;
    history.reads.back().ended_us = ended_us;
    watch_.Judge(&history);
    return history;
  }

  QuorumWatch watch_{2};
};

TEST_F(QuorumWatchTest, AnOperationBetweenEqualCountsIsStrict) {
  for (const int64_t at : {10, 20, 30}) Poll(0, at, 3, 4, 1);
  const KeyHistory history = Judged(13, 28);
  EXPECT_TRUE(history.reads[0].certain);
  EXPECT_TRUE(history.writes[0].saw_all);
  EXPECT_EQ(history.writes[0].visible_us, 28);
}

TEST_F(QuorumWatchTest, OneThatOverlapsAPollAtEitherEndIsNot) {
  for (const int64_t at : {10, 20}) Poll(0, at, 3, 4, 1);
  EXPECT_FALSE(Judged(11, 18).reads[0].certain);
  EXPECT_FALSE(Judged(13, 21).reads[0].certain);
  EXPECT_FALSE(Judged(25, 28).reads[0].certain);
  EXPECT_FALSE(Judged(1, 2).reads[0].certain);
}

TEST_F(QuorumWatchTest, EachCountStandsForItself) {
  Poll(0, 10, 3, 4, 1);
  Poll(0, 20, 3, 5, 1);
  EXPECT_TRUE(Judged(13, 18).reads[0].certain);
  EXPECT_EQ(Judged(13, 18).writes[0].visible_us, INT64_MAX);
  Poll(0, 30, 4, 5, 1);
  EXPECT_FALSE(Judged(23, 28).reads[0].certain);
  EXPECT_EQ(Judged(23, 28).writes[0].visible_us, 28);
}

TEST_F(QuorumWatchTest, ACountThatStartedAnewProvesNothing) {
  Poll(0, 10, 0, 0, 1, 1);
  Poll(0, 20, 0, 0, 1, 2);
  EXPECT_FALSE(Judged(13, 18).reads[0].certain);
}

TEST_F(QuorumWatchTest, AWriteIsVisibleOnceEveryNodeHasShownNoHints) {
  Poll(0, 10, 0, 0, 0);
  Poll(1, 10, 0, 0, 0);
  EXPECT_FALSE(watch_.DrainedAfter(15));
  Poll(0, 20, 0, 1, 0);
  Poll(1, 20, 0, 0, 5);
  EXPECT_EQ(Judged(13, 15).writes[0].visible_us, INT64_MAX);
  Poll(1, 30, 0, 0, 0);
  EXPECT_EQ(Judged(13, 15).writes[0].visible_us, 32);
  EXPECT_EQ(watch_.DrainedAfter(15), 32);
  EXPECT_FALSE(watch_.DrainedAfter(25));
}

}  // namespace
}  // namespace cartwheel::chaos
