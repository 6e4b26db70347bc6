#include "values/bits.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "values/index_range.h"

namespace cartwheel {
namespace {

using namespace std::string_literals;

std::string RandomBytes(Random* random, size_t most) {
  std::string bytes(random->Below(most + 1), '\0');
  for (char& byte : bytes) {
    // Long runs of equal bits are what the search skips.
    const uint64_t kind = random->Below(4);
    byte = static_cast<char>(kind == 0 ? random->Next() : kind == 1 ? 0xff : 0);
  }
  return bytes;
}

TEST(BitsTest, TheFirstBitIsTheMostSignificantOne) {
  std::string bytes(2, '\0');
  PutBit(&bytes, 1, true);
  EXPECT_EQ(bytes, "\x40\0"s);
  PutBit(&bytes, 15, true);
  EXPECT_EQ(bytes, "\x40\x01"s);
  EXPECT_TRUE(BitAt(bytes, 1));
  EXPECT_FALSE(BitAt(bytes, 0));
  PutBit(&bytes, 1, false);
  EXPECT_EQ(bytes, "\0\x01"s);
  EXPECT_FALSE(BitAt(bytes, 16));
  EXPECT_FALSE(BitAt("", UINT64_MAX));
}

TEST(BitsTest, CountAndFindAgreeWithLookingAtEachBit) {
  Random random(1);
  for (int round = 0; round < 3000; ++round) {
    const std::string bytes = RandomBytes(&random, 40);
    uint64_t begin = random.Below(bytes.size() * 8 + 1);
    uint64_t end = random.Below(bytes.size() * 8 + 1);
    if (begin > end) std::swap(begin, end);
    uint64_t ones = 0;
    std::optional<uint64_t> first[2];
    for (uint64_t i = begin; i < end; ++i) {
      const bool bit = BitAt(bytes, i);
      ones += bit ? 1 : 0;
      if (!first[bit ? 1 : 0]) first[bit ? 1 : 0] = i;
    }
    EXPECT_EQ(CountBits(bytes, begin, end), ones);
    EXPECT_EQ(FindBit(bytes, true, begin, end), first[1]);
    EXPECT_EQ(FindBit(bytes, false, begin, end), first[0]);
  }
}

TEST(BitsTest, NothingIsFoundInAnEmptyRange) {
  EXPECT_EQ(CountBits("", 0, 0), 0U);
  EXPECT_EQ(FindBit("", false, 0, 0), std::nullopt);
  EXPECT_EQ(FindBit("\xff", true, 8, 8), std::nullopt);
}

TEST(BitsTest, ShorterSourcesAreFilledUpWithZeros) {
  const std::string_view sources[] = {"\x01\x02\xff\xff", "\x01\x02\xff"};
  EXPECT_EQ(Combine(Bitwise::kAnd, sources), "\x01\x02\xff\0"s);
  EXPECT_EQ(Combine(Bitwise::kOr, sources), "\x01\x02\xff\xff"s);
  EXPECT_EQ(Combine(Bitwise::kXor, sources), "\0\0\0\xff"s);
  const std::string_view reversed[] = {sources[1], sources[0]};
  EXPECT_EQ(Combine(Bitwise::kAnd, reversed), "\x01\x02\xff\0"s);
  const std::string bytes = "\xaa\0\xff\x55"s;
  const std::string_view one[] = {bytes};
  EXPECT_EQ(Combine(Bitwise::kNot, one), "\x55\xff\0\xaa"s);
  const std::string_view none[] = {"", ""};
  EXPECT_EQ(Combine(Bitwise::kXor, none), "");
}

TEST(BitsTest, NotTwiceIsWhatWasThereAndXorWithItselfIsZero) {
  Random random(2);
  for (int round = 0; round < 200; ++round) {
    const std::string bytes = RandomBytes(&random, 30);
    const std::string_view one[] = {bytes};
    const std::string inverted = Combine(Bitwise::kNot, one);
    const std::string_view again[] = {inverted};
    EXPECT_EQ(Combine(Bitwise::kNot, again), bytes);
    const std::string_view both[] = {bytes, inverted};
    EXPECT_EQ(Combine(Bitwise::kXor, both), std::string(bytes.size(), '\xff'));
    EXPECT_EQ(Combine(Bitwise::kAnd, both), std::string(bytes.size(), '\0'));
  }
}

TEST(IndexRangeTest, EndsCountFromTheBackAndAreCutToWhatIsThere) {
  EXPECT_EQ(CutRange(0, -1, 5), (IndexRange{0, 5}));
  EXPECT_EQ(CutRange(1, 1, 5), (IndexRange{1, 2}));
  EXPECT_EQ(CutRange(-2, 100, 5), (IndexRange{3, 5}));
  EXPECT_EQ(CutRange(-100, -5, 5), (IndexRange{0, 1}));
  EXPECT_TRUE(CutRange(3, 2, 5).empty());
  EXPECT_TRUE(CutRange(5, 9, 5).empty());
  EXPECT_TRUE(CutRange(0, -1, 0).empty());
  EXPECT_EQ(CutRange(INT64_MIN, INT64_MAX, 5), (IndexRange{0, 5}));
  EXPECT_TRUE(CutRange(INT64_MAX, INT64_MIN, 5).empty());
}

TEST(IndexRangeTest, ReversedEndsMeetAtTheFirstByteUnlessTheyAreAskedFor) {
  EXPECT_TRUE(IsReversed(-60, -70));
  EXPECT_FALSE(IsReversed(-70, -60));
  EXPECT_FALSE(IsReversed(3, 2));
  EXPECT_EQ(CutRange(-60, -70, 5), (IndexRange{0, 1}));
}

}  // namespace
}  // namespace cartwheel
