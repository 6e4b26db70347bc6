#include "values/hyperloglog.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/random.h"
#include "values/hyperloglog_check.h"
#include "values/hyperloglog_coding.h"

namespace cartwheel {
namespace {

using namespace std::string_literals;

HllRegisters RandomRegisters(Random* random, uint64_t ranks, uint64_t zeros_of_ten) {
  HllRegisters registers{};
  for (uint8_t& rank : registers) {
    rank = static_cast<uint8_t>(random->Chance(zeros_of_ten, 10) ? 0 : random->Below(ranks));
  }
  return registers;
}

HllRegisters Read(const std::string& value) {
  HllRegisters registers{};
  EXPECT_TRUE(IsHyperLogLog(value));
  EXPECT_TRUE(MergeRegisters(value, &registers));
  return registers;
}

void AddNumbers(uint64_t first, uint64_t count, HllRegisters* registers) {
  for (uint64_t i = first; i < first + count; ++i) {
    Raise(registers, MarkOf("element:" + std::to_string(i)));
  }
}

TEST(HyperLogLogTest, AnElementLeavesTheMarkThatRedisGivesIt) {
  // As PFDEBUG DECODE of redis-server 7.0.15 shows them.
  EXPECT_EQ(MarkOf("a"), (HllMark{12711, 2}));
  EXPECT_EQ(MarkOf("b"), (HllMark{15780, 1}));
  EXPECT_EQ(MarkOf("c"), (HllMark{8436, 1}));
  EXPECT_EQ(MarkOf("12345678"), (HllMark{10579, 3}));
  EXPECT_EQ(MarkOf("a longer element, of several words"), (HllMark{5287, 2}));
}

TEST(HyperLogLogTest, TheEstimateIsWithinItsErrorBound) {
  EXPECT_EQ(EstimateCount({}), 0U);
  HllRegisters registers{};
  uint64_t added = 0;
  for (const uint64_t count : {1, 5, 100, 1000, 10'000, 100'000, 300'000}) {
    AddNumbers(added, count - added, &registers);
    added = count;
    const double error =
        std::abs(static_cast<double>(EstimateCount(registers)) - static_cast<double>(count));
    // Four standard errors of 1.04 / sqrt(16384).
    EXPECT_LE(error, std::max(1.0, 4 * 1.04 / 128 * static_cast<double>(count))) << count;
  }
}

TEST(HyperLogLogTest, FullAndImpossibleRegistersGiveAnEstimateToo) {
  HllRegisters registers;
  registers.fill(kHllMaxRank);
  EXPECT_GT(EstimateCount(registers), 1ULL << 50);
  registers.fill(63);
  EstimateCount(registers);
}

TEST(HyperLogLogTest, TheUnionOfRegistersIsThatOfTheSets) {
  HllRegisters one{}, other{}, both{};
  AddNumbers(0, 3000, &one);
  AddNumbers(2000, 3000, &other);
  AddNumbers(0, 5000, &both);
  HllRegisters merged = one;
  ASSERT_TRUE(MergeRegisters(EncodeHyperLogLog(other, true, 0, 0), &merged));
  EXPECT_EQ(merged, both);
  merged = one;
  ASSERT_TRUE(MergeRegisters(EncodeHyperLogLog(other, false, UINT64_MAX, 0), &merged));
  EXPECT_EQ(merged, both);
}

TEST(HyperLogLogTest, RegistersReadBackAsTheyWereWritten) {
  Random random(1);
  for (const uint64_t zeros_of_ten : {0, 5, 9}) {
    const HllRegisters any = RandomRegisters(&random, 64, zeros_of_ten);
    EXPECT_EQ(Read(EncodeHyperLogLog(any, true, 0, 7)), any);
    const HllRegisters low = RandomRegisters(&random, 3, zeros_of_ten);
    const std::string sparse = EncodeHyperLogLog(low, false, UINT64_MAX, 7);
    EXPECT_FALSE(IsDense(sparse));
    EXPECT_EQ(Read(sparse), low);
    EXPECT_EQ(RawCount(sparse), 7U);
  }
}

TEST(HyperLogLogTest, AnEmptyOneIsAsRedisWritesIt) {
  EXPECT_EQ(EncodeHyperLogLog({}, false, 0, StaleCount(0)),
            "HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff"s);
}

TEST(HyperLogLogTest, RunsAreAsShortAsTheyCanBe) {
  HllRegisters registers{};
  registers[64] = 1;
  for (size_t i = 65; i < 71; ++i) registers[i] = 32;
  EXPECT_EQ(DescribeRuns(EncodeHyperLogLog(registers, false, 3000, 0)),
            "z:64 v:1,1 v:32,4 v:32,2 Z:16313");
}

TEST(HyperLogLogTest, WhatIsTooLargeForTheSparseFormBecomesDense) {
  HllRegisters registers{};
  registers[100] = 32;
  EXPECT_FALSE(IsDense(EncodeHyperLogLog(registers, false, 21, 0)));
  EXPECT_TRUE(IsDense(EncodeHyperLogLog(registers, false, 20, 0)));
  EXPECT_TRUE(IsDense(EncodeHyperLogLog(registers, true, 3000, 0)));
  registers[100] = 33;
  const std::string dense = EncodeHyperLogLog(registers, false, 3000, 0);
  EXPECT_TRUE(IsDense(dense));
  EXPECT_EQ(Read(dense), registers);
}

TEST(HyperLogLogTest, TheCountIsKeptUntilItIsStale) {
  std::string value = EncodeHyperLogLog({}, false, 0, StaleCount(5));
  EXPECT_EQ(KeptCount(value), std::nullopt);
  KeepCount(&value, 258);
  EXPECT_EQ(KeptCount(value), 258U);
  EXPECT_EQ(value.substr(8, 8), "\x02\x01\0\0\0\0\0\0"s);
  EXPECT_EQ(value.size(), 18U);
}

TEST(HyperLogLogTest, HeadsThatAreNoneAreRefused) {
  const std::string sparse = EncodeHyperLogLog({}, false, 0, 0);
  const std::string dense = EncodeHyperLogLog({}, true, 0, 0);
  EXPECT_EQ(dense.size(), 12304U);
  EXPECT_FALSE(IsHyperLogLog(""));
  EXPECT_FALSE(IsHyperLogLog(sparse.substr(0, 15)));
  EXPECT_FALSE(IsHyperLogLog("hyll" + sparse.substr(4)));
  EXPECT_FALSE(IsHyperLogLog(dense + "x"));
  EXPECT_FALSE(IsHyperLogLog(dense.substr(0, 12303)));
  std::string unknown = sparse;
  unknown[4] = 2;
  EXPECT_FALSE(IsHyperLogLog(unknown));
}

TEST(HyperLogLogTest, RunsThatAreNot16384RegistersAreDamage) {
  const std::string head = EncodeHyperLogLog({}, false, 0, 0).substr(0, kHllHeaderBytes);
  HllRegisters registers{};
  for (const std::string& runs :
       {""s, "\x7f"s, "\x7f\xfe"s, "\x7f\xff\0"s, "\x7f\xff\x80"s, "\x7f\xfe\x81"s,
        std::string(300000, '\x7f') + "\xff"s, std::string(100000, '\x3f')}) {
    EXPECT_FALSE(MergeRegisters(head + runs, &registers));
  }
  EXPECT_TRUE(MergeRegisters(head + "\x7f\xfe\x80"s, &registers));
}

TEST(HyperLogLogTest, DamagedRunsAreReadOrRefused) {
  Random random(2);
  const std::string good = EncodeHyperLogLog(RandomRegisters(&random, 5, 9), false, UINT64_MAX, 0);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string value = good;
    const size_t at = kHllHeaderBytes + random.Below(value.size() - kHllHeaderBytes);
    value[at] = static_cast<char>(random.Next());
    if (random.Chance(1, 4)) value.resize(at);
    HllRegisters registers{};
    if (!MergeRegisters(value, &registers)) {
      ++refused;
      continue;
    }
    EXPECT_EQ(Read(EncodeHyperLogLog(registers, false, UINT64_MAX, 0)), registers);
  }
  EXPECT_GT(refused, 2000);
  EXPECT_LT(refused, 3000);
}

TEST(HyperLogLogTest, MarksReadBackAndMalformedOnesAreRefused) {
  std::vector<HllMark> marks = {{0, 1}, {16383, 51}, {77, 3}};
  EXPECT_EQ(DecodeMarks(EncodeMarks(marks)), marks);
  EXPECT_EQ(DecodeMarks(""), std::vector<HllMark>());
  for (const HllMark& bad : {HllMark{16384, 1}, HllMark{1, 0}, HllMark{1, 52}}) {
    EXPECT_EQ(DecodeMarks(EncodeMarks({&bad, 1})), std::nullopt);
  }
  EXPECT_EQ(DecodeMarks("\x80"), std::nullopt);
}

TEST(HyperLogLogTest, TheCheckOfItsOwnPasses) { EXPECT_EQ(CheckHyperLogLog(), ""); }

}  // namespace
}  // namespace cartwheel
