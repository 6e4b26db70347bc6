// Histories made by hand, right and doctored: the checker passes the first and names the others.
#include "redis-tests/history_checker.h"

#include <gtest/gtest.h>

#include <string_view>

namespace cartwheel::chaos {
namespace {

class HistoryCheckerTest : public testing::Test {
 protected:
  static Dot At(uint64_t node, uint64_t counter) { return {{node, 100}, counter}; }
  static CausalContext Of(std::initializer_list<Dot> dots) {
    CausalContext context;
    for (const Dot& dot : dots) context.Add(dot);
    return context;
  }

  Write& Add(Verb verb, Outcome outcome, std::string value) {
    Write write;
    write.verb = verb;
    write.outcome = outcome;
    write.value = std::move(value);
    write.began_us = Tick();
    write.ended_us = write.visible_us = Tick();
    history_.writes.push_back(std::move(write));
    return history_.writes.back();
  }
  void Put(std::string value, const CausalContext& given, Dot dot) {
    Write& write = Add(Verb::kPut, Outcome::kAcknowledged, std::move(value));
    write.given = write.answer = given;
    write.answer.Add(dot);
  }
  void UnknownPut(std::string value, const CausalContext& given) {
    Add(Verb::kPut, Outcome::kUnknown, std::move(value)).given = given;
  }
  void ReadContext(const CausalContext& context) {
    Read read;
    read.context = context;
    read.began_us = read.ended_us = Tick();
    history_.reads.push_back(read);
  }
  void ReadSiblings(std::vector<SeenSibling> siblings) {
    Read read;
    read.siblings = std::move(siblings);
    read.began_us = read.ended_us = Tick();
    history_.reads.push_back(read);
  }
  void ReadPlain(std::vector<std::string> values) {
    Read read;
    read.plain = true;
    read.values = std::move(values);
    read.began_us = read.ended_us = Tick();
    history_.reads.push_back(read);
  }
  void End(const CausalContext& context, std::vector<SeenSibling> siblings) {
    final_.context = context;
    final_.siblings = std::move(siblings);
  }
  int64_t Tick() { return now_us_ += 10'000; }

  Verdict Check() { return HistoryChecker(history_, final_).Check(); }
  void ExpectClean() {
    const Verdict verdict = Check();
    EXPECT_TRUE(verdict.violations.empty()) << verdict.violations.front().what;
  }
  void ExpectOne(Fault fault, std::string_view part) {
    const Verdict verdict = Check();
    ASSERT_EQ(verdict.violations.size(), 1U);
    EXPECT_EQ(verdict.violations[0].fault, fault) << verdict.violations[0].what;
    EXPECT_NE(verdict.violations[0].what.find(part), std::string::npos)
        << verdict.violations[0].what;
  }

  KeyHistory history_{"k", {}, {}};
  FinalState final_;
  int64_t now_us_ = 0;
};

TEST_F(HistoryCheckerTest, PassesSiblingsAndWhatContextsCovered) {
  Put("one", {}, At(1, 1));
  Put("two", Of({At(1, 1)}), At(2, 1));
  Put("blind", {}, At(1, 2));
  ReadContext(Of({At(1, 1), At(1, 2), At(2, 1)}));
  ReadSiblings({{At(2, 1), "two", false}, {At(1, 2), "blind", false}});
  End(Of({At(1, 1), At(1, 2), At(2, 1)}), {{At(2, 1), "two", false}, {At(1, 2), "blind", false}});
  ExpectClean();
}

TEST_F(HistoryCheckerTest, FindsAnAcknowledgedWriteThatNobodyHas) {
  Put("one", {}, At(1, 1));
  Put("two", {}, At(2, 1));
  End(Of({At(1, 1)}), {{At(1, 1), "one", false}});
  ExpectOne(Fault::kLost, "two");
}

TEST_F(HistoryCheckerTest, FindsAWriteThatIsSeenButNeitherThereNorCovered) {
  Put("one", {}, At(1, 1));
  Put("two", {}, At(2, 1));
  End(Of({At(1, 1), At(2, 1)}), {{At(1, 1), "one", false}});
  ExpectOne(Fault::kLost, "have seen it");
}

TEST_F(HistoryCheckerTest, AChainOfCoversMayPassUnknownWrites) {
  Put("one", {}, At(1, 1));
  UnknownPut("two", Of({At(1, 1)}));
  ReadSiblings({{At(2, 1), "two", false}});
  Put("three", Of({At(2, 1)}), At(1, 2));
  End(Of({At(1, 1), At(1, 2), At(2, 1)}), {{At(1, 2), "three", false}});
  ExpectClean();
}

TEST_F(HistoryCheckerTest, WhatOnlyALostWriteCoveredIsLost) {
  Put("one", {}, At(1, 1));
  UnknownPut("two", Of({At(1, 1)}));
  End(Of({At(1, 1)}), {});
  ExpectOne(Fault::kLost, "one");
}

TEST_F(HistoryCheckerTest, FindsWhatIsBackThoughCovered) {
  Put("one", {}, At(1, 1));
  Put("two", Of({At(1, 1)}), At(2, 1));
  End(Of({At(1, 1), At(2, 1)}), {{At(1, 1), "one", false}, {At(2, 1), "two", false}});
  ExpectOne(Fault::kResurrected, "one");
}

TEST_F(HistoryCheckerTest, AnUnknownWriteThatTookPlaceCoversAsWell) {
  Put("one", {}, At(1, 1));
  UnknownPut("two", Of({At(1, 1)}));
  End(Of({At(1, 1), At(2, 1)}), {{At(1, 1), "one", false}, {At(2, 1), "two", false}});
  ExpectOne(Fault::kResurrected, "one");
}

TEST_F(HistoryCheckerTest, FindsAValueThatNobodyWrote) {
  Put("one", {}, At(1, 1));
  End(Of({At(1, 1), At(2, 1)}), {{At(1, 1), "one", false}, {At(2, 1), "ghost", false}});
  ExpectOne(Fault::kInvented, "ghost");
}

TEST_F(HistoryCheckerTest, FindsWhatWasRefusedAndDoneAllTheSame) {
  Add(Verb::kPut, Outcome::kNotDone, "refused");
  End(Of({At(1, 1)}), {{At(1, 1), "refused", false}});
  ExpectOne(Fault::kInvented, "refused without being done");
}

TEST_F(HistoryCheckerTest, FindsADotOfTwoValues) {
  Put("one", {}, At(1, 1));
  UnknownPut("two", {});
  ReadSiblings({{At(1, 1), "two", false}});
  End(Of({At(1, 1)}), {{At(1, 1), "one", false}});
  ExpectOne(Fault::kTwoValues, "two");
}

TEST_F(HistoryCheckerTest, FindsADotThatTwoWritesWereAnswered) {
  Put("one", {}, At(1, 1));
  Put("two", {}, At(1, 1));
  End(Of({At(1, 1)}), {{At(1, 1), "one", false}});
  const Verdict verdict = Check();
  ASSERT_FALSE(verdict.violations.empty());
  EXPECT_EQ(verdict.violations.front().fault, Fault::kTwoValues);
}

TEST_F(HistoryCheckerTest, FindsAnAnswerThatClaimsMoreThanWasGiven) {
  Put("one", {}, At(1, 1));
  Put("two", {}, At(2, 1));
  history_.writes.back().answer.Add(At(1, 1));
  End(Of({At(1, 1), At(2, 1)}), {{At(1, 1), "one", false}, {At(2, 1), "two", false}});
  const Verdict verdict = Check();
  ASSERT_FALSE(verdict.violations.empty());
  EXPECT_EQ(verdict.violations.front().fault, Fault::kWrongAnswer);
}

TEST_F(HistoryCheckerTest, FindsTheNewDotWhereItClosesAGap) {
  Put("one", {}, At(1, 1));
  Put("three", Of({At(1, 1)}), At(1, 3));
  Put("two", Of({At(1, 1), At(1, 3)}), At(1, 2));
  End(Of({At(1, 1), At(1, 2), At(1, 3)}), {{At(1, 2), "two", false}});
  ExpectClean();
}

TEST_F(HistoryCheckerTest, FindsAReadThatMissedAnAcknowledgedWrite) {
  Put("one", {}, At(1, 1));
  ReadContext({});
  End(Of({At(1, 1)}), {{At(1, 1), "one", false}});
  ExpectOne(Fault::kStale, "has not seen");
}

TEST_F(HistoryCheckerTest, AStaleReadIsOnlyCountedWhereFallbacksMayHaveAnswered) {
  Put("one", {}, At(1, 1));
  ReadContext({});
  End(Of({At(1, 1)}), {{At(1, 1), "one", false}});
  history_.reads.front().certain = false;
  ExpectClean();
  EXPECT_EQ(Check().stale_reads, 1U);
  EXPECT_EQ(Check().certain_reads, 0U);
}

TEST_F(HistoryCheckerTest, AWriteThatFallbacksTookIsSeenOnceTheyHandedItOn) {
  Put("one", {}, At(1, 1));
  ReadContext({});
  history_.writes.front().visible_us = Tick();
  End(Of({At(1, 1)}), {{At(1, 1), "one", false}});
  ExpectClean();
  EXPECT_EQ(Check().stale_reads, 1U);
  ReadContext({});
  ExpectOne(Fault::kStale, "has not seen");
}

TEST_F(HistoryCheckerTest, AGetMayShowALaterSetThatFallbacksTook) {
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "first");
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "second").visible_us = INT64_MAX;
  ReadPlain({"second"});
  ReadPlain({"first"});
  End(Of({At(1, 1), At(1, 2)}), {{At(1, 2), "second", false}});
  ExpectClean();
  EXPECT_EQ(Check().stale_reads, 1U);
}

TEST_F(HistoryCheckerTest, ADeleteMayMissWhatFallbacksTook) {
  Put("one", {}, At(1, 1));
  history_.writes.front().visible_us = INT64_MAX;
  Add(Verb::kPlainDelete, Outcome::kAcknowledged, "");
  End(Of({At(1, 1), At(2, 1)}), {{At(1, 1), "one", false}, {At(2, 1), "", true}});
  ExpectClean();
  EXPECT_EQ(Check().stale_reads, 1U);
  history_.writes.front().visible_us = history_.writes.front().ended_us;
  ExpectOne(Fault::kResurrected, "deleted by");
  history_.writes.back().saw_all = false;
  ExpectClean();
}

TEST_F(HistoryCheckerTest, FindsAReadThatShowsWhatWasCovered) {
  Put("one", {}, At(1, 1));
  Put("two", Of({At(1, 1)}), At(2, 1));
  ReadSiblings({{At(1, 1), "one", false}, {At(2, 1), "two", false}});
  End(Of({At(1, 1), At(2, 1)}), {{At(2, 1), "two", false}});
  ExpectOne(Fault::kStale, "shows what was covered");
}

TEST_F(HistoryCheckerTest, AGetShowsTheLastSetOrOneOfUnknownOutcome) {
  Add(Verb::kPlainSet, Outcome::kUnknown, "late");
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "first");
  ReadPlain({"first"});
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "second");
  ReadPlain({"second"});
  ReadPlain({"late"});
  End(Of({At(1, 1), At(1, 2)}), {{At(1, 2), "second", false}});
  ExpectClean();
}

