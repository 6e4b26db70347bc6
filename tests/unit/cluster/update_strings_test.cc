#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/unit/cluster/updates.h"
#include "values/bitfield.h"

namespace cartwheel {
namespace {

using namespace std::string_literals;
using Integers = std::vector<std::optional<int64_t>>;

Update SetRange(int64_t offset, std::string bytes) {
  return {UpdateKind::kSetRange, 0, std::move(bytes), offset, 0};
}
Update AddFloat(std::string increment) {
  return {UpdateKind::kIncrementFloat, 0, std::move(increment), 0, 0};
}
Update SetBit(int64_t offset, bool bit) {
  return {UpdateKind::kSetBit, 0, bit ? "1" : "0", offset, 0};
}
Update Steps(const std::vector<FieldStep>& steps) {
  return {UpdateKind::kBitfield, 0, EncodeSteps(steps), 0, 0};
}

constexpr std::string_view kTooLong =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

TEST(UpdateStringsTest, SetRangeFillsTheGapWithZeros) {
  const UpdateEffect fresh = Apply(SetRange(2, "ab"), {});
  EXPECT_EQ(fresh.bytes, "\0\0ab"s);
  ExpectInteger(fresh, 4);
  const UpdateEffect inside = Apply(SetRange(1, "XY"), Holding("abcd", kWall + 9));
  EXPECT_EQ(inside.bytes, "aXYd");
  EXPECT_EQ(inside.expires_at_ms, kWall + 9);
  EXPECT_EQ(Apply(SetRange(3, "XY"), Holding("abcd")).bytes, "abcXY");
}

TEST(UpdateStringsTest, SetRangeOfNothingWritesNothing) {
  const UpdateEffect effect = Apply(SetRange(50, ""), Holding("abc"));
  EXPECT_EQ(effect.write, Write::kNothing);
  ExpectInteger(effect, 3);
  EXPECT_EQ(Apply(SetRange(0, ""), {}).write, Write::kNothing);
}

TEST(UpdateStringsTest, SetRangeAndSetBitEndAtTheLongestValue) {
  EXPECT_EQ(Apply(SetRange(kMaxValue - 1, "x"), {}).bytes.size(), kMaxValue);
  ExpectError(Apply(SetRange(kMaxValue, "x"), {}), std::string(kTooLong));
  ExpectError(Apply(SetRange(0, std::string(kMaxValue + 1, 'x')), {}), std::string(kTooLong));
  // A peer's offset may be anything.
  ExpectError(Apply(SetRange(-1, "x"), {}), std::string(kTooLong));
  ExpectError(Apply(SetRange(INT64_MIN, "x"), {}), std::string(kTooLong));
  EXPECT_EQ(Apply(SetBit(8 * kMaxValue - 1, true), {}).bytes.size(), kMaxValue);
  ExpectError(Apply(SetBit(8 * kMaxValue, true), {}), std::string(kTooLong));
  ExpectError(Apply(SetBit(-1, true), {}), std::string(kTooLong));
}

TEST(UpdateStringsTest, IncrementFloatKeepsTheExpiryAndAnswersWhatItWrote) {
  const UpdateEffect effect = Apply(AddFloat("1.5"), Holding("3.0e3", kWall + 9));
  EXPECT_EQ(effect.bytes, "3001.5");
  EXPECT_EQ(effect.expires_at_ms, kWall + 9);
  ExpectBulk(effect, "3001.5");
  ExpectBulk(Apply(AddFloat("0.1"), {}), "0.1");
}

TEST(UpdateStringsTest, IncrementFloatRefusesWhatIsNoNumber) {
  ExpectError(Apply(AddFloat("1"), Holding("abc")), "ERR value is not a valid float");
  ExpectError(Apply(AddFloat("abc"), Holding("1")), "ERR value is not a valid float");
  ExpectError(Apply(AddFloat("inf"), Holding("1")), "ERR increment would produce NaN or Infinity");
  ExpectError(Apply(AddFloat("-inf"), Holding("inf")),
              "ERR increment would produce NaN or Infinity");
}

TEST(UpdateStringsTest, SetBitAnswersTheOldBitAndWritesOnlyAChange) {
  const UpdateEffect fresh = Apply(SetBit(9, false), {});
  EXPECT_EQ(fresh.write, Write::kValue);
  EXPECT_EQ(fresh.bytes, "\0\0"s);
  ExpectInteger(fresh, 0);
  const UpdateEffect cleared = Apply(SetBit(1, false), Holding("\x40"));
  EXPECT_EQ(cleared.bytes, "\0"s);
  ExpectInteger(cleared, 1);
  const UpdateEffect same = Apply(SetBit(1, true), Holding("\x40"));
  EXPECT_EQ(same.write, Write::kNothing);
  ExpectInteger(same, 1);
}

TEST(UpdateStringsTest, BitfieldTakesItsStepsInOrder) {
  const FieldType u8{false, 8};
  const UpdateEffect effect =
      Apply(Steps({{FieldVerb::kSet, FieldOverflow::kWrap, u8, 0, 200},
                   {FieldVerb::kIncrement, FieldOverflow::kFail, u8, 0, 100},
                   {FieldVerb::kIncrement, FieldOverflow::kWrap, u8, 0, 100},
                   {FieldVerb::kGet, FieldOverflow::kWrap, u8, 0, 0}}),
            Holding("\x01", kWall + 9));
  EXPECT_EQ(effect.bytes, "\x2c");
  EXPECT_EQ(effect.expires_at_ms, kWall + 9);
  EXPECT_EQ(effect.result.type, Type::kIntegers);
  EXPECT_EQ(DecodeIntegers(effect.result.text), (Integers{1, std::nullopt, 44, 44}));
}

TEST(UpdateStringsTest, ARefusedBitfieldStepMakesRoomNevertheless) {
  const FieldStep refused{FieldVerb::kSet, FieldOverflow::kFail, {false, 8}, 8, 256};
  EXPECT_EQ(Apply(Steps({refused}), {}).bytes, "\0\0"s);
  EXPECT_EQ(Apply(Steps({refused}), Holding("abc")).write, Write::kNothing);
}

TEST(UpdateStringsTest, BitfieldsOfPeersAreChecked) {
  FieldStep far{FieldVerb::kSet, FieldOverflow::kWrap, {false, 8}, 1ULL << 59, 1};
  ExpectError(Apply(Steps({far}), {}), std::string(kTooLong));
  ExpectError(Apply({UpdateKind::kBitfield, 0, "\x03\x03", 0, 0}, {}), "ERR malformed update");
}

TEST(UpdateStringsTest, GrowthIsWhatTheUpdateItselfMayMake) {
  EXPECT_EQ(GrowthOf(SetRange(10, "abc"), kMaxValue), 13U);
  EXPECT_EQ(GrowthOf(SetBit(80, true), kMaxValue), 12U);
  EXPECT_EQ(GrowthOf({UpdateKind::kAppend, 0, "abc", 50, 0}, kMaxValue), 3U);
  EXPECT_EQ(GrowthOf(SetRange(INT64_MAX, "abc"), kMaxValue), kMaxValue + 3);
  EXPECT_EQ(GrowthOf(SetRange(-5, "abc"), kMaxValue), 3U);
}

TEST(UpdateStringsTest, IntegersReadBackAndDamagedOnesAreCutOff) {
  const Integers some = {0, std::nullopt, INT64_MIN, INT64_MAX, -1};
  const std::string bytes = EncodeIntegers(some);
  EXPECT_EQ(DecodeIntegers(bytes), some);
  EXPECT_EQ(DecodeIntegers(bytes.substr(0, bytes.size() - 1)),
            (Integers{0, std::nullopt, INT64_MIN, INT64_MAX}));
  Random random(1);
  for (int round = 0; round < 5000; ++round) {
    std::string damaged = bytes;
    damaged[random.Below(damaged.size())] = static_cast<char>(random.Next());
    EXPECT_LE(DecodeIntegers(damaged).size(), damaged.size());
  }
}

}  // namespace
}  // namespace cartwheel
