#include "storage/context_token.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/unit/storage/random_objects.h"

namespace cartwheel {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

Position PositionOfKey(std::string_view key, uint32_t db = 0) {
  return PositionOf(db, key, Partitioner::kSlot);
}

CausalContext OneDot(uint64_t counter) {
  CausalContext context;
  for (uint64_t i = 1; i <= counter; ++i) context.Add({{0x1234567890abcdef, 77}, i});
  return context;
}

void ExpectBad(const Result<CausalContext>& decoded) {
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().code, ErrorCode::kBadContext);
}

TEST(ContextToken, TheEmptyStringIsTheEmptyContext) {
  EXPECT_EQ(EncodeToken(PositionOfKey("k"), {}), "");
  const auto decoded = DecodeToken(PositionOfKey("k"), "");
  ASSERT_TRUE(decoded.has_value());
  EXPECT_TRUE(decoded->empty());
}

TEST(ContextToken, RoundTripsInPrintableCharacters) {
  Random random(1);
  for (int round = 0; round < 500; ++round) {
    const CausalContext context = RandomContext(&random);
    const Position key = PositionOfKey("key" + std::to_string(round));
    const std::string token = EncodeToken(key, context);
    EXPECT_EQ(token.find_first_not_of(kAlphabet), std::string::npos);
    const auto decoded = DecodeToken(key, token);
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(*decoded, context);
  }
}

TEST(ContextToken, OfOneKeyIsRefusedForAnother) {
  const std::string token = EncodeToken(PositionOfKey("a"), OneDot(1));
  EXPECT_TRUE(DecodeToken(PositionOfKey("a"), token).has_value());
  ExpectBad(DecodeToken(PositionOfKey("b"), token));
  ExpectBad(DecodeToken(PositionOfKey("{a}b"), token));
  ExpectBad(DecodeToken(PositionOfKey("a", 1), token));
}

TEST(ContextToken, AnySingleChangedCharacterIsNoticed) {
  const Position key = PositionOfKey("key");
  // Three lengths modulo 3, so that every number of unused bits at the end occurs.
  CausalContext two = OneDot(1);
  two.Add({{5, 5}, 1000});
  CausalContext three = OneDot(200);
  for (const CausalContext& context : {OneDot(1), two, three}) {
    const std::string token = EncodeToken(key, context);
    for (size_t i = 0; i < token.size(); ++i) {
      for (const char other : std::string(kAlphabet) + "=.+/ \n" + std::string(1, '\0')) {
        if (other == token[i]) continue;
        std::string changed = token;
        changed[i] = other;
        ExpectBad(DecodeToken(key, changed));
      }
    }
  }
}

TEST(ContextToken, EveryTruncationAndExtensionIsNoticed) {
  const Position key = PositionOfKey("key");
  for (const uint64_t counter : {1, 200}) {
    const std::string token = EncodeToken(key, OneDot(counter));
    for (size_t length = 1; length < token.size(); ++length) {
      ExpectBad(DecodeToken(key, std::string_view(token).substr(0, length)));
    }
    for (const char* tail : {"A", "AA", "AAA", "AAAA", "=", "==", " ", "\n", "."}) {
      ExpectBad(DecodeToken(key, token + tail));
      ExpectBad(DecodeToken(key, tail + token));
    }
  }
}

TEST(ContextToken, RandomTextIsRefused) {
  Random random(3);
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    const uint64_t length = 1 + random.Below(60);
    for (uint64_t i = 0; i < length; ++i) text += kAlphabet[random.Below(kAlphabet.size())];
    ExpectBad(DecodeToken(PositionOfKey("key"), text));
  }
}

}  // namespace
}  // namespace cartwheel
