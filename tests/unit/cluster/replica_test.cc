#include "cluster/replica.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "storage/memory/memory_engine.h"
#include "storage/record.h"

namespace cartwheel {
namespace {

constexpr int64_t kWall = 1'700'000'000'000;
constexpr NodeId kSelf = 0xa;

// One node's replica over a memory engine; Restart keeps the data and begins a new era.
class ReplicaTest : public testing::Test {
 protected:
  ReplicaTest() { Restart(); }

  void Restart(ReplicaLimits limits = {}) {
    const uint64_t bound = replica_ ? replica_->births()->bound() : 0;
    replica_.emplace(kSelf, &engine_, &clock_, Births(bound, kWall), limits, &counters_);
  }
  KeyRef Ref(std::string_view key, uint32_t db = 0) const {
    return {PositionOf(db, key, Partitioner::kSlot), db, key};
  }
  NewVersion Value(std::string bytes, CausalContext context = {}, bool plain = false) {
    return {.operation = ++operation_,
            .context = std::move(context),
            .plain = plain,
            .kind = Kind::kValue,
            .expires_at_ms = 0,
            .bytes = std::move(bytes)};
  }
  NewSiblings Copies(std::vector<SiblingCopy> copies) {
    operation_ += copies.size();
    return {operation_ - copies.size() + 1, {}, {}, std::move(copies)};
  }
  Object Put(std::string_view key, NewVersion version) {
    auto minted = replica_->Mint(Ref(key), std::move(version), view_);
    EXPECT_TRUE(minted.has_value());
    return std::move(minted->delta);
  }
  StoredVersion Get(std::string_view key) {
    StoredVersion version;
    EXPECT_TRUE(replica_->Load(Ref(key), &version).has_value());
    return version;
  }