TEST_F(HistoryCheckerTest, FindsAGetThatShowsWhatWasOverwritten) {
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "first");
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "second");
  ReadPlain({"first"});
  End(Of({At(1, 1), At(1, 2)}), {{At(1, 2), "second", false}});
  ExpectOne(Fault::kStale, "after SET second");
}

TEST_F(HistoryCheckerTest, OfTwoSetsInAMillisecondEitherIsTheNewest) {
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "first");
  now_us_ -= 9'000;
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "second");
  ReadPlain({"first"});
  End(Of({At(1, 1), At(2, 1)}), {{At(1, 1), "first", false}, {At(2, 1), "second", false}});
  ExpectClean();
}

TEST_F(HistoryCheckerTest, FindsAGetThatShowsNothingThoughNobodyDeleted) {
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "first");
  Add(Verb::kPlainSet, Outcome::kUnknown, "second");
  ReadPlain({});
  End(Of({At(1, 1), At(1, 2)}), {{At(1, 2), "second", false}});
  ExpectOne(Fault::kStale, "after SET first");
}

TEST_F(HistoryCheckerTest, APlainWriteMayCoverWhatWasMintedBeforeIt) {
  Put("one", {}, At(1, 1));
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "first");
  Add(Verb::kPlainSet, Outcome::kUnknown, "second");
  End(Of({At(1, 1), At(1, 2), At(1, 3)}), {{At(1, 3), "second", false}});
  ExpectClean();
}

