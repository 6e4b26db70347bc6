#include "values/bitfield.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/random.h"

namespace cartwheel {
namespace {

using Wide = __int128;

constexpr FieldType kI8{true, 8};
constexpr FieldType kU8{false, 8};

FieldStep Get(FieldType type, uint64_t offset) {
  return {FieldVerb::kGet, FieldOverflow::kWrap, type, offset, 0};
}
FieldStep Set(FieldType type, int64_t value, FieldOverflow overflow = FieldOverflow::kWrap) {
  return {FieldVerb::kSet, overflow, type, 0, value};
}
FieldStep Add(FieldType type, int64_t value, FieldOverflow overflow = FieldOverflow::kWrap) {
  return {FieldVerb::kIncrement, overflow, type, 0, value};
}

TEST(BitfieldTest, TypesAreALetterAndANumber) {
  EXPECT_EQ(ParseFieldType("i64"), (FieldType{true, 64}));
  EXPECT_EQ(ParseFieldType("u1"), (FieldType{false, 1}));
  for (const std::string_view bad :
       {"", "i", "u", "u64", "i65", "i0", "u0", "U8", "x8", "8", "u08", "u+8", "u8 ", "u-8"}) {
    EXPECT_EQ(ParseFieldType(bad), std::nullopt) << bad;
  }
}

TEST(BitfieldTest, OverflowWrapsSaturatesOrFails) {
  std::string bytes(1, '\0');
  EXPECT_EQ(TakeStep(Set(kU8, 100), &bytes), 0);
  EXPECT_EQ(TakeStep(Add(kU8, 257), &bytes), 101);
  EXPECT_EQ(TakeStep(Add(kU8, 200, FieldOverflow::kSaturate), &bytes), 255);
  EXPECT_EQ(TakeStep(Add(kU8, -300, FieldOverflow::kSaturate), &bytes), 0);
  EXPECT_EQ(TakeStep(Add(kU8, -1, FieldOverflow::kFail), &bytes), std::nullopt);
  EXPECT_EQ(ReadField(bytes, kU8, 0), 0);
  EXPECT_EQ(TakeStep(Add(kI8, 127), &bytes), 127);
  EXPECT_EQ(TakeStep(Add(kI8, 1, FieldOverflow::kFail), &bytes), std::nullopt);
  EXPECT_EQ(TakeStep(Add(kI8, 1, FieldOverflow::kSaturate), &bytes), 127);
  EXPECT_EQ(TakeStep(Add(kI8, 1), &bytes), -128);
}

TEST(BitfieldTest, AnUnsignedFieldTakesANegativeNumberForALargeOne) {
  std::string bytes(1, '\0');
  TakeStep(Set(kU8, -1, FieldOverflow::kSaturate), &bytes);
  EXPECT_EQ(ReadField(bytes, kU8, 0), 255);
  EXPECT_EQ(TakeStep(Set(kU8, -256, FieldOverflow::kFail), &bytes), std::nullopt);
  TakeStep(Set(kU8, -256), &bytes);
  EXPECT_EQ(ReadField(bytes, kU8, 0), 0);
}

TEST(BitfieldTest, WhatLiesPastTheEndIsZero) {
  EXPECT_EQ(ReadField("\xff", {false, 16}, 0), 0xff00);
  EXPECT_EQ(ReadField("\xff", {true, 64}, 4), INT64_MIN >> 3);
  EXPECT_EQ(ReadField("", {true, 64}, 1ULL << 59), 0);
}

TEST(BitfieldTest, TheReachIsTheLastByteThatIsWritten) {
  EXPECT_EQ(ReachOf({}), 0U);
  const FieldStep read[] = {Get({true, 64}, 1000)};
  EXPECT_EQ(ReachOf(read), 0U);
  FieldStep step = Set({false, 4}, 1);
  step.offset = 4;
  EXPECT_EQ(ReachOf({&step, 1}), 1U);
  step.offset = 5;
  EXPECT_EQ(ReachOf({&step, 1}), 2U);
}

// A bit string as a list of bools, and numbers of any size: what a field must be.
class Model {
 public:
  explicit Model(size_t bits) : bits_(bits) {}

