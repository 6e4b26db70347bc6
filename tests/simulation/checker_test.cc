// Histories made by hand, right and wrong: the checker must pass the first and name the others.
#include "tests/simulation/checker.h"

#include <gtest/gtest.h>

#include "storage/record.h"

namespace cartwheel::sim {
namespace {

constexpr uint64_t kNode1 = 1;
constexpr uint64_t kNode2 = 2;

class CheckerTest : public testing::Test {
 protected:
  CheckerTest() : checker_(false) { key_ = checker_.AddKey(kKey, Where()); }

  static Position Where() { return PositionOf(kKey.db, kKey.bytes, Partitioner::kSlot); }

  static Sibling Version(Dot dot, std::string bytes) {
    Sibling sibling;
    sibling.dot = dot;
    sibling.time = dot.counter;
    sibling.operation = dot.actor.node << 32 | dot.counter;
    sibling.kind = bytes.empty() ? Kind::kTombstone : Kind::kValue;
    sibling.bytes = std::move(bytes);
    return sibling;
  }
  static Dot At(uint64_t node, uint64_t counter) { return {{node, 100}, counter}; }

  void Store(uint64_t node, const Object& object, const CausalContext* given = nullptr) {
    const std::string image = EncodeRecord(Where(), kKey.db, kKey.bytes, object, 0);
    checker_.OnPut(node, Where(), image, given, now_us_);
  }

  uint64_t Ask(ClientOp op) {
    now_us_ += 1000;
    op.id = ++last_id_;
    checker_.Begin(op.id, key_, op, now_us_, now_us_ + 1'000'000);
    return op.id;
  }
  void Answered(uint64_t id, decltype(Answer::result) result, int64_t late_us = 0) {
    now_us_ += 1000;
    checker_.End(id, Answer{id, 0, std::move(result)}, now_us_, late_us);
  }
  uint64_t BeginPut(std::optional<CausalContext> given, std::string bytes) {
    PutOperation put;
    put.key = kKey;
    put.context = std::move(given);
    put.bytes = std::move(bytes);
    return Ask({0, std::move(put)});
  }

  // A DYN.PUT that is minted on top of `object` and acknowledged.
  CausalContext Put(Object* object, const CausalContext& given, Dot dot, std::string bytes) {
    const uint64_t id = BeginPut(given, bytes);
    PutInto(object, given, Version(dot, std::move(bytes)));
    Store(dot.actor.node, *object, &given);
    CausalContext answer = given;
    answer.Add(dot);
    Answered(id, PutAnswer{answer});
    return answer;
  }
  void Read(const Object& object) {
    Answered(Ask({0, ReadOperation{kKey}}), ReadAnswer{object, {}});
  }

  void ExpectFailure(std::string_view part) {
    ASSERT_TRUE(checker_.failed()) << "nothing was seen of: " << part;
    EXPECT_NE(checker_.failure()->find(part), std::string::npos) << *checker_.failure();
  }