TEST_F(HistoryCheckerTest, APlainWriteCoversNothingThatBeganAfterIt) {
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "first");
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "second");
  End(Of({At(1, 1), At(1, 2)}), {{At(1, 1), "first", false}});
  ExpectOne(Fault::kLost, "second");
}

TEST_F(HistoryCheckerTest, AnUnknownWriteExplainsNoMoreThanWhatExplainsIt) {
  Add(Verb::kPlainSet, Outcome::kUnknown, "unknown");
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "there");
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "later");
  End(Of({At(1, 1), At(1, 2)}), {{At(1, 1), "there", false}});
  ExpectOne(Fault::kLost, "later");
}

TEST_F(HistoryCheckerTest, APlainWriteDoesNotExcuseAContextThatMissesTheDot) {
  Put("one", {}, At(1, 1));
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "set");
  End(Of({At(2, 1)}), {{At(2, 1), "set", false}});
  ExpectOne(Fault::kLost, "one");
}

TEST_F(HistoryCheckerTest, FindsADeleteThatLeftNoTrace) {
  Put("one", {}, At(1, 1));
  Add(Verb::kPlainDelete, Outcome::kAcknowledged, "");
  End(Of({At(1, 1)}), {{At(1, 1), "one", false}});
  const Verdict verdict = Check();
  ASSERT_EQ(verdict.violations.size(), 2U);
  EXPECT_EQ(verdict.violations[0].fault, Fault::kResurrected);
  EXPECT_EQ(verdict.violations[1].fault, Fault::kLost);
}

