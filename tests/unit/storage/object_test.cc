#include "storage/object.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/storage/random_objects.h"

namespace cartwheel {
namespace {

constexpr Actor kSx{1, 1};
constexpr Actor kSy{2, 1};
constexpr Actor kSz{3, 1};

Sibling Value(const Dot& dot, uint64_t time, std::string bytes) {
  Sibling sibling;
  sibling.dot = dot;
  sibling.time = time;
  sibling.operation = dot.actor.node * 1000 + dot.counter;
  sibling.bytes = std::move(bytes);
  return sibling;
}

Object Put(Object object, const CausalContext& given, const Sibling& sibling) {
  PutInto(&object, given, sibling);
  return object;
}

std::vector<std::string> ValuesOf(const Object& object) {
  std::vector<std::string> values;
  for (const Sibling& sibling : object.siblings) values.push_back(sibling.bytes);
  return values;
}

using Vector = absl::InlinedVector<CausalContext::Entry, 1>;
using Values = std::vector<std::string>;

// Section 4.4 of the paper, figure 3, with its names.
TEST(Object, FollowsTheVersionsOfThePaper) {
  const Object d1 = Put({}, {}, Value({kSx, 1}, 1, "D1"));
  EXPECT_EQ(d1.context.vector(), (Vector{{kSx, 1}}));

  const Object d2 = Put(d1, d1.context, Value({kSx, 2}, 2, "D2"));
  EXPECT_EQ(d2.context.vector(), (Vector{{kSx, 2}}));
  EXPECT_EQ(ValuesOf(d2), Values{"D2"}) << "D2 descends from D1 and overwrites it";
  EXPECT_EQ(Merged(d1, d2), d2) << "a replica that has seen D1 only takes D2 for it";

  const Object d3 = Put(d2, d2.context, Value({kSy, 1}, 3, "D3"));
  const Object d4 = Put(d2, d2.context, Value({kSz, 1}, 4, "D4"));
  EXPECT_EQ(d3.context.vector(), (Vector{{kSx, 2}, {kSy, 1}}));
  EXPECT_EQ(d4.context.vector(), (Vector{{kSx, 2}, {kSz, 1}}));

  const Object both = Merged(d3, d4);
  EXPECT_EQ(ValuesOf(both), (Values{"D4", "D3"})) << "neither has seen the other";
  EXPECT_EQ(both.context.vector(), (Vector{{kSx, 2}, {kSy, 1}, {kSz, 1}}));

  const Object d5 = Put(d2, both.context, Value({kSx, 3}, 5, "D5"));
  EXPECT_EQ(d5.context.vector(), (Vector{{kSx, 3}, {kSy, 1}, {kSz, 1}}));
  EXPECT_TRUE(d5.context.cloud().empty());
  for (const Object& old : {d1, d2, d3, d4, both}) {
    EXPECT_EQ(Merged(old, d5), d5);
    EXPECT_EQ(Merged(d5, old), d5);
  }
}

TEST(Object, ABlindPutLeavesASibling) {
  Object object = Put({}, {}, Value({kSx, 1}, 1, "a"));
  PutInto(&object, {}, Value({kSx, 2}, 2, "b"));
  EXPECT_EQ(ValuesOf(object), (Values{"b", "a"}));
  EXPECT_EQ(object.context.vector(), (Vector{{kSx, 2}}));
  // The delta of the second write must not claim the first.
  const Object delta = DeltaOf({}, Value({kSx, 2}, 2, "b"));
  EXPECT_EQ(ValuesOf(Merged(Put({}, {}, Value({kSx, 1}, 1, "a")), delta)), (Values{"b", "a"}));
}

TEST(Object, APutReplacesWhatItsContextCoversAndNoMore) {
  Object object;
  for (uint64_t i = 1; i <= 4; ++i) {
    PutInto(&object, {}, Value({kSx, i}, i, std::string(1, static_cast<char>('a' + i - 1))));
  }
  CausalContext given;
  given.Add({kSx, 1});
  given.Add({kSx, 3});
  PutInto(&object, given, Value({kSy, 1}, 9, "new"));
  EXPECT_EQ(ValuesOf(object), (Values{"new", "d", "b"}));
}

TEST(Object, APutMayBeGivenTheObjectsOwnContext) {
  Object object = Put({}, {}, Value({kSx, 1}, 1, "a"));
  PutInto(&object, object.context, Value({kSx, 2}, 2, "b"));
  EXPECT_EQ(ValuesOf(object), Values{"b"});
  EXPECT_EQ(object.context.vector(), (Vector{{kSx, 2}}));
}

TEST(Object, ALateDeltaOfAReplacedVersionChangesNothing) {
  const Object first = DeltaOf({}, Value({kSx, 1}, 1, "a"));
  Object object = Put(first, first.context, Value({kSy, 1}, 2, "b"));
  const Object before = object;
  MergeInto(&object, first);
  EXPECT_EQ(object, before);
}

TEST(Object, SiblingsAreNewestFirstAndTiesGoByDot) {
  Object object = Put({}, {}, Value({kSy, 1}, 5, "y"));
  PutInto(&object, {}, Value({kSx, 1}, 5, "x"));
  PutInto(&object, {}, Value({kSz, 1}, 4, "z"));
  EXPECT_EQ(ValuesOf(object), (Values{"y", "x", "z"}));
}

TEST(Object, NewestPassesOverWhatIsDead) {
  Object object;
  EXPECT_EQ(object.Newest({}), nullptr);
  PutInto(&object, {}, Value({kSx, 1}, 10, "live"));
  Sibling expiring = Value({kSx, 2}, 20, "expiring");
  expiring.expires_at_ms = 1000;
  PutInto(&object, {}, expiring);
  Sibling tombstone = Value({kSx, 3}, 30, "");
  tombstone.kind = Kind::kTombstone;
  PutInto(&object, {}, tombstone);
  EXPECT_EQ(object.Newest({999, 0})->bytes, "expiring");
  EXPECT_EQ(object.Newest({1000, 0})->bytes, "live") << "expires at that very millisecond";
  EXPECT_EQ(object.Newest({1000, 10})->bytes, "live");
  EXPECT_EQ(object.Newest({1000, 11}), nullptr) << "flushed";
}

TEST(Object, ARetriedOperationIsShownAsOneSiblingAndReplacedAsOne) {
  Sibling first = Value({kSx, 1}, 9, "v");
  Sibling again = Value({kSy, 1}, 3, "v");
  again.operation = first.operation;
  const Object a = DeltaOf({}, first);
  const Object b = DeltaOf({}, again);
  const Object merged = Merged(a, b);
  EXPECT_EQ(merged.siblings.size(), 2u) << "what is stored keeps both";
  EXPECT_EQ(Merged(b, a), merged);
  EXPECT_EQ(Put(a, {}, again), merged);
  Object shown = Put(merged, {}, Value({kSz, 1}, 5, "other"));
  UniteTwins(&shown);
  ASSERT_EQ(shown.siblings.size(), 2u);
  EXPECT_EQ(shown.siblings[0].dot, first.dot) << "the newest";
  EXPECT_EQ(shown.siblings[1].bytes, "other");
  for (const Dot& known : {first.dot, again.dot}) {
    CausalContext given;
    given.Add(known);
    CoverTwins(merged, &given);
    EXPECT_TRUE(given.Contains(first.dot) && given.Contains(again.dot));
    EXPECT_EQ(Put(merged, given, Value({kSz, 2}, 10, "w")).siblings.size(), 1u);
  }
}

// p was minted twice, and so was q: p over one q, q over the other p. Only the last takes a twin
// along, of what it was minted over: both may not be gone.
TEST(Object, TwoRetriedWritesThatMetEachOthersTwinsAreNotBothGone) {
  const auto of = [](const Dot& dot, uint64_t time, uint64_t operation, uint8_t attempt) {
    Sibling sibling = Value(dot, time, operation == 1 ? "p" : "q");
    sibling.operation = operation;
    sibling.attempt = attempt;
    return sibling;
  };
  const Object q4 = DeltaOf({}, of({kSz, 1}, 1, 2, 0));
  const Object p1 = Put(q4, q4.context, of({kSx, 1}, 2, 1, 0));
  const Object p2 = DeltaOf({}, of({kSy, 1}, 3, 1, 1));
  const Object q2 = Put(p2, p2.context, of({kSy, 2}, 4, 2, 1));
  const Object met = Merged(Merged(p1, p2), Merged(q4, q2));
  EXPECT_EQ(ValuesOf(met), Values{"q"});
  EXPECT_EQ(Merged(Merged(q4, q2), Merged(p1, p2)), met);
}

// One write, minted by Sx, which gave no answer, and by Sy; and what replaced it there.
struct Twins {
  Twins() {
    Sibling again = Value({kSy, 1}, 3, "v");
    again.operation = kOperation;
    again.attempt = 1;
    Sibling lost = Value({kSx, 1}, 9, "v");
    lost.operation = kOperation;
    first = DeltaOf({}, lost);
    retried = DeltaOf({}, again);
    later = Put(retried, retried.context, Value({kSz, 1}, 10, "later"));
  }

