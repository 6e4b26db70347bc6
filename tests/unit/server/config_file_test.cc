#include "server/config_file.h"

#include <gtest/gtest.h>

namespace cartwheel {
namespace {

// The options that a file of that text sets.
Options Read(std::string_view text) {
  Options options;
  const Result<void> parsed = ParseConfig(text, "test.conf", &options);
  EXPECT_TRUE(parsed) << parsed.error().message;
  CompleteOptions(&options);
  return options;
}

TEST(ConfigFileTest, WhatIsInForceAlreadyStaysAsItWasWritten) {
  const std::string_view text =
      "# a comment\n\n  PORT 7001  \nbind '127.0.0.1'   ::1\n# maxclients 5\nmaxmemory 1gb\n";
  EXPECT_EQ(RewriteConfig(text, Read(text)), text);
}

TEST(ConfigFileTest, AChangedOptionChangesItsLine) {
  const std::string_view text = "timeout 1\n# between\nloglevel debug\n";
  Options options = Read(text);
  ASSERT_TRUE(SetOption(&options, "timeout", "0"));
  EXPECT_EQ(RewriteConfig(text, options), "timeout 0\n# between\nloglevel debug\n");
}

TEST(ConfigFileTest, OptionsThatWereSetElsewhereFollowUnlessTheyHaveTheirDefault) {
  const std::string_view text = "timeout 1";
  Options options = Read(text);
  ASSERT_TRUE(SetOption(&options, "maxclients", "77"));
  ASSERT_TRUE(SetOption(&options, "loglevel", "notice"));
  const std::string once = RewriteConfig(text, options);
  EXPECT_EQ(once, "timeout 1\n# Written by CONFIG REWRITE\nmaxclients 77\n");
  EXPECT_EQ(RewriteConfig(once, options), once);
}

TEST(ConfigFileTest, OfSeveralLinesForOneOptionNoneContradicts) {
  const std::string_view text = "timeout 1\ntimeout 2\n";
  EXPECT_EQ(RewriteConfig(text, Read(text)), "timeout 2\ntimeout 2\n");
}

TEST(ConfigFileTest, EveryOptionIsReadBackFromWhatWasWritten) {
  const std::pair<const char*, const char*> values[] = {
      {"bind", "127.0.0.1 ::1"},
      {"requirepass", "a \"b\\c'd#e\n\x01\xff"},
      {"client-output-buffer-limit", "normal 100 50 7"},
      {"latency-tracking-info-percentiles", "1 2.5"},
      {"notify-keyspace-events", "KEA$"},
      {"seeds", "a.example:17001,[::1]:17002"},
      {"enable-debug-command", "local"},
      {"slowlog-log-slower-than", "-1"},
  };
  Options options = Read("");
  for (const auto& [name, value] : values) ASSERT_TRUE(SetOption(&options, name, value)) << name;
  const Options read = Read(RewriteConfig("", options));
  for (const OptionRow& row : OptionTable()) {
    EXPECT_EQ(row.print(read), row.print(options)) << row.name;
  }
}

TEST(ConfigFileTest, AMissingFileIsAnError) {
  const Result<void> rewritten = RewriteConfigFile("/nowhere/at/all.conf", Options());
  ASSERT_FALSE(rewritten);
  EXPECT_EQ(rewritten.error().message, "No such file or directory");
}

}  // namespace
}  // namespace cartwheel
