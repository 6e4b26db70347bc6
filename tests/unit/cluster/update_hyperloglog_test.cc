#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cluster/hyperloglog_union.h"
#include "tests/unit/cluster/updates.h"

namespace cartwheel {
namespace {

constexpr int64_t kSparseMax = 3000;
constexpr char kNoHyperLogLog[] = "WRONGTYPE Key is not a valid HyperLogLog string value.";
constexpr char kCorrupted[] = "INVALIDOBJ Corrupted HLL object detected";

Update Add(const std::vector<std::string>& elements, int64_t sparse_max = kSparseMax) {
  std::vector<HllMark> marks;
  for (const std::string& element : elements) marks.push_back(MarkOf(element));
  return {UpdateKind::kPfAdd, 0, EncodeMarks(marks), sparse_max, 0};
}
const Update kCount{UpdateKind::kPfCount, 0, {}, 0, 0};
const Update kToDense{UpdateKind::kPfToDense, 0, {}, 0, 0};

std::string With(const std::vector<std::string>& elements, bool dense = false) {
  HllRegisters registers{};
  for (const std::string& element : elements) Raise(&registers, MarkOf(element));
  return EncodeHyperLogLog(registers, dense, kSparseMax, StaleCount(0));
}

// Two sides of a cut, the second the newer.
Object Siblings(std::string older, std::string newer) {
  Object object = Holding(std::move(older));
  PutInto(&object, {}, MakeSibling(2, 20, std::move(newer)));
  return object;
}

TEST(UpdateHyperLogLogTest, AddMakesOneAndSaysWhetherItChanged) {
  const UpdateEffect fresh = Apply(Add({}), {});
  EXPECT_EQ(fresh.bytes, With({}));
  ExpectInteger(fresh, 1);
  const UpdateEffect added = Apply(Add({"a", "b"}), Holding(fresh.bytes, kWall + 9));
  EXPECT_EQ(added.bytes, With({"a", "b"}));
  EXPECT_EQ(added.expires_at_ms, kWall + 9);
  ExpectInteger(added, 1);
  const UpdateEffect known = Apply(Add({"b"}), Holding(added.bytes));
  EXPECT_EQ(known.write, Write::kNothing);
  ExpectInteger(known, 0);
}

TEST(UpdateHyperLogLogTest, TheSparseBoundComesWithTheUpdate) {
  const std::string one = With({"a"});
  EXPECT_FALSE(IsDense(Apply(Add({"b"}), Holding(one)).bytes));
  EXPECT_TRUE(IsDense(Apply(Add({"b"}, 20), Holding(one)).bytes));
  EXPECT_TRUE(IsDense(Apply(Add({"b"}, -1), Holding(one)).bytes));
}

TEST(UpdateHyperLogLogTest, CountIsKeptUntilSomethingIsAdded) {
  const UpdateEffect counted = Apply(kCount, Holding(With({"a", "b", "c"}), kWall + 9));
  ExpectInteger(counted, 3);
  EXPECT_EQ(counted.expires_at_ms, kWall + 9);
  EXPECT_EQ(KeptCount(counted.bytes), 3U);
  const UpdateEffect again = Apply(kCount, Holding(counted.bytes));
  EXPECT_EQ(again.write, Write::kNothing);
  ExpectInteger(again, 3);
  const UpdateEffect added = Apply(Add({"d"}), Holding(counted.bytes));
  EXPECT_EQ(KeptCount(added.bytes), std::nullopt);
  ExpectInteger(Apply(kCount, Holding(added.bytes)), 4);
  ExpectInteger(Apply(kCount, {}), 0);
}

TEST(UpdateHyperLogLogTest, SiblingsAreTakenTogether) {
  const Object both = Siblings(With({"a", "b"}), With({"b", "c"}, true));
  const UpdateEffect counted = Apply(kCount, both);
  ExpectInteger(counted, 3);
  EXPECT_TRUE(IsDense(counted.bytes));
  const UpdateEffect added = Apply(Add({"d"}), both);
  ExpectInteger(Apply(kCount, Holding(added.bytes)), 4);
  ExpectInteger(Apply(Add({"a", "c"}), both), 0);
}

TEST(UpdateHyperLogLogTest, AKeptCountIsNotThatOfSiblings) {
  std::string newer = With({"b", "c"});
  KeepCount(&newer, 2);
  ExpectInteger(Apply(kCount, Siblings(With({"a", "b"}), newer)), 3);
}

TEST(UpdateHyperLogLogTest, OlderSiblingsThatAreNoneAreLeftOut) {
  ExpectInteger(Apply(kCount, Siblings("text", With({"a"}))), 1);
  const std::string damaged = With({"x", "y"}) + "more";
  ExpectInteger(Apply(kCount, Siblings(damaged, With({"a"}))), 1);
  ExpectError(Apply(kCount, Siblings(With({"a"}), "text")), kNoHyperLogLog);
}

TEST(UpdateHyperLogLogTest, MergeAddsToTheDestination) {
  Update merge{UpdateKind::kPfMerge, 0, With({"b", "c"}), kSparseMax, 0};
  const UpdateEffect merged = Apply(merge, Holding(With({"a", "b"}), kWall + 9));
  EXPECT_EQ(merged.bytes, With({"a", "b", "c"}));
  EXPECT_EQ(merged.expires_at_ms, kWall + 9);
  EXPECT_EQ(merged.result.type, Type::kOk);
  EXPECT_EQ(Apply(merge, {}).bytes, With({"b", "c"}));
  EXPECT_EQ(Apply(merge, Holding(With({"a"}, true))).bytes, With({"a", "b", "c"}, true));
  merge.bytes = With({"b", "c"}, true);
  EXPECT_TRUE(IsDense(Apply(merge, {}).bytes));
}

TEST(UpdateHyperLogLogTest, ToDenseKeepsTheCount) {
  std::string value = With({"a", "b"});
  KeepCount(&value, 2);
  const UpdateEffect dense = Apply(kToDense, Holding(value));
  ExpectInteger(dense, 1);
  EXPECT_TRUE(IsDense(dense.bytes));
  EXPECT_EQ(KeptCount(dense.bytes), 2U);
  const UpdateEffect again = Apply(kToDense, Holding(dense.bytes));
  EXPECT_EQ(again.write, Write::kNothing);
  ExpectInteger(again, 0);
  ExpectError(Apply(kToDense, {}), "ERR The specified key does not exist");
}

TEST(UpdateHyperLogLogTest, WhatIsNoneOrDamagedIsAnError) {
  const Update merge{UpdateKind::kPfMerge, 0, With({}), kSparseMax, 0};
  const std::string damaged = With({"a"}) + "more";
  for (const Update& update : {Add({"a"}), merge, kCount, kToDense}) {
    ExpectError(Apply(update, Holding("text")), kNoHyperLogLog);
    ExpectError(Apply(update, Holding(damaged)), kCorrupted);
  }
}

TEST(UpdateHyperLogLogTest, UpdatesOfPeersAreChecked) {
  const Object one = Holding(With({"a"}));
  ExpectError(Apply({UpdateKind::kPfAdd, 0, "\x80", kSparseMax, 0}, one), "ERR malformed update");
  for (const std::string& bytes : {std::string("text"), With({"a"}) + "more"}) {
    ExpectError(Apply({UpdateKind::kPfMerge, 0, bytes, kSparseMax, 0}, one),
                "ERR malformed update");
  }
}

}  // namespace
}  // namespace cartwheel