  MemoryEngine engine_;
  HybridClock clock_;
  StatusCounters counters_;
  std::optional<Replica> replica_;
  uint64_t operation_ = 0;
  View view_{kWall, 0};
};

Dot OnlyDot(const Object& object) {
  EXPECT_EQ(object.siblings.size(), 1U);
  return object.siblings[0].dot;
}

TEST_F(ReplicaTest, MintingOnOwnRecordGoesOnCounting) {
  const Dot first = OnlyDot(Put("k", Value("1")));
  const Dot second = OnlyDot(Put("k", Value("2")));
  EXPECT_EQ(first.actor, second.actor);
  EXPECT_EQ(first.counter, 1U);
  EXPECT_EQ(second.counter, 2U);
  EXPECT_EQ(Get("k").object.siblings.size(), 2U);
}

TEST_F(ReplicaTest, SweepEmptiesWhatExpiredAndKeepsTheVersion) {
  for (int i = 0; i < 100; ++i) {
    NewVersion version = Value("bytes", {}, true);
    if (i % 2 == 0) version.expires_at_ms = kWall + 10 * i;
    Put("k" + std::to_string(i), std::move(version));
  }
  const uint64_t before = Get("k20").hash;
  EXPECT_EQ(replica_->expiring_stored(), 50U);
  Position from;
  bool later = false;
  int slices = 1;
  std::vector<Key> gone;
  while (replica_->SweepExpired(kWall + 500, 30, &from, &later, &gone)) ++slices;
  EXPECT_EQ(gone.size(), 26U);
  EXPECT_NE(std::find(gone.begin(), gone.end(), Key{0, "k20"}), gone.end());
  EXPECT_EQ(slices, 4);
  EXPECT_TRUE(later);
  for (int i = 0; i < 100; ++i) {
    const StoredVersion version = Get("k" + std::to_string(i));
    const bool emptied = i % 2 == 0 && i <= 50;
    EXPECT_EQ(version.object.siblings[0].bytes, emptied ? "" : "bytes") << i;
  }
  EXPECT_EQ(Get("k20").hash, before);
  uint64_t values = 0;
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    values += engine_.ValueCount(0, static_cast<uint16_t>(slot));
  }
  EXPECT_EQ(values, 74U);
  from = {};
  later = false;
  EXPECT_FALSE(replica_->SweepExpired(kWall + 5000, 1000, &from, &later, &gone));
  EXPECT_EQ(gone.size(), 50U);
  EXPECT_FALSE(later);
}

TEST_F(ReplicaTest, PlainWriteReplacesAllThatIsHeld) {
  Put("k", Value("1"));
  Put("k", Value("2"));
  const Object delta = Put("k", Value("3", {}, true));
  EXPECT_EQ(delta, Get("k").object);
  EXPECT_EQ(OnlyDot(delta).counter, 3U);
}

TEST_F(ReplicaTest, DeltaOfAContextWriteCoversNoMoreThanWasGiven) {
  const Object first = Put("k", Value("1"));
  Put("k", Value("2"));
  const Object third = Put("k", Value("3", first.context));
  EXPECT_TRUE(third.context.Contains(OnlyDot(first)));
  EXPECT_FALSE(third.context.Contains({OnlyDot(first).actor, 2}));
  EXPECT_EQ(Get("k").object.siblings.size(), 2U);
}

TEST_F(ReplicaTest, ANewEraBeginsANewBirth) {
  const Dot before = OnlyDot(Put("k", Value("1")));
  Restart();
  const Dot after = OnlyDot(Put("k", Value("2")));
  EXPECT_EQ(after.counter, 1U);
  EXPECT_GT(after.actor.birth, before.actor.birth);
}

TEST_F(ReplicaTest, ACopyFromElsewhereIsNotCountedOn) {
  Object copy = DeltaOf({}, {.dot = {{kSelf, 77}, 5}, .time = 1, .operation = 99, .bytes = "x"});
  ASSERT_TRUE(replica_->Merge(Ref("k"), Object(copy), view_).has_value());
  EXPECT_EQ(Get("k").mark, 0U);
  const Dot next = OnlyDot(Put("k", Value("2", {}, true)));
  EXPECT_NE(next.actor.birth, 77U);
  EXPECT_EQ(next.counter, 1U);
}

TEST_F(ReplicaTest, AnArrivingObjectThatKnowsMoreOfUsClearsTheMark) {
  const Dot first = OnlyDot(Put("k", Value("1")));
  Object copy = DeltaOf({}, {.dot = {first.actor, 7}, .time = 1, .operation = 99, .bytes = "x"});
  ASSERT_TRUE(replica_->Merge(Ref("k"), Object(copy), view_).has_value());
  EXPECT_EQ(Get("k").mark, 0U);
  EXPECT_EQ(counters_.clock_amnesia, 1U);
  EXPECT_NE(OnlyDot(Put("k", Value("2", {}, true))).actor, first.actor);
}

TEST_F(ReplicaTest, AContextThatKnowsMoreOfUsBeginsANewBirth) {
  const Dot first = OnlyDot(Put("k", Value("1")));
  CausalContext context;
  context.Add({first.actor, 1});
  context.Add({first.actor, 2});
  const Object delta = Put("k", Value("2", context));
  EXPECT_NE(OnlyDot(delta).actor, first.actor);
  EXPECT_EQ(counters_.clock_amnesia, 1U);
}

TEST_F(ReplicaTest, AnOperationIsMintedOnce) {
  NewVersion version = Value("1");
  const NewVersion again = version;
  const Object first = Put("k", std::move(version));
  const Object second = Put("k", again);
  EXPECT_EQ(first, second);
  EXPECT_EQ(Get("k").object.siblings.size(), 1U);
}

TEST_F(ReplicaTest, MergingWhatIsKnownWritesNothing) {
  const Object delta = Put("k", Value("1"));
  const uint64_t sequence = engine_.sequences().applied;
  const auto merged = replica_->Merge(Ref("k"), Object(delta), view_);
  ASSERT_TRUE(merged.has_value());
  EXPECT_EQ(engine_.sequences().applied, sequence);
}

TEST_F(ReplicaTest, APutPastSiblingsMaxIsRefused) {
  Restart(
      {.siblings_warn = 2, .siblings_max = 3, .object_max_bytes = 1000, .max_clock_skew_ms = 1000});
  for (int i = 0; i < 2; ++i) Put("k", Value("v"));
  EXPECT_FALSE(replica_->TakeManySiblings());
  Put("k", Value("v"));
  const auto many = replica_->TakeManySiblings();
  ASSERT_TRUE(many);
  EXPECT_EQ(many->key, "k");
  EXPECT_EQ(many->siblings, 3U);
  EXPECT_EQ(counters_.siblings_past_warn, 1U);
  const auto refused = replica_->Mint(Ref("k"), Value("v"), view_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kTooMany);
  EXPECT_EQ(Get("k").object.siblings.size(), 3U);
  Put("k", Value("merged", Get("k").object.context));
  EXPECT_EQ(Get("k").object.siblings.size(), 1U);
}

TEST_F(ReplicaTest, APutPastObjectMaxBytesIsRefused) {
  Restart(
      {.siblings_warn = 2, .siblings_max = 3, .object_max_bytes = 1000, .max_clock_skew_ms = 1000});
  EXPECT_FALSE(replica_->Mint(Ref("k"), Value(std::string(2000, 'x')), view_).has_value());
  EXPECT_FALSE(
      replica_->Mint(Ref("k"), Value(std::string(2000, 'x'), {}, true), view_).has_value());
  EXPECT_EQ(Get("k").hash, 0U);
}

TEST_F(ReplicaTest, AWriteIsLaterThanWhatItCoversEvenWhenAClockRanAhead) {
  const uint64_t far = HybridClock::FromWall(kWall + 3'600'000);
  Object copy = DeltaOf({}, {.dot = {{0xb, 1}, 1}, .time = far, .operation = 9, .bytes = "x"});
  ASSERT_TRUE(replica_->Merge(Ref("k"), Object(copy), view_).has_value());
  EXPECT_EQ(counters_.clock_skew_refused, 1U);
  EXPECT_LT(clock_.last(), far);
  const Object delta = Put("k", Value("2", {}, true));
  EXPECT_GT(delta.siblings[0].time, far);
}

TEST_F(ReplicaTest, SeveralSiblingsReplaceAllThatIsThere) {
  Put("k", Value("1"));
  Put("k", Value("2"));
  const Object before = Get("k").object;
  const auto minted = replica_->MintSiblings(Ref("k"), Copies({{0, "a"}, {kWall + 5, "b"}}), view_);
  ASSERT_TRUE(minted.has_value());
  const Object object = Get("k").object;
  EXPECT_EQ(object, minted->delta);
  EXPECT_TRUE(object.context.Covers(before.context));
  ASSERT_EQ(object.siblings.size(), 2U);
  EXPECT_EQ(object.siblings[0].bytes, "a");
  EXPECT_EQ(object.siblings[0].expires_at_ms, 0);
  EXPECT_EQ(object.siblings[1].bytes, "b");
  EXPECT_EQ(object.siblings[1].expires_at_ms, kWall + 5);
  EXPECT_GT(object.siblings[0].time, object.siblings[1].time);
  EXPECT_GT(object.siblings[1].time, before.siblings[0].time);
  EXPECT_NE(object.siblings[0].operation, object.siblings[1].operation);
  for (const Sibling& sibling : object.siblings) {
    EXPECT_FALSE(before.context.Contains(sibling.dot));
    EXPECT_TRUE(object.context.Contains(sibling.dot));
  }
}

TEST_F(ReplicaTest, SeveralSiblingsHaveDotsThatAreNotUsedAgain) {
  std::vector<Dot> dots;
  const auto take = [&](const Object& object) {
    for (const Sibling& sibling : object.siblings) dots.push_back(sibling.dot);
  };
  take(Put("k", Value("0")));
  for (int i = 0; i < 3; ++i) {
    const auto minted = replica_->MintSiblings(Ref("k"), Copies({{0, "a"}, {0, "b"}}), view_);
    ASSERT_TRUE(minted.has_value());
    take(minted->delta);
    take(Put("k", Value("1", {}, true)));
    if (i == 1) Restart();
  }
  std::sort(dots.begin(), dots.end());
  EXPECT_EQ(dots.size(), 10U);
  EXPECT_EQ(std::unique(dots.begin(), dots.end()), dots.end());
  // The counters go on without a gap: one actor for each run of the node.
  EXPECT_EQ(Get("k").object.context.vector().size(), 2U);
  EXPECT_TRUE(Get("k").object.context.cloud().empty());
}

TEST_F(ReplicaTest, SeveralSiblingsCoverTheContextThatIsGiven) {
  Put("k", Value("1"));
  NewSiblings siblings = Copies({{0, "a"}, {0, "b"}});
  siblings.context.Add({{0xb, 7}, 3});
  siblings.replaces = {{77, 1}};
  const auto minted = replica_->MintSiblings(Ref("k"), std::move(siblings), view_);
  ASSERT_TRUE(minted.has_value());
  EXPECT_TRUE(minted->delta.context.Contains({{0xb, 7}, 3}));
  for (const Sibling& sibling : minted->delta.siblings) {
    EXPECT_NE(sibling.FindReplaced(77), nullptr);
  }
}

TEST_F(ReplicaTest, EachOfSeveralSiblingsTakesTheTwinOfWhatTheyReplace) {
  Sibling retried{.dot = {{0xb, 1}, 1}, .time = 5, .operation = 9, .attempt = 1, .bytes = "x"};
  ASSERT_TRUE(replica_->Merge(Ref("k"), DeltaOf({}, retried), view_).has_value());
  ASSERT_TRUE(replica_->MintSiblings(Ref("k"), Copies({{0, "a"}, {0, "b"}}), view_).has_value());
  for (const Sibling& sibling : Get("k").object.siblings) {
    EXPECT_NE(sibling.FindReplaced(9), nullptr);
  }
  // The first attempt turns up, which nobody here has seen.
  Sibling twin = retried;
  twin.dot = {{0xc, 1}, 1};
  twin.attempt = 0;
  ASSERT_TRUE(replica_->Merge(Ref("k"), DeltaOf({}, twin), view_).has_value());
  EXPECT_EQ(Get("k").object.siblings.size(), 2U);
  EXPECT_TRUE(Get("k").object.context.Contains(twin.dot));
}

TEST_F(ReplicaTest, SeveralSiblingsStayWithinTheBounds) {
  Restart({.siblings_warn = 1, .siblings_max = 2, .object_max_bytes = 1000});
  const auto many = replica_->MintSiblings(Ref("k"), Copies({{0, "a"}, {0, "b"}, {0, "c"}}), view_);
  ASSERT_FALSE(many.has_value());
  EXPECT_EQ(many.error().code, ErrorCode::kTooMany);
  const auto large = replica_->MintSiblings(Ref("k"), Copies({{0, std::string(2000, 'x')}}), view_);
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(large.error().code, ErrorCode::kTooMany);
  EXPECT_EQ(Get("k").hash, 0U);
  ASSERT_TRUE(replica_->MintSiblings(Ref("k"), Copies({{0, "a"}, {0, "b"}}), view_).has_value());
  const auto warned = replica_->TakeManySiblings();
  ASSERT_TRUE(warned.has_value());
  EXPECT_EQ(warned->siblings, 2U);
}

TEST_F(ReplicaTest, FlushedRecordsAreSweptAndDoNotComeBack) {
  const Object old = Put("k", Value("1"));
  const uint64_t flush = clock_.Tick(kWall);
  Put("new", Value("1"));
  Position from;
  EXPECT_FALSE(replica_->SweepFlushed(UINT32_MAX, flush, 100, &from));
  EXPECT_EQ(Get("k").hash, 0U);
  EXPECT_NE(Get("new").hash, 0U);
  ASSERT_TRUE(replica_->Merge(Ref("k"), Object(old), {kWall, flush}).has_value());
  EXPECT_EQ(Get("k").hash, 0U);
}

TEST_F(ReplicaTest, SweepingGoesInSlices) {
  for (int i = 0; i < 10; ++i) Put("k" + std::to_string(i), Value("1"));
  const uint64_t flush = clock_.Tick(kWall);
  Position from;
  EXPECT_TRUE(replica_->SweepFlushed(0, flush, 4, &from));
  EXPECT_EQ(engine_.stats().records, 6U);
  EXPECT_TRUE(replica_->SweepFlushed(0, flush, 4, &from));
  EXPECT_FALSE(replica_->SweepFlushed(0, flush, 4, &from));
  EXPECT_EQ(engine_.stats().records, 0U);
}

TEST_F(ReplicaTest, ADamagedRecordIsSetAsideAndAnswersNothingUntilItIsRepaired) {
  const Object whole = Put("k", Value("1"));
  Put("other", Value("2"));
  engine_.Put(Ref("k").position, "no record");
  StoredVersion version;
  for (int i = 0; i < 2; ++i) {
    const auto loaded = replica_->Load(Ref("k"), &version);
    ASSERT_FALSE(loaded.has_value());
    EXPECT_EQ(loaded.error().code, ErrorCode::kDamaged);
    const auto head = replica_->Head(Ref("k"));
    ASSERT_FALSE(head.has_value());
    EXPECT_EQ(head.error().code, ErrorCode::kDamaged);
  }
  EXPECT_EQ(counters_.records_set_aside, 1U);
  EXPECT_EQ(replica_->TakeSetAside(), std::vector<Position>{Ref("k").position});
  EXPECT_TRUE(replica_->TakeSetAside().empty());
  EXPECT_EQ(engine_.stats().records, 1U);
  ASSERT_TRUE(replica_->Merge(Ref("k"), Object(whole), view_).has_value());
  EXPECT_EQ(Get("k").object, whole);
  EXPECT_EQ(Get("k").mark, 0U);
}

TEST_F(ReplicaTest, OverADamagedRecordANewBirthIsMinted) {
  const Dot lost = OnlyDot(Put("k", Value("1")));
  engine_.Put(Ref("k").position, "no record");
  const Dot next = OnlyDot(Put("k", Value("2", {}, true)));
  EXPECT_EQ(counters_.records_set_aside, 1U);
  EXPECT_GT(next.actor.birth, lost.actor.birth);
  EXPECT_EQ(next.counter, 1U);
  EXPECT_EQ(Get("k").object.siblings.size(), 1U);
}

TEST_F(ReplicaTest, ASweepDoesNotGiveDamageAFreshChecksum) {
  NewVersion version = Value("bytes", {}, true);
  version.expires_at_ms = kWall + 10;
  Put("k", std::move(version));
  const auto found = engine_.Get(Ref("k").position);
  std::string image((*found)->image);
  image[image.find("bytes")] ^= 1;
  engine_.Put(Ref("k").position, image);
  Position from;
  bool later = false;
  std::vector<Key> gone;
  replica_->SweepExpired(kWall + 500, 30, &from, &later, &gone);
  EXPECT_EQ((*engine_.Get(Ref("k").position))->image, image);
}

TEST_F(ReplicaTest, AnotherKeyAtThePositionIsACollision) {
  Put("k", Value("1"));
  const KeyRef forged{Ref("k").position, 0, "other"};
  const auto refused = replica_->Mint(forged, Value("2"), view_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kCollision);
}

TEST(BirthsTest, BirthsNeverRepeatOverRestartsAndClockJumps) {
  uint64_t bound = 0;
  uint64_t last = 0;
  for (const int64_t wall : {kWall, kWall - 100'000'000, kWall + 5, kWall}) {
    Births births(bound, wall);
    bound = births.bound();
    for (int i = 0; i < 1000; ++i) {
      const uint64_t birth = births.Next(wall + i * 10'000);
      EXPECT_GT(birth, last);
      EXPECT_LT(birth, births.bound());
      last = birth;
      if (births.NeedsMore(wall + i * 10'000)) births.Extend(wall + i * 10'000);
      bound = births.bound();
    }
  }
}

TEST(BirthsTest, AClockThatJumpsPastTheBoundLeavesRoomForAStepsBirths) {
  Births births(0, kWall);
  const int64_t later = kWall + 100 * Births::kReserveMs;
  uint64_t last = births.Next(later);
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t birth = births.Next(later);
    ASSERT_GT(birth, last);
    last = birth;
  }
  EXPECT_LT(last, births.bound());
  EXPECT_TRUE(births.NeedsMore(later));
  births.Extend(later);
  EXPECT_GE(births.Next(later), HybridClock::FromWall(later));
}

}  // namespace
}  // namespace cartwheel