  static constexpr uint64_t kOperation = 77;
  Object first;
  Object retried;
  Object later;
};

TEST(Object, WhatReplacesARetriedWriteTakesItsTwinToo) {
  const Twins twins;
  EXPECT_EQ(twins.later.siblings[0].replaces, (std::vector<Replaced>{{Twins::kOperation, 1}}));
  const Object met = Merged(twins.later, twins.first);
  EXPECT_EQ(ValuesOf(met), Values{"later"});
  EXPECT_TRUE(met.context.Contains({kSx, 1}));
  EXPECT_EQ(Merged(twins.first, twins.later), met);
  EXPECT_EQ(Merged(met, twins.first), met);
}

TEST(Object, EarlierAttemptsGoWhateverTheClocksSay) {
  Twins twins;
  twins.first.siblings[0].time = 99;
  EXPECT_EQ(ValuesOf(Merged(twins.first, twins.later)), Values{"later"});
  EXPECT_EQ(ValuesOf(Merged(twins.later, twins.first)), Values{"later"});
}

// The answer was an earlier attempt's, which came late.
TEST(Object, OfTheSameAttemptTheEarlierGoes) {
  Twins twins;
  twins.first.siblings[0].attempt = 1;
  EXPECT_EQ(ValuesOf(Merged(twins.later, twins.first)), Values{"later"});
  twins.first.siblings[0].time = 11;
  EXPECT_EQ(ValuesOf(Merged(twins.later, twins.first)), (Values{"v", "later"}));
}

// It may have been minted over writes that nothing here has replaced.
TEST(Object, LaterAttemptsStayWhateverTheClocksSay) {
  Twins twins;
  twins.first.siblings[0].attempt = 2;
  twins.first.siblings[0].time = 0;
  EXPECT_EQ(ValuesOf(Merged(twins.later, twins.first)), (Values{"later", "v"}));
  EXPECT_EQ(ValuesOf(Merged(twins.first, twins.later)), (Values{"later", "v"}));
}

TEST(Object, WhatARetryReplacesItRemembers) {
  const Twins twins;
  Sibling again = Value({kSz, 2}, 11, "again");
  again.attempt = 1;
  const Object last = Put(twins.later, twins.later.context, again);
  EXPECT_EQ(ValuesOf(Merged(last, twins.first)), Values{"again"});
}

TEST(Object, WhatComesAfterItTakesTheTwinAsWell) {
  const Twins twins;
  const Object last = Put(twins.later, twins.later.context, Value({kSz, 2}, 11, "last"));
  EXPECT_EQ(ValuesOf(Merged(last, twins.first)), Values{"last"});
}

TEST(Object, ATwinThatHasSeenWhatReplacedTheOtherStays) {
  const Twins twins;
  Sibling third = Value({kSx, 2}, 12, "v");
  third.operation = Twins::kOperation;
  third.attempt = 2;
  const Object over = Put(twins.later, twins.later.context, third);
  EXPECT_EQ(ValuesOf(Merged(over, twins.later)), Values{"v"}) << "later is covered by it";
  EXPECT_EQ(Merged(twins.later, over), Merged(over, twins.later));
}

TEST(Object, TwoRetriedWritesThatMetInTwoOrdersBothStay) {
  const auto retried = [](const Dot& dot, uint64_t operation, std::string bytes) {
    Sibling sibling = Value(dot, 5, std::move(bytes));
    sibling.operation = operation;
    sibling.attempt = 1;
    return sibling;
  };
  Object here = DeltaOf({}, retried({kSx, 1}, 1, "one"));
  here = Put(here, here.context, retried({kSx, 2}, 2, "two"));
  Object there = DeltaOf({}, retried({kSy, 1}, 2, "two"));
  there = Put(there, there.context, retried({kSy, 2}, 1, "one"));
  EXPECT_EQ(Merged(here, there).siblings.size(), 2u);
  EXPECT_EQ(Merged(there, here), Merged(here, there));
}

TEST(Object, NoneTakesWhatTakesItself) {
  Sibling one = Value({kSx, 1}, 1, "one");
  Sibling two = Value({kSy, 1}, 2, "two");
  one.replaces = {{two.operation, 1}};
  two.replaces = {{one.operation, 1}};
  EXPECT_EQ(Merged(DeltaOf({}, one), DeltaOf({}, two)).siblings.size(), 2u);
}

TEST(Object, ASiblingRemembersTheLatestOfManyReplacedOperations) {
  Object object;
  for (uint64_t i = 1; i <= kMostReplaced + 5; ++i) {
    Sibling retry = Value({kSx, i}, i, "v");
    retry.attempt = 1;
    PutInto(&object, {}, retry);
  }
  object = Put(object, object.context, Value({kSy, 1}, 99, "w"));
  EXPECT_EQ(object.siblings[0].replaces.size(), kMostReplaced);
  EXPECT_TRUE(object.Replaces(1001)) << "the oldest sibling is noted last";
}

TEST(Object, WhatWasNotRetriedLeavesNoTrace) {
  const Object one = DeltaOf({}, Value({kSx, 1}, 1, "one"));
  const Object two = Put(one, one.context, Value({kSy, 1}, 2, "two"));
  EXPECT_TRUE(two.siblings[0].replaces.empty());
}

// Each replaces a twin of the next: one by one they would all be taken.
TEST(Object, ACircleOfThreeLeavesTheLatest) {
  std::vector<Object> three;
  for (uint64_t i = 0; i < 3; ++i) {
    Sibling sibling = Value({kSx, i + 1}, i + 1, std::string(1, static_cast<char>('p' + i)));
    sibling.operation = i + 1;
    sibling.attempt = 1;
    sibling.replaces = {{(i + 1) % 3 + 1, 1}};
    three.push_back(DeltaOf({}, sibling));
  }
  const Object all = Merged(Merged(Merged(three[0], three[1]), Merged(three[1], three[2])),
                            Merged(three[2], three[0]));
  EXPECT_FALSE(all.siblings.empty());
}

TEST(Object, OperationZeroUnitesNothing) {
  Sibling a = Value({kSx, 1}, 1, "a");
  Sibling b = Value({kSy, 1}, 2, "b");
  a.operation = b.operation = 0;
  Object merged = Merged(DeltaOf({}, a), DeltaOf({}, b));
  UniteTwins(&merged);
  EXPECT_EQ(merged.siblings.size(), 2u);
}

TEST(Object, DeadBytesGoAndTheVersionStays) {
  const Position position{5, 6, 7};
  Object object = Put({}, {}, Value({kSx, 1}, 20, "live"));
  Sibling expiring = Value({kSx, 2}, 30, std::string(100, 'e'));
  expiring.expires_at_ms = 1000;
  PutInto(&object, {}, expiring);
  PutInto(&object, {}, Value({kSx, 3}, 10, "flushed"));
  const Object full = object;
  DropDeadBytes(&object, {999, 10});
  EXPECT_EQ(object, full);

  DropDeadBytes(&object, {1000, 11});
  EXPECT_EQ(ValuesOf(object), (Values{"", "live", ""}));
  EXPECT_EQ(VersionHash(position, object), VersionHash(position, full));
  EXPECT_LT(ByteSize(object) + 100, ByteSize(full));
  EXPECT_EQ(object.Newest({0, 0})->bytes, "live") << "a slower clock must not revive the rest";
  EXPECT_EQ(Merged(object, full), object);
  EXPECT_EQ(Merged(full, object), object);
}

TEST(Object, ACopyWithoutBytesNeverReplacesTheValue) {
  const Object object = Put({}, {}, Value({kSx, 1}, 1, "value"));
  const Object bare = WithoutBytes(object);
  EXPECT_EQ(bare.siblings[0].bytes, "");
  EXPECT_EQ(bare.siblings[0].kind, Kind::kValue);
  EXPECT_EQ(bare.context, object.context);
  EXPECT_EQ(Merged(bare, object), object);
  EXPECT_EQ(Merged(object, bare), object);
}

TEST(Object, VersionHashTellsPositionsContextsAndSiblingsApart) {
  const Position position{1, 2, 3};
  std::vector<Object> different;
  different.push_back({});
  different.push_back(Put({}, {}, Value({kSx, 1}, 1, "a")));
  different.push_back(Put(different[1], {}, Value({kSx, 2}, 1, "b")));
  different.push_back(Put(different[1], different[1].context, Value({kSx, 2}, 1, "b")));
  different.push_back(DeltaOf({}, Value({kSx, 2}, 1, "b")));
  different.push_back(Put({}, {}, Value({kSy, 1}, 1, "a")));
  std::set<uint64_t> hashes;
  for (const Object& object : different) {
    hashes.insert(VersionHash(position, object));
    hashes.insert(VersionHash({1, 2, 4}, object));
    hashes.insert(VersionHash({1, 3, 3}, object));
    hashes.insert(VersionHash({2, 2, 3}, object));
  }
  EXPECT_EQ(hashes.size(), different.size() * 4);
  EXPECT_FALSE(hashes.contains(0));
}

// Stored on disks and compared between nodes of different releases.
TEST(Object, VersionHashNeverChanges) {
  Object object = Put({}, {}, Value({kSx, 1}, 1, "a"));
  PutInto(&object, {}, Value({kSy, 3}, 2, "b"));
  EXPECT_EQ(VersionHash({1, 2, 3}, object), 1189659847603414296u);
}

TEST(ObjectProperty, MergeIsCommutativeIdempotentAndAssociative) {
  int several = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    History history(seed);
    const std::vector<Object> objects = history.Objects(40);
    Random& random = history.random();
    for (int round = 0; round < 200; ++round) {
      const Object& a = objects[random.Below(objects.size())];
      const Object& b = objects[random.Below(objects.size())];
      const Object& c = objects[random.Below(objects.size())];
      const Object ab = Merged(a, b);
      ASSERT_EQ(ab, Merged(b, a)) << "seed " << seed;
      ASSERT_EQ(Merged(a, a), a) << "seed " << seed;
      ASSERT_EQ(Merged(ab, b), ab) << "seed " << seed;
      ASSERT_EQ(Merged(ab, c), Merged(a, Merged(b, c))) << "seed " << seed;
      several += ab.siblings.size() > 1 ? 1 : 0;
    }
  }
  EXPECT_GT(several, 1000);
}

// The rule in words: alive afterwards is what a side has and no side has seen and lost.
TEST(ObjectProperty, MergeKeepsExactlyWhatNoSideHasReplaced) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    History history(seed);
    const std::vector<Object> objects = history.Objects(40);
    const auto dots = [](const Object& object) {
      std::set<Dot> all;
      for (const Sibling& sibling : object.siblings) all.insert(sibling.dot);
      return all;
    };
    for (const Object& a : objects) {
      for (const Object& b : objects) {
        std::set<Dot> expected;
        for (const Dot& dot : dots(a)) {
          if (dots(b).contains(dot) || !b.context.Contains(dot)) expected.insert(dot);
        }
        for (const Dot& dot : dots(b)) {
          if (dots(a).contains(dot) || !a.context.Contains(dot)) expected.insert(dot);
        }
        const Object merged = Merged(a, b);
        ASSERT_EQ(dots(merged), expected) << "seed " << seed;
        ASSERT_TRUE(merged.context.Covers(a.context) && merged.context.Covers(b.context));
        ASSERT_TRUE(std::is_sorted(merged.siblings.begin(), merged.siblings.end(),
                                   [](const auto& x, const auto& y) { return x.NewerThan(y); }));
      }
    }
  }
}