  inline static const Key kKey{0, "k"};
  Checker checker_;
  size_t key_ = 0;
  int64_t now_us_ = 0;
  uint64_t last_id_ = 0;
};

TEST_F(CheckerTest, PassesWritesReadsAndACleanEnd) {
  Object object;
  const CausalContext first = Put(&object, {}, At(kNode1, 1), "one");
  Read(object);
  Put(&object, first, At(kNode2, 1), "two");
  Put(&object, {}, At(kNode1, 2), "blind");
  Read(object);
  EXPECT_EQ(object.siblings.size(), 2U);
  checker_.Final(key_, object);
  EXPECT_FALSE(checker_.failed()) << *checker_.failure();
  EXPECT_EQ(checker_.counts().acknowledged_writes, 3U);
}

TEST_F(CheckerTest, FindsALostWrite) {
  Object object;
  Put(&object, {}, At(kNode1, 1), "one");
  Put(&object, {}, At(kNode1, 2), "two");
  object.siblings.resize(1);
  checker_.Final(key_, object);
  ExpectFailure("is lost");
}

TEST_F(CheckerTest, WhatPowerTookIsUnknownAndWhatItCoveredIsNot) {
  Object object;
  const CausalContext one = Put(&object, {}, At(kNode1, 1), "one");
  const Object before = object;
  const int64_t since_us = now_us_ + 1;
  Put(&object, one, At(kNode1, 2), "two");
  checker_.Lost(since_us, now_us_);
  Read(before);
  checker_.Final(key_, before);
  EXPECT_FALSE(checker_.failed()) << *checker_.failure();
  checker_.Final(key_, Object());
  ExpectFailure("is lost");
}

TEST_F(CheckerTest, AWriteCoveredByAChainOfWritesIsNotLost) {
  Object object;
  const CausalContext one = Put(&object, {}, At(kNode1, 1), "one");
  // Not acknowledged, but it covers the first and is covered itself.
  BeginPut(one, "two");
  PutInto(&object, one, Version(At(kNode2, 1), "two"));
  Store(kNode2, object, &one);
  CausalContext only_two;
  only_two.Add(At(kNode2, 1));
  Put(&object, only_two, At(kNode1, 2), "three");
  ASSERT_EQ(object.siblings.size(), 1U);
  checker_.Final(key_, object);
  EXPECT_FALSE(checker_.failed()) << *checker_.failure();
}

TEST_F(CheckerTest, AWriteCoveredOnlyByALostOneIsLost) {
  Object object;
  const CausalContext one = Put(&object, {}, At(kNode1, 1), "one");
  BeginPut(one, "two");
  Object elsewhere = object;
  PutInto(&elsewhere, one, Version(At(kNode2, 1), "two"));
  Store(kNode2, elsewhere, &one);
  Object left;
  PutInto(&left, {}, Version(At(kNode1, 2), ""));
  Store(kNode1, left);
  checker_.Final(key_, left);
  // The tombstone's copy claims to have seen nothing but itself.
  ExpectFailure("is lost");
}

TEST_F(CheckerTest, FindsACoveredVersionThatIsReadAgain) {
  Object object;
  const CausalContext one = Put(&object, {}, At(kNode1, 1), "one");
  const Object stale = object;
  Put(&object, one, At(kNode1, 2), "two");
  Read(stale);
  ExpectFailure("had covered");
}

TEST_F(CheckerTest, OfTwoDeletesTheAcknowledgedOneDoesNotCoverItself) {
  Object object;
  Put(&object, {}, At(kNode1, 1), "one");
  const Object before = object;
  const uint64_t first = Ask({0, DeleteOperation{kKey}});
  Ask({0, DeleteOperation{kKey}});
  Object after_first;
  for (const uint64_t counter : {2, 3}) {
    CausalContext all = object.context;
    all.Add(At(kNode1, counter));
    PutInto(&object, all, Version(At(kNode1, counter), ""));
    Store(kNode1, object);
    if (counter == 2) after_first = object;
  }
  Answered(first, DeleteAnswer{true});
  Read(after_first);
  EXPECT_FALSE(checker_.failed()) << *checker_.failure();
  Read(before);
  ExpectFailure("had covered");
}

TEST_F(CheckerTest, FindsACoveredVersionThatIsBackAtTheEnd) {
  Object object;
  const CausalContext one = Put(&object, {}, At(kNode1, 1), "one");
  const Object stale = object;
  Put(&object, one, At(kNode1, 2), "two");
  Object both = object;
  both.siblings.push_back(stale.siblings[0]);
  checker_.Final(key_, both);
  ExpectFailure("is back");
}

TEST_F(CheckerTest, FindsAReadThatMissesAnAcknowledgedWrite) {
  Object object;
  Put(&object, {}, At(kNode1, 1), "one");
  Read(Object());
  ExpectFailure("missed an acknowledged write");
}

TEST_F(CheckerTest, AReadThatBeganBeforeTheAnswerMayMissTheWrite) {
  Object object;
  const uint64_t read = Ask({0, ReadOperation{kKey}});
  Put(&object, {}, At(kNode1, 1), "one");
  Answered(read, ReadAnswer{});
  EXPECT_FALSE(checker_.failed()) << *checker_.failure();
}

TEST_F(CheckerTest, FindsADotWithTwoValues) {
  Object object;
  Put(&object, {}, At(kNode1, 1), "one");
  BeginPut(CausalContext(), "two");
  Object other;
  PutInto(&other, {}, Version(At(kNode1, 1), "two"));
  Store(kNode1, other);
  ExpectFailure("two values");
}

TEST_F(CheckerTest, FindsADotThatAnotherNodeMadeUp) {
  BeginPut(CausalContext(), "one");
  Object object;
  PutInto(&object, {}, Version(At(kNode1, 1), "one"));
  Store(kNode2, object);
  ExpectFailure("never minted");
}

TEST_F(CheckerTest, FindsAValueNobodyWrote) {
  Object object;
  PutInto(&object, {}, Version(At(kNode1, 1), "phantom"));
  Store(kNode1, object);
  ExpectFailure("nobody wrote");
}

TEST_F(CheckerTest, FindsAnAppendThatHappenedTwice) {
  UpdateOperation append{kKey, {}};
  append.update.kind = UpdateKind::kAppend;
  append.update.bytes = "t1;";
  Ask({0, append});
  Object object;
  PutInto(&object, {}, Version(At(kNode1, 1), "t1;"));
  Store(kNode1, object);
  EXPECT_FALSE(checker_.failed());
  CausalContext seen = object.context;
  PutInto(&object, seen, Version(At(kNode1, 2), "t1;t1;"));
  Store(kNode1, object);
  ExpectFailure("nobody wrote");
}

TEST_F(CheckerTest, FindsThatOneOfSeveralCopiesIsMissing) {
  for (const int missing : {0, 1}) {
    const std::string name = std::to_string(missing);
    UpdateOperation replace{kKey, {}};
    replace.update.kind = UpdateKind::kReplace;
    replace.update.bytes = EncodeCopies(std::vector<SiblingCopy>{{0, "a" + name}, {0, "b" + name}});
    const uint64_t id = Ask({0, replace});
    Object object;
    PutInto(&object, {}, Version(At(kNode1, missing == 0 ? 1 : 3), "a" + name));
    if (missing == 0) PutInto(&object, {}, Version(At(kNode1, 2), "b" + name));
    Store(kNode1, object);
    Answered(id, UpdateAnswer{{UpdateResult::Type::kInteger, 1, {}}});
    EXPECT_EQ(checker_.failed(), missing == 1);
  }
  ExpectFailure("written together");
}

TEST_F(CheckerTest, FindsAnAnswerWhoseContextClaimsMore) {
  Object object;
  Put(&object, {}, At(kNode1, 1), "one");
  const uint64_t id = BeginPut(CausalContext(), "two");
  PutInto(&object, {}, Version(At(kNode1, 2), "two"));
  const CausalContext none;
  Store(kNode1, object, &none);
  Answered(id, PutAnswer{object.context});
  ExpectFailure("not what was given");
}

TEST_F(CheckerTest, FindsAnAcknowledgementWithoutAVersion) {
  const uint64_t id = BeginPut(CausalContext(), "one");
  CausalContext answer;
  answer.Add(At(kNode1, 1));
  Answered(id, PutAnswer{answer});
  ExpectFailure("without a version");
}

TEST_F(CheckerTest, FindsALateAnswerButForgivesANodeThatStoodStill) {
  const uint64_t paused = Ask({0, ReadOperation{kKey}});
  now_us_ += 5'000'000;
  Answered(paused, NoQuorum{}, 4'500'000);
  EXPECT_FALSE(checker_.failed()) << *checker_.failure();
  const uint64_t late = Ask({0, ReadOperation{kKey}});
  now_us_ += 5'000'000;
  Answered(late, NoQuorum{});
  ExpectFailure("after its deadline");
}

TEST_F(CheckerTest, AWriteOfUnknownOutcomeMayBeThereOrNot) {
  Object object;
  Put(&object, {}, At(kNode1, 1), "one");
  const uint64_t id = BeginPut(CausalContext(), "two");
  Object with = object;
  PutInto(&with, {}, Version(At(kNode1, 2), "two"));
  Store(kNode1, with);
  Answered(id, NoQuorum{'W', 2, 1});
  checker_.Final(key_, object);
  checker_.Final(key_, with);
  EXPECT_FALSE(checker_.failed()) << *checker_.failure();
}

}  // namespace
}  // namespace cartwheel::sim
