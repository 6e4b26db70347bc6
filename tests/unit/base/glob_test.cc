#include "base/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace cartwheel {
namespace {

TEST(GlobTest, LiteralsMatchThemselvesOnly) {
  EXPECT_TRUE(GlobMatches("hello", "hello"));
  EXPECT_FALSE(GlobMatches("hello", "hell"));
  EXPECT_FALSE(GlobMatches("hello", "hello!"));
  EXPECT_TRUE(GlobMatches("", ""));
  EXPECT_FALSE(GlobMatches("", "a"));
  EXPECT_FALSE(GlobMatches("Hello", "hello"));
}

TEST(GlobTest, StarTakesAnyRun) {
  EXPECT_TRUE(GlobMatches("*", ""));
  EXPECT_TRUE(GlobMatches("**", "abc"));
  EXPECT_TRUE(GlobMatches("h*llo", "hllo"));
  EXPECT_TRUE(GlobMatches("h*llo", "heeeello"));
  EXPECT_TRUE(GlobMatches("*:1:*", "user:2:1:9"));
  EXPECT_TRUE(GlobMatches("a*b*c", "aXbYbZc"));
  EXPECT_FALSE(GlobMatches("a*b*c", "aXbYbZ"));
  EXPECT_FALSE(GlobMatches("*a", "ab"));
}

TEST(GlobTest, QuestionMarkTakesOneByte) {
  EXPECT_TRUE(GlobMatches("h?llo", "hallo"));
  EXPECT_FALSE(GlobMatches("h?llo", "hllo"));
  EXPECT_FALSE(GlobMatches("?", ""));
}

TEST(GlobTest, Classes) {
  EXPECT_TRUE(GlobMatches("h[ae]llo", "hallo"));
  EXPECT_FALSE(GlobMatches("h[ae]llo", "hillo"));
  EXPECT_TRUE(GlobMatches("h[^e]llo", "hallo"));
  EXPECT_FALSE(GlobMatches("h[^e]llo", "hello"));
  EXPECT_TRUE(GlobMatches("h[a-c]llo", "hbllo"));
  EXPECT_TRUE(GlobMatches("h[c-a]llo", "hbllo"));
  EXPECT_FALSE(GlobMatches("h[a-c]llo", "hdllo"));
  EXPECT_TRUE(GlobMatches("[\\]]", "]"));
  EXPECT_TRUE(GlobMatches("[a\\-z]", "-"));
  EXPECT_FALSE(GlobMatches("[a\\-z]", "m"));
}

TEST(GlobTest, AnOpenClassEndsWithThePattern) {
  EXPECT_TRUE(GlobMatches("[abc", "b"));
  EXPECT_FALSE(GlobMatches("[abc", "d"));
  EXPECT_FALSE(GlobMatches("[", "a"));
  EXPECT_TRUE(GlobMatches("[^", "a"));
  EXPECT_TRUE(GlobMatches("[a-", "-"));
  // The ']' is the end of a range here, as Redis reads it.
  EXPECT_TRUE(GlobMatches("[a-]", "^"));
}

TEST(GlobTest, Escapes) {
  EXPECT_TRUE(GlobMatches("\\*", "*"));
  EXPECT_FALSE(GlobMatches("\\*", "a"));
  EXPECT_TRUE(GlobMatches("a\\?b", "a?b"));
  EXPECT_TRUE(GlobMatches("a\\", "a\\"));
}

TEST(GlobTest, BytesAboveAsciiAreUnsigned) {
  EXPECT_TRUE(GlobMatches("[a-\xff]", "\xc3"));
  EXPECT_TRUE(GlobMatches(std::string("\0*", 2), std::string("\0x", 2)));
}

TEST(GlobTest, IgnoringCase) {
  EXPECT_TRUE(GlobMatchesIgnoringCase("MaxMem*", "maxmemory-policy"));
  EXPECT_TRUE(GlobMatchesIgnoringCase("[A-C]x", "bX"));
  EXPECT_FALSE(GlobMatchesIgnoringCase("[A-C]x", "dX"));
}

TEST(GlobTest, AThousandStarsAreTheMost) {
  const auto pattern = [](int stars) {
    std::string text;
    for (int i = 0; i < stars; ++i) text += "*?";
    return text;
  };
  const std::string text(3000, 'a');
  EXPECT_TRUE(GlobMatches(pattern(1000), text));
  EXPECT_FALSE(GlobMatches(pattern(1001), text));
  // What stands side by side is one, and the last matches by itself.
  EXPECT_TRUE(GlobMatches(std::string(5000, '*') + "a", text));
  EXPECT_TRUE(GlobMatches(pattern(1000) + "*", text));
}

TEST(GlobTest, ManyStarsEndSoon) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "a*";
  pattern += "b";
  EXPECT_FALSE(GlobMatches(pattern, std::string(20000, 'a')));
}

}  // namespace
}  // namespace cartwheel