// Replicas that were given the same objects in different orders are equal after they have met, with
// retried operations too, and none of these is shown twice.
TEST(ObjectProperty, ReplicasConvergeWhateverTheOrder) {
  int differed = 0;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    History history(seed, /*retries=*/true);
    std::vector<Object> objects = history.Objects(30);
    Random& random = history.random();
    std::vector<Object> replicas(3);
    for (Object& replica : replicas) {
      for (size_t i = objects.size() - 1; i > 0; --i) {
        std::swap(objects[i], objects[random.Below(i + 1)]);
      }
      for (const Object& object : objects) MergeInto(&replica, object);
    }
    if (!(replicas[0] == replicas[1])) ++differed;
    for (size_t i = 0; i < 2 * replicas.size(); ++i) {
      MergeInto(&replicas[(i + 1) % replicas.size()], replicas[i % replicas.size()]);
    }
    ASSERT_EQ(replicas[0], replicas[1]) << "seed " << seed;
    ASSERT_EQ(replicas[0], replicas[2]) << "seed " << seed;
    std::set<uint64_t> operations;
    UniteTwins(&replicas[0]);
    for (const Sibling& sibling : replicas[0].siblings) {
      ASSERT_TRUE(operations.insert(sibling.operation).second) << "seed " << seed;
    }
  }
  RecordProperty("orders_that_differed_before_meeting", differed);
}

TEST(ObjectProperty, ADeltaDoesToACopyWhatThePutDidToTheMinter) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    History history(seed);
    const std::vector<Object> objects = history.Objects(20);
    const Object& before = objects[history.random().Below(objects.size())];
    const CausalContext given = objects[history.random().Below(objects.size())].context;
    const Sibling sibling = Value({{99, 1}, 1}, 50, "new");
    ASSERT_EQ(Put(before, given, sibling), Merged(before, DeltaOf(given, sibling)));
  }
}

}  // namespace
}  // namespace cartwheel
