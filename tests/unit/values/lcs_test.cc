#include "values/lcs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/random.h"

namespace cartwheel {
namespace {

std::string TextOf(const CommonSubsequence& common, std::string_view a) {
  std::string text;
  for (auto run = common.runs.rbegin(); run != common.runs.rend(); ++run) {
    text.append(a.substr(run->a_first, run->length));
  }
  return text;
}

// By the definition: with the first characters or without one of them.
uint64_t LengthByTrying(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return 0;
  if (a[0] == b[0]) return 1 + LengthByTrying(a.substr(1), b.substr(1));
  return std::max(LengthByTrying(a.substr(1), b), LengthByTrying(a, b.substr(1)));
}

TEST(LcsTest, FindsTheLongestSubsequenceAndItsRuns) {
  const CommonSubsequence common = LongestCommonSubsequence("ohmytext", "mynewtext");
  EXPECT_EQ(common.length, 6U);
  EXPECT_EQ(common.runs, (std::vector<CommonRun>{{4, 5, 4}, {2, 0, 2}}));
  EXPECT_EQ(TextOf(common, "ohmytext"), "mytext");
}

TEST(LcsTest, NothingInCommonIsNoRun) {
  EXPECT_TRUE(LongestCommonSubsequence("abc", "xyz").runs.empty());
  EXPECT_TRUE(LongestCommonSubsequence("", "xyz").runs.empty());
  EXPECT_EQ(LongestCommonLength("abc", ""), 0U);
  EXPECT_EQ(LongestCommonSubsequence("", "").length, 0U);
}

TEST(LcsTest, EqualStringsAreOneRun) {
  const std::string text("a\0b\xff", 4);
  EXPECT_EQ(LongestCommonSubsequence(text, text).runs, (std::vector<CommonRun>{{0, 0, 4}}));
}

TEST(LcsTest, RunsAreCommonInOrderAndAsLongAsTheLength) {
  Random random(1);
  for (int round = 0; round < 500; ++round) {
    std::string texts[2];
    for (std::string& text : texts) {
      text.resize(random.Below(9));
      for (char& c : text) c = static_cast<char>('a' + random.Below(3));
    }
    const CommonSubsequence common = LongestCommonSubsequence(texts[0], texts[1]);
    ASSERT_EQ(common.length, LengthByTrying(texts[0], texts[1]));
    ASSERT_EQ(LongestCommonLength(texts[0], texts[1]), common.length);
    uint64_t length = 0;
    uint64_t a_end = texts[0].size();
    uint64_t b_end = texts[1].size();
    for (const CommonRun& run : common.runs) {
      EXPECT_EQ(texts[0].substr(run.a_first, run.length), texts[1].substr(run.b_first, run.length));
      EXPECT_LE(run.a_first + run.length, a_end);
      EXPECT_LE(run.b_first + run.length, b_end);
      a_end = run.a_first;
      b_end = run.b_first;
      length += run.length;
    }
    EXPECT_EQ(length, common.length);
  }
}

}  // namespace
}  // namespace cartwheel
