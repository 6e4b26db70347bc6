#include "server/fault_log.h"

#include <gtest/gtest.h>

namespace cartwheel {
namespace {

using Lines = std::vector<std::string>;
constexpr int64_t kSecond = 1'000'000;

TEST(FaultLogTest, TellsOfAKindAtOnceAndThenNowAndThen) {
  FaultLog log;
  EXPECT_EQ(log.Note(5, {{"hints-refused", 0}, {"reads", 7}}), Lines());
  EXPECT_EQ(log.Note(6, {{"hints-refused", 2}}),
            Lines{"2 writes for other nodes refused: hints-max-bytes is reached (hints-refused)"});
  EXPECT_EQ(log.Note(9 * kSecond, {{"hints-refused", 5}}), Lines());
  EXPECT_EQ(log.Note(11 * kSecond, {{"hints-refused", 6}}),
            Lines{"4 writes for other nodes refused: hints-max-bytes is reached (hints-refused)"});
  EXPECT_EQ(log.Note(30 * kSecond, {{"hints-refused", 6}}), Lines()) << "nothing new";
}

TEST(FaultLogTest, KindsDoNotHoldEachOtherUp) {
  FaultLog log;
  ASSERT_EQ(log.Note(1, {{"busy-refusals", 1}, {"messages-bad", 0}}).size(), 1U);
  EXPECT_EQ(log.Note(2, {{"busy-refusals", 9}, {"messages-bad", 3}}),
            Lines{"3 messages of peers that make no sense (messages-bad)"});
}

}  // namespace
}  // namespace cartwheel