  Wide Read(FieldType type, uint64_t offset) const {
    Wide value = 0;
    for (uint64_t i = offset; i < offset + type.bits; ++i) value = value * 2 + (bits_[i] ? 1 : 0);
    return type.is_signed && bits_[offset] ? value - Count(type) : value;
  }
  std::optional<Wide> Take(const FieldStep& step) {
    const Wide old = Read(step.type, step.offset);
    Wide value = old + step.value;
    if (step.verb == FieldVerb::kGet) return old;
    if (step.verb == FieldVerb::kSet) {
      value = step.value;
      if (!step.type.is_signed && value < 0) value += Wide{1} << 64;
    }
    const Wide most = step.type.is_signed ? Count(step.type) / 2 - 1 : Count(step.type) - 1;
    const Wide least = step.type.is_signed ? -Count(step.type) / 2 : 0;
    if (value < least || value > most) {
      if (step.overflow == FieldOverflow::kFail) return std::nullopt;
      if (step.overflow == FieldOverflow::kSaturate) {
        value = value < least ? least : most;
      } else {
        while (value > most || value < least) {
          const Wide turns = (value - least) / Count(step.type);
          value -= Count(step.type) * (turns != 0 ? turns : -1);
        }
      }
    }
    const Wide stored = value < 0 ? value + Count(step.type) : value;
    for (uint64_t i = 0; i < step.type.bits; ++i) {
      bits_[step.offset + i] = (stored >> (step.type.bits - 1 - i) & 1) != 0;
    }
    return step.verb == FieldVerb::kSet ? old : value;
  }

 private:
  static Wide Count(FieldType type) { return Wide{1} << type.bits; }

  std::vector<bool> bits_;
};

FieldStep RandomStep(Random* random, uint64_t most_bits) {
  FieldStep step;
  step.verb = static_cast<FieldVerb>(random->Below(3));
  step.overflow = static_cast<FieldOverflow>(random->Below(3));
  step.type.is_signed = random->Chance(1, 2);
  step.type.bits = static_cast<uint8_t>(1 + random->Below(step.type.is_signed ? 64 : 63));
  step.offset = random->Below(most_bits - step.type.bits + 1);
  if (step.verb != FieldVerb::kGet) {
    step.value = static_cast<int64_t>(random->Next()) >> random->Below(64);
  }
  return step;
}

TEST(BitfieldTest, AgreesWithNumbersOfAnySize) {
  constexpr size_t kBytes = 20;
  Random random(3);
  std::string bytes(kBytes, '\0');
  Model model(kBytes * 8);
  for (int round = 0; round < 50000; ++round) {
    const FieldStep step = RandomStep(&random, kBytes * 8);
    const auto expected = model.Take(step);
    const auto got = TakeStep(step, &bytes);
    ASSERT_EQ(got.has_value(), expected.has_value());
    if (got) {
      ASSERT_TRUE(*got == *expected) << *got;
    }
    const FieldStep look = RandomStep(&random, kBytes * 8);
    ASSERT_TRUE(ReadField(bytes, look.type, look.offset) == model.Read(look.type, look.offset));
  }
}

TEST(BitfieldTest, StepsReadBackAsTheyWereWritten) {
  Random random(4);
  std::vector<FieldStep> steps;
  for (int i = 0; i < 100; ++i) steps.push_back(RandomStep(&random, 1ULL << 40));
  EXPECT_EQ(DecodeSteps(EncodeSteps(steps)), steps);
  EXPECT_EQ(DecodeSteps(""), std::vector<FieldStep>());
}

TEST(BitfieldTest, MalformedStepsAreRefused) {
  const FieldStep step = Set(kU8, 1);
  const std::string good = EncodeSteps({&step, 1});
  for (size_t length = 1; length < good.size(); ++length) {
    EXPECT_EQ(DecodeSteps(good.substr(0, length)), std::nullopt) << length;
  }
  for (const auto& [at, byte] : {std::pair{0, 3}, {0, 12}, {0, 32}, {1, 0}, {1, 64}}) {
    std::string bad = good;
    bad[static_cast<size_t>(at)] = static_cast<char>(byte);
    EXPECT_EQ(DecodeSteps(bad), std::nullopt) << at << " " << byte;
  }
  FieldStep far = Get(kU8, 1ULL << 60);
  EXPECT_EQ(DecodeSteps(EncodeSteps({&far, 1})), std::nullopt);
  Random random(5);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random.Below(12), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.Next());
    const auto read = DecodeSteps(bytes);
    if (read) {
      EXPECT_EQ(DecodeSteps(EncodeSteps(*read)), *read);
    }
  }
}

}  // namespace
}  // namespace cartwheel
