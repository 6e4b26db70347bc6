#include "cluster/tree_coding.h"

#include <gtest/gtest.h>

#include "base/coding.h"
#include "cluster/merkle_tree.h"

namespace cartwheel {
namespace {

TEST(TreeCodingTest, EntriesReadBackAsTheyWereWritten) {
  std::string bytes;
  PutTreeEntry({3, 7}, &bytes);
  PutTreeEntry({kLeafCount - 1, UINT64_MAX}, &bytes);
  const auto entries = ReadTreeEntries(bytes);
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ((*entries)[1].index, kLeafCount - 1);
  EXPECT_EQ((*entries)[1].sum, UINT64_MAX);
  EXPECT_FALSE(ReadTreeEntries(std::string_view(bytes).substr(0, bytes.size() - 1)));
  PutTreeEntry({3, 7}, &bytes);
  EXPECT_FALSE(ReadTreeEntries(bytes)) << "out of order";
  bytes.clear();
  PutVarint(&bytes, kLeafCount);
  PutFixed64(&bytes, 1);
  EXPECT_FALSE(ReadTreeEntries(bytes)) << "no such leaf";
}

TEST(TreeCodingTest, GroupsReadBackAsTheyWereWritten) {
  std::string bytes;
  PutTreeGroup(1, "", &bytes);
  PutTreeGroup(2, "below", &bytes);
  const auto groups = ReadTreeGroups(bytes);
  ASSERT_TRUE(groups);
  ASSERT_EQ(groups->size(), 2U);
  EXPECT_EQ((*groups)[1].below, "below");
  EXPECT_FALSE(ReadTreeGroups(std::string_view(bytes).substr(0, bytes.size() - 1)));
  PutTreeGroup(2, "", &bytes);
  EXPECT_FALSE(ReadTreeGroups(bytes)) << "twice";
}

TEST(TreeCodingTest, SumsAreAsManyAsAreWanted) {
  std::string bytes;
  PutFixed64(&bytes, 5);
  EXPECT_EQ(ReadSums(bytes, 1), std::vector<uint64_t>{5});
  EXPECT_FALSE(ReadSums(bytes, 2));
  EXPECT_FALSE(ReadSums(bytes, 0));
}

TEST(TreeCodingTest, LeafVersionsAreOfTheirLeafAndInOrder) {
  constexpr uint32_t kLeaf = 16 * 5 + 3;
  const VersionAt first{FirstOfLeaf(kLeaf), 1};
  const VersionAt last{LastOfLeaf(kLeaf), 2};
  std::string bytes;
  PutLeafVersion(first, &bytes);
  PutLeafVersion(last, &bytes);
  const auto versions = ReadLeafVersions(kLeaf, bytes);
  ASSERT_TRUE(versions);
  ASSERT_EQ(versions->size(), 2U);
  EXPECT_EQ((*versions)[0].position, first.position);
  EXPECT_EQ((*versions)[1].position, last.position);
  EXPECT_EQ((*versions)[1].hash, 2U);
  EXPECT_FALSE(ReadLeafVersions(kLeaf + 1, bytes));
  EXPECT_FALSE(ReadLeafVersions(kLeaf, std::string_view(bytes).substr(1)));
  PutLeafVersion(first, &bytes);
  EXPECT_FALSE(ReadLeafVersions(kLeaf, bytes));
}

TEST(TreeCodingTest, PositionsAreWholeAndOnTheRing) {
  std::string bytes;
  PutPosition({kSlotCount - 1, 2, 3}, &bytes);
  const auto positions = ReadPositions(bytes);
  ASSERT_TRUE(positions);
  EXPECT_EQ(positions->front(), (Position{kSlotCount - 1, 2, 3}));
  EXPECT_FALSE(ReadPositions(std::string_view(bytes).substr(1)));
  PutPosition({kSlotCount, 0, 0}, &bytes);
  EXPECT_FALSE(ReadPositions(bytes));
}

TEST(TreeCodingTest, ALeafHoldsItsFirstAndLastPositionOnly) {
  for (const uint32_t leaf : {0U, 15U, 16U, kLeafCount - 1}) {
    EXPECT_EQ(FirstOfLeaf(leaf).leaf(), leaf);
    EXPECT_EQ(LastOfLeaf(leaf).leaf(), leaf);
    if (leaf > 0) {
      EXPECT_LT(LastOfLeaf(leaf - 1), FirstOfLeaf(leaf));
    }
  }
}

}  // namespace
}  // namespace cartwheel
