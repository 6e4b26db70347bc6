#include "storage/position.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "base/hash.h"
#include "base/random.h"

namespace cartwheel {
namespace {

Position RandomPosition(Random* random) {
  return {static_cast<uint16_t>(random->Below(kSlotCount)), random->Next(), random->Next()};
}

TEST(Position, SlotsAreThoseOfRedisCluster) {
  EXPECT_EQ(HashSlot("123456789", Partitioner::kSlot), 0x31c3);
  EXPECT_EQ(HashSlot("foo", Partitioner::kSlot), 12182);
  EXPECT_EQ(HashSlot("", Partitioner::kSlot), 0);
}

TEST(Position, OnlyTheFirstHashTagCounts) {
  for (const Partitioner partitioner : {Partitioner::kSlot, Partitioner::kMd5}) {
    const auto slot = [partitioner](std::string_view key) { return HashSlot(key, partitioner); };
    EXPECT_EQ(slot("{user1000}.following"), slot("user1000"));
    EXPECT_EQ(slot("x{user1000}y{z}"), slot("user1000"));
    EXPECT_EQ(slot("foo{bar}{zap}"), slot("bar"));
    EXPECT_EQ(slot("foo{{bar}}zap"), slot("{bar"));
    EXPECT_NE(slot("foo{}{bar}"), slot("bar")) << "an empty tag is none";
    EXPECT_NE(slot("foo{bar"), slot("bar")) << "an open one neither";
    EXPECT_NE(slot("foo}bar{"), slot("bar"));
  }
}

TEST(Position, Md5SlotsAreTheDigestsFirst14Bits) {
  // MD5("abc") begins with 90 01.
  EXPECT_EQ(HashSlot("abc", Partitioner::kMd5), 0x9001 >> 2);
  // MD5("") begins with d4 1d.
  EXPECT_EQ(HashSlot("", Partitioner::kMd5), 0xd41d >> 2);
}

TEST(Position, KeysOfOneTagShareTheSlotAndDbsDoNotShareThePosition) {
  const Position a = PositionOf(0, "{t}a", Partitioner::kSlot);
  const Position b = PositionOf(0, "{t}b", Partitioner::kSlot);
  const Position other = PositionOf(1, "{t}a", Partitioner::kSlot);
  EXPECT_EQ(a.slot, b.slot);
  EXPECT_NE(a, b);
  EXPECT_EQ(a.slot, other.slot);
  EXPECT_NE(a, other);
}

TEST(Position, EncodedBytesOrderAsPositionsDo) {
  Random random(1);
  for (int round = 0; round < 5000; ++round) {
    const Position a = RandomPosition(&random);
    Position b = RandomPosition(&random);
    if (random.Chance(1, 2)) b.slot = a.slot;
    if (random.Chance(1, 3)) b.high = a.high;
    char encoded_a[kPositionBytes];
    char encoded_b[kPositionBytes];
    EncodePosition(a, encoded_a);
    EncodePosition(b, encoded_b);
    ASSERT_EQ(DecodePosition(encoded_a), a);
    ASSERT_EQ(std::memcmp(encoded_a, encoded_b, kPositionBytes) < 0, a < b);
  }
}

TEST(Position, LeavesAreContiguousRanges) {
  EXPECT_EQ((Position{0, 0, 0}).leaf(), 0u);
  EXPECT_EQ((Position{0, UINT64_MAX >> 4, 0}).leaf(), 0u);
  EXPECT_EQ((Position{0, 1ULL << 60, 0}).leaf(), 1u);
  EXPECT_EQ(kLastPosition.leaf(), kLeafCount - 1);
  Random random(2);
  for (int round = 0; round < 5000; ++round) {
    const Position a = RandomPosition(&random);
    const Position b = RandomPosition(&random);
    if (a.leaf() < b.leaf()) {
      ASSERT_LT(a, b);
    }
  }
}

TEST(Position, ACursorStandsAtOrBeforeItsPositionAndSkipsNone) {
  Random random(3);
  for (int round = 0; round < 5000; ++round) {
    const Position position = RandomPosition(&random);
    const uint64_t cursor = ToCursor(position);
    ASSERT_LT(cursor, kCursorEnd);
    const Position first = FromCursor(cursor);
    ASSERT_LE(first, position);
    ASSERT_EQ(ToCursor(first), cursor);
    if (cursor + 1 < kCursorEnd) {
      ASSERT_LT(position, FromCursor(cursor + 1));
    }
  }
  EXPECT_EQ(ToCursor(kLastPosition), kCursorEnd - 1);
  EXPECT_EQ(FromCursor(UINT64_MAX), FromCursor(kCursorEnd - 1));
}

}  // namespace
}  // namespace cartwheel
