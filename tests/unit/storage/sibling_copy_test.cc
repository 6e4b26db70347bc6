#include "storage/sibling_copy.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/coding.h"

namespace cartwheel {
namespace {

constexpr int64_t kWall = 1'000'000;
constexpr View kView{kWall, 0};

Sibling Version(uint64_t node, uint64_t time, std::string bytes, int64_t expires_at_ms = 0) {
  Sibling sibling;
  sibling.dot = {{node, 1}, 1};
  sibling.time = time;
  sibling.operation = node;
  sibling.expires_at_ms = expires_at_ms;
  sibling.bytes = std::move(bytes);
  return sibling;
}

const std::vector<SiblingCopy> kTwo = {{0, "newer"}, {kWall + 5, std::string("o\0d", 3)}};

TEST(SiblingCopyTest, CopiesAreTheLiveVersionsNewestFirst) {
  Object object;
  PutInto(&object, {}, Version(1, 10, "old", kWall + 5));
  PutInto(&object, {}, Version(2, 20, "new"));
  PutInto(&object, {}, Version(3, 30, "expired", kWall));
  Sibling deleted = Version(4, 40, "");
  deleted.kind = Kind::kTombstone;
  PutInto(&object, {}, deleted);
  const std::vector<SiblingCopy> wanted = {{0, "new"}, {kWall + 5, "old"}};
  EXPECT_EQ(CopiesOf(object, kView), wanted);
  EXPECT_TRUE(CopiesOf(object, {kWall, 50}).empty());  // flushed since
  EXPECT_TRUE(CopiesOf({}, kView).empty());
}

TEST(SiblingCopyTest, TwinsAreCopiedAsOne) {
  Object object;
  PutInto(&object, {}, Version(1, 10, "first"));
  Sibling twin = Version(2, 20, "second");
  twin.operation = 1;
  PutInto(&object, {}, twin);
  EXPECT_EQ(CopiesOf(object, kView), (std::vector<SiblingCopy>{{0, "second"}}));
}

TEST(SiblingCopyTest, WhatIsEncodedReadsBack) {
  EXPECT_EQ(DecodeCopies(EncodeCopies(kTwo)), kTwo);
  const std::vector<SiblingCopy> empty_value = {{INT64_MAX, ""}};
  EXPECT_EQ(DecodeCopies(EncodeCopies(empty_value)), empty_value);
}

TEST(SiblingCopyTest, AnythingElseIsRefused) {
  const std::string whole = EncodeCopies(kTwo);
  for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
    EXPECT_FALSE(DecodeCopies(whole.substr(0, bytes)).has_value()) << bytes;
  }
  EXPECT_FALSE(DecodeCopies(whole + "x").has_value());
  EXPECT_FALSE(DecodeCopies(std::string_view("\0", 1)).has_value());  // none at all
  std::string many;
  PutVarint(&many, UINT64_MAX);
  EXPECT_FALSE(DecodeCopies(many + "xx").has_value());
  std::string negative;
  PutVarint(&negative, 1);
  PutVarint(&negative, UINT64_MAX);
  PutBytes(&negative, "v");
  EXPECT_FALSE(DecodeCopies(negative).has_value());
}

TEST(SiblingCopyTest, ADumpHoldsTheValuesAndNoExpiries) {
  EXPECT_FALSE(DecodeDump(EncodeDump(kTwo), 1).has_value());
  const auto read = DecodeDump(EncodeDump(kTwo), 2);
  ASSERT_TRUE(read.has_value());
  const std::vector<SiblingCopy> wanted = {{0, "newer"}, {0, kTwo[1].bytes}};
  EXPECT_EQ(*read, wanted);
}

TEST(SiblingCopyTest, EveryDamageOfADumpIsNoticed) {
  const std::string dump = EncodeDump(kTwo);
  for (size_t at = 0; at < dump.size(); ++at) {
    std::string damaged = dump;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    const auto read = DecodeDump(damaged, 100);
    ASSERT_FALSE(read.has_value()) << at;
    EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
    EXPECT_FALSE(DecodeDump(dump.substr(0, at), 100).has_value()) << at;
  }
}

// The bytes are what users keep: a dump of an earlier release is restored by a later one.
TEST(SiblingCopyTest, ADumpOfThisFormatStaysReadable) {
  EXPECT_EQ(EncodeDump({{7, "bar"}}), std::string("\x01\x00\x03"
                                                  "bar\x01",
                                                  7) +
                                          std::string("\xad\x89\x8fX\xe1\x13\xe0\x86", 8));
}

}  // namespace
}  // namespace cartwheel
