#include "server/key_options.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include "cluster/update.h"

namespace cartwheel {
namespace {

constexpr int64_t kWall = 1'700'000'000'000;
constexpr std::string_view kSyntax = "ERR syntax error";

using Words = std::vector<std::string_view>;

void ExpectSetError(const Words& words) {
  const auto options = ParseSetOptions(words);
  ASSERT_FALSE(options) << words.size();
  EXPECT_EQ(options.error().message, kSyntax);
}

TEST(KeyOptionsTest, SetTakesEveryOptionInAnyCaseAndOrder) {
  const auto options = ParseSetOptions(Words{"get", "Ex", "10", "nX"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->flags, kReturnOld | kIfAbsent);
  EXPECT_TRUE(options->expiry.given);
  EXPECT_TRUE(options->expiry.seconds);
  EXPECT_FALSE(options->expiry.absolute);
  EXPECT_EQ(options->expiry.number, "10");
  EXPECT_EQ(ParseSetOptions(Words{"XX", "KEEPTTL"})->flags, kIfPresent | kKeepTtl);
  EXPECT_EQ(ParseSetOptions(Words{})->flags, 0U);
  EXPECT_TRUE(ParseSetOptions(Words{"PXAT", "5"})->expiry.absolute);
}

TEST(KeyOptionsTest, SetRefusesWhatDoesNotGoTogether) {
  for (const Words& words : std::initializer_list<Words>{{"NX", "XX"},
                                                         {"XX", "NX"},
                                                         {"EX"},
                                                         {"PX", "1", "EX", "1"},
                                                         {"KEEPTTL", "EX", "1"},
                                                         {"EX", "1", "KEEPTTL"},
                                                         {"PERSIST"},
                                                         {"foo"},
                                                         {"EX", "1", "2"}}) {
    ExpectSetError(words);
  }
  // Redis takes the same word twice.
  EXPECT_EQ(ParseSetOptions(Words{"EX", "1", "EX", "2"})->expiry.number, "2");
  EXPECT_TRUE(ParseSetOptions(Words{"NX", "NX"}));
}

TEST(KeyOptionsTest, GetExTakesPersistOrAnExpiry) {
  EXPECT_EQ(ParseGetExOptions(Words{"persist"})->flags, static_cast<uint32_t>(kPersistTtl));
  EXPECT_TRUE(ParseGetExOptions(Words{"EXAT", "9"})->expiry.given);
  EXPECT_FALSE(ParseGetExOptions(Words{"PERSIST", "EX", "1"}));
  EXPECT_FALSE(ParseGetExOptions(Words{"EX", "1", "PERSIST"}));
  EXPECT_FALSE(ParseGetExOptions(Words{"NX"}));
  EXPECT_FALSE(ParseGetExOptions(Words{"KEEPTTL"}));
}

TEST(KeyOptionsTest, ExpiryTimesAreAbsoluteMilliseconds) {
  EXPECT_EQ(ExpiryTime({true, true, false, "10"}, "set", kWall), kWall + 10'000);
  EXPECT_EQ(ExpiryTime({true, false, false, "10"}, "set", kWall), kWall + 10);
  EXPECT_EQ(ExpiryTime({true, true, true, "10"}, "set", kWall), 10'000);
  EXPECT_EQ(ExpiryTime({true, false, true, "10"}, "set", kWall), 10);
}

TEST(KeyOptionsTest, ExpiryTimesOutOfRangeNameTheCommand) {
  const std::string invalid = "ERR invalid expire time in 'setex' command";
  for (const char* number : {"0", "-1", "9223372036854775807"}) {
    const auto time = ExpiryTime({true, true, false, number}, "setex", kWall);
    ASSERT_FALSE(time) << number;
    EXPECT_EQ(time.error().message, invalid);
  }
  EXPECT_FALSE(ExpiryTime({true, false, false, "9223372036854775807"}, "set", kWall));
  EXPECT_TRUE(ExpiryTime({true, false, true, "9223372036854775807"}, "set", kWall));
  EXPECT_EQ(ExpiryTime({true, true, false, "1.5"}, "set", kWall).error().message,
            "ERR value is not an integer or out of range");
}

TEST(KeyOptionsTest, ExpireTakesThePastAsOne) {
  EXPECT_EQ(ExpireCommandTime({true, true, false, "10"}, "expire", kWall), kWall + 10'000);
  EXPECT_EQ(ExpireCommandTime({true, true, true, "0"}, "expireat", kWall), 1);
  EXPECT_EQ(ExpireCommandTime({true, true, true, "-7"}, "expireat", kWall), 1);
  EXPECT_EQ(ExpireCommandTime({true, false, false, "-9223372036854775808"}, "pexpire", kWall), 1);
  EXPECT_EQ(ExpireCommandTime({true, true, false, "-9223372036854775808"}, "expire", kWall)
                .error()
                .message,
            "ERR invalid expire time in 'expire' command");
  EXPECT_FALSE(ExpireCommandTime({true, true, false, "9223372036854775807"}, "expire", kWall));
  EXPECT_FALSE(ExpireCommandTime({true, false, false, "9223372036854775807"}, "pexpire", kWall));
}

TEST(KeyOptionsTest, ExpireConditions) {
  EXPECT_EQ(ParseExpireConditions(Words{"nx"}), static_cast<uint32_t>(kExpireNx));
  EXPECT_EQ(ParseExpireConditions(Words{"XX", "gt"}), kExpireXx | kExpireGt);
  EXPECT_EQ(ParseExpireConditions(Words{"NX", "XX"}).error().message,
            "ERR NX and XX, GT or LT options at the same time are not compatible");
  EXPECT_EQ(ParseExpireConditions(Words{"GT", "LT"}).error().message,
            "ERR GT and LT options at the same time are not compatible");
  EXPECT_EQ(ParseExpireConditions(Words{"foo"}).error().message, "ERR Unsupported option foo");
}

TEST(KeyOptionsTest, DynOptions) {
  const auto options = ParseDynOptions(Words{"W", "2", "PX", "5"}, true, "W", 3);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->quorum, 2);
  EXPECT_EQ(options->expiry.number, "5");
  EXPECT_EQ(ParseDynOptions(Words{"W", "4"}, true, "W", 3).error().message,
            "ERR W must be between 1 and N=3");
  EXPECT_FALSE(ParseDynOptions(Words{"R", "0"}, false, "R", 3));
  EXPECT_EQ(ParseDynOptions(Words{"PX", "5"}, false, "R", 3).error().message, kSyntax);
  EXPECT_EQ(ParseDynOptions(Words{"R"}, false, "R", 3).error().message, kSyntax);
  EXPECT_EQ(ParseDynOptions(Words{"R", "x"}, false, "R", 3).error().message,
            "ERR value is not an integer or out of range");
}

std::string RestoreError(std::vector<std::string_view> words) {
  const auto options = ParseRestoreOptions(words);
  return options ? "" : options.error().message;
}

TEST(KeyOptionsTest, RestoreOptions) {
  const std::vector<std::string_view> both = {"replace", "ABSTTL", "IDLETIME", "7"};
  const auto options = ParseRestoreOptions(both);
  ASSERT_TRUE(options.has_value());
  EXPECT_TRUE(options->replace);
  EXPECT_TRUE(options->absolute_ttl);
  EXPECT_EQ(RestoreError({"FREQ", "255"}), "");
  EXPECT_EQ(RestoreError({"FREQ", "256"}), "ERR Invalid FREQ value, must be >= 0 and <= 255");
  EXPECT_EQ(RestoreError({"IDLETIME", "-1"}), "ERR Invalid IDLETIME value, must be >= 0");
  EXPECT_EQ(RestoreError({"IDLETIME", "x"}), "ERR value is not an integer or out of range");
  EXPECT_EQ(RestoreError({"IDLETIME"}), "ERR syntax error");
  EXPECT_EQ(RestoreError({"IDLETIME", "1", "FREQ", "1"}), "ERR syntax error");
  EXPECT_EQ(RestoreError({"FREQ", "1", "IDLETIME", "1"}), "ERR syntax error");
  EXPECT_EQ(RestoreError({"KEEPTTL"}), "ERR syntax error");
}

TEST(KeyOptionsTest, RestoreTimes) {
  EXPECT_EQ(RestoreTime("0", false, 5000), 0);
  EXPECT_EQ(RestoreTime("0", true, 5000), 0);
  EXPECT_EQ(RestoreTime("10", false, 5000), 5010);
  EXPECT_EQ(RestoreTime("10", true, 5000), 10);
  // Past every clock is over at once, as in Redis.
  EXPECT_EQ(RestoreTime("9223372036854775807", false, 5000), 1);
  EXPECT_EQ(RestoreTime("9223372036854775807", true, 5000), INT64_MAX);
  EXPECT_FALSE(RestoreTime("-1", false, 5000).has_value());
  EXPECT_FALSE(RestoreTime("1.5", false, 5000).has_value());
}

TEST(KeyOptionsTest, DatabasesByNumber) {
  EXPECT_EQ(ParseDatabase("15", 16), 15U);
  EXPECT_EQ(ParseDatabase("16", 16).error().message, "ERR DB index is out of range");
  EXPECT_EQ(ParseDatabase("-1", 16).error().message, "ERR DB index is out of range");
  EXPECT_EQ(ParseDatabase("x", 16).error().message, "ERR value is not an integer or out of range");
  EXPECT_EQ(ParseDatabase("2147483648", 16).error().message,
            "ERR value is out of range, value must between -2147483648 and 2147483647");
}

}  // namespace
}  // namespace cartwheel