TEST_F(HistoryCheckerTest, ATwinOfAWriteKeepsItAndItsReturnIsOnlyCounted) {
  Put("one", {}, At(1, 1));
  Add(Verb::kPlainDelete, Outcome::kAcknowledged, "");
  End(Of({At(1, 1), At(2, 1), At(3, 1)}), {{At(2, 1), "one", false}, {At(3, 1), "", true}});
  ExpectClean();
  EXPECT_EQ(Check().returned_twins, 1U);
}

TEST_F(HistoryCheckerTest, AnAnswerWithoutANewDotIsForAWriteThatAnotherReplaced) {
  Add(Verb::kPut, Outcome::kAcknowledged, "one");
  End(Of({At(1, 1)}), {{At(1, 1), "one", false}});
  EXPECT_EQ(Check().violations.size(), 1U);
  Add(Verb::kPlainSet, Outcome::kUnknown, "two").began_us = history_.writes[0].began_us;
  End(Of({At(1, 1), At(2, 1), At(3, 1)}), {{At(2, 1), "two", false}});
  ExpectClean();
}

TEST_F(HistoryCheckerTest, AWriteMayFollowADelete) {
  Add(Verb::kPlainDelete, Outcome::kAcknowledged, "");
  Put("one", {}, At(1, 1));
  End(Of({At(1, 1), At(2, 1)}), {{At(1, 1), "one", false}, {At(2, 1), "", true}});
  ExpectClean();
}

TEST_F(HistoryCheckerTest, AnotherTombstoneIsNoTwinOfADeleteThatNobodyHasSeen) {
  Add(Verb::kDelete, Outcome::kAcknowledged, "").answer = Of({At(1, 1)});
  Add(Verb::kPlainDelete, Outcome::kUnknown, "");
  End(Of({At(2, 1)}), {{At(2, 1), "", true}});
  ExpectOne(Fault::kLost, "the delete");
}

TEST_F(HistoryCheckerTest, AContextMayCoverAPlainWriteWhoseDotNobodySaw) {
  Add(Verb::kPlainSet, Outcome::kAcknowledged, "set");
  Put("put", Of({At(1, 1)}), At(2, 1));
  End(Of({At(1, 1), At(2, 1)}), {{At(2, 1), "put", false}});
  ExpectClean();
}

TEST_F(HistoryCheckerTest, FindsATombstoneThoughNobodyDeleted) {
  Put("one", {}, At(1, 1));
  End(Of({At(1, 1), At(2, 1)}), {{At(1, 1), "one", false}, {At(2, 1), "", true}});
  ExpectOne(Fault::kInvented, "nobody deleted");
}

}  // namespace
}  // namespace cartwheel::chaos
