#include "values/float_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace cartwheel {
namespace {

TEST(FloatTextTest, NumbersAreReadAsStrtoldDoes) {
  EXPECT_EQ(ParseFloat("3.0e3"), 3000.0L);
  EXPECT_EQ(ParseFloat("+5"), 5.0L);
  EXPECT_EQ(ParseFloat(".5"), 0.5L);
  EXPECT_EQ(ParseFloat("1."), 1.0L);
  EXPECT_EQ(ParseFloat("0x1p3"), 8.0L);
  EXPECT_TRUE(std::isinf(*ParseFloat("-Infinity")));
  EXPECT_EQ(ParseFloat("1e4000"), 1e4000L);
}

TEST(FloatTextTest, WhatIsNoNumberIsRefused) {
  using namespace std::string_view_literals;
  for (const std::string_view bad : {""sv, " 1"sv, "\n1"sv, "1 "sv, "1\0"sv, "1\0002"sv, "x"sv,
                                     "1e"sv, "--1"sv, "nan"sv, "-nan"sv, "1e5000"sv, "1e-5000"sv}) {
    EXPECT_EQ(ParseFloat(bad), std::nullopt) << bad;
  }
  EXPECT_TRUE(ParseFloat(std::string(5119, '0')).has_value());
  EXPECT_EQ(ParseFloat(std::string(5120, '0')), std::nullopt);
}

TEST(FloatTextTest, SeventeenDigitsBehindThePointAtMost) {
  EXPECT_EQ(FormatFloat(3.0L), "3");
  EXPECT_EQ(FormatFloat(10.0L), "10");
  EXPECT_EQ(FormatFloat(0.1L), "0.1");
  EXPECT_EQ(FormatFloat(-1.25L), "-1.25");
  EXPECT_EQ(FormatFloat(1e-17L), "0.00000000000000001");
  EXPECT_EQ(FormatFloat(1e-18L), "0");
  EXPECT_EQ(FormatFloat(-0.0L), "0");
  EXPECT_EQ(FormatFloat(-1e-18L), "0");
  EXPECT_EQ(FormatFloat(1e20L), "100000000000000000000");
}

TEST(FloatTextTest, TheLargestNumberHasRoom) {
  const std::string text = FormatFloat(-std::numeric_limits<long double>::max());
  EXPECT_EQ(text.size(), 4934U);
  EXPECT_EQ(ParseFloat(text), -std::numeric_limits<long double>::max());
}

}  // namespace
}  // namespace cartwheel
