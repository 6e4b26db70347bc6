#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/cluster/updates.h"

namespace cartwheel {
namespace {

Update SetTo(std::string bytes, uint32_t flags, int64_t expires_at_ms = 0) {
  return {UpdateKind::kSet, flags, std::move(bytes), 0, expires_at_ms};
}
Update Increment(int64_t by) { return {UpdateKind::kIncrement, 0, {}, by, 0}; }
Update Append(std::string bytes) { return {UpdateKind::kAppend, 0, std::move(bytes), 0, 0}; }
Update Expire(int64_t at_ms, uint32_t flags = 0) {
  return {UpdateKind::kExpire, flags, {}, 0, at_ms};
}

TEST(UpdateTest, SetIfAbsentWritesOnlyWhereNothingIs) {
  const UpdateEffect fresh = Apply(SetTo("v", kIfAbsent, kWall + 5), {});
  EXPECT_EQ(fresh.write, Write::kValue);
  EXPECT_EQ(fresh.bytes, "v");
  EXPECT_EQ(fresh.expires_at_ms, kWall + 5);
  EXPECT_EQ(fresh.result.type, Type::kOk);

  const UpdateEffect refused = Apply(SetTo("v", kIfAbsent), Holding("old"));
  EXPECT_EQ(refused.write, Write::kNothing);
  EXPECT_EQ(refused.result.type, Type::kNull);
}

TEST(UpdateTest, SetIfPresentWritesOnlyWhereSomethingIs) {
  EXPECT_EQ(Apply(SetTo("v", kIfPresent), Holding("old")).write, Write::kValue);
  const UpdateEffect refused = Apply(SetTo("v", kIfPresent), {});
  EXPECT_EQ(refused.write, Write::kNothing);
  EXPECT_EQ(refused.result.type, Type::kNull);
}

TEST(UpdateTest, SetGetAnswersTheOldValueWhetherItWroteOrNot) {
  const UpdateEffect written = Apply(SetTo("v", kReturnOld), Holding("old"));
  EXPECT_EQ(written.write, Write::kValue);
  ExpectBulk(written, "old");
  EXPECT_EQ(Apply(SetTo("v", kReturnOld), {}).result.type, Type::kNull);

  // NX with GET, allowed since 7.0.
  const UpdateEffect kept = Apply(SetTo("v", kReturnOld | kIfAbsent), Holding("old"));
  EXPECT_EQ(kept.write, Write::kNothing);
  ExpectBulk(kept, "old");
  const UpdateEffect fresh = Apply(SetTo("v", kReturnOld | kIfAbsent), {});
  EXPECT_EQ(fresh.write, Write::kValue);
  EXPECT_EQ(fresh.result.type, Type::kNull);
}

TEST(UpdateTest, SetDropsTheTtlUnlessToldToKeepIt) {
  const Object object = Holding("old", kWall + 500);
  EXPECT_EQ(Apply(SetTo("v", kIfPresent), object).expires_at_ms, 0);
  EXPECT_EQ(Apply(SetTo("v", kKeepTtl), object).expires_at_ms, kWall + 500);
  EXPECT_EQ(Apply(SetTo("v", kKeepTtl), {}).expires_at_ms, 0);
}

TEST(UpdateTest, ExpiredFlushedAndDeletedCountAsAbsent) {
  EXPECT_EQ(Apply(SetTo("v", kIfAbsent), Holding("old", kWall)).write, Write::kValue);
  const View flushed{kWall, 11};
  EXPECT_EQ(ApplyUpdate(SetTo("v", kIfAbsent), Holding("old"), flushed, kMaxValue).write,
            Write::kValue);
  Object deleted;
  Sibling tombstone = MakeSibling(1, 10, "");
  tombstone.kind = Kind::kTombstone;
  PutInto(&deleted, {}, tombstone);
  EXPECT_EQ(Apply(SetTo("v", kIfPresent), deleted).write, Write::kNothing);
}

TEST(UpdateTest, TheNewestSiblingIsWhatAnUpdateSees) {
  Object object = Holding("5");
  PutInto(&object, {}, MakeSibling(2, 20, "40"));
  ASSERT_EQ(object.siblings.size(), 2U);
  const UpdateEffect effect = Apply(Increment(2), object);
  EXPECT_EQ(effect.write, Write::kValue);
  ExpectInteger(effect, 42);
}

TEST(UpdateTest, IncrementCountsFromZeroAndKeepsTheTtl) {
  const UpdateEffect fresh = Apply(Increment(-3), {});
  EXPECT_EQ(fresh.bytes, "-3");
  EXPECT_EQ(fresh.expires_at_ms, 0);
  ExpectInteger(fresh, -3);

  const UpdateEffect more = Apply(Increment(5), Holding("37", kWall + 9));
  EXPECT_EQ(more.write, Write::kValue);
  EXPECT_EQ(more.bytes, "42");
  EXPECT_EQ(more.expires_at_ms, kWall + 9);
  ExpectInteger(more, 42);
}

TEST(UpdateTest, IncrementRefusesWhatIsNoInteger) {
  for (const char* text : {"", "x", " 1", "1 ", "01", "+1", "-0", "1.5", "9223372036854775808"}) {
    ExpectError(Apply(Increment(1), Holding(text)), "ERR value is not an integer or out of range");
  }
}

TEST(UpdateTest, IncrementRefusesToOverflow) {
  const std::string error = "ERR increment or decrement would overflow";
  ExpectError(Apply(Increment(1), Holding("9223372036854775807")), error);
  ExpectError(Apply(Increment(-1), Holding("-9223372036854775808")), error);
  ExpectInteger(Apply(Increment(INT64_MAX), {}), INT64_MAX);
  ExpectInteger(Apply(Increment(INT64_MIN), {}), INT64_MIN);
}

TEST(UpdateTest, AppendAnswersTheLengthAndKeepsTheTtl) {
  const UpdateEffect fresh = Apply(Append("ab"), {});
  EXPECT_EQ(fresh.bytes, "ab");
  ExpectInteger(fresh, 2);
  const UpdateEffect more = Apply(Append("cd"), Holding("ab", kWall + 7));
  EXPECT_EQ(more.bytes, "abcd");
  EXPECT_EQ(more.expires_at_ms, kWall + 7);
  ExpectInteger(more, 4);
  // An empty append makes the key, as in Redis.
  EXPECT_EQ(Apply(Append(""), {}).write, Write::kValue);
}

TEST(UpdateTest, AppendIsBounded) {
  const Object object = Holding(std::string(kMaxValue - 1, 'x'));
  ExpectInteger(Apply(Append("y"), object), kMaxValue);
  ExpectError(Apply(Append("yz"), object),
              "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
}

TEST(UpdateTest, GetDeleteTakesTheValueAway) {
  const Update update{UpdateKind::kGetDelete, 0, {}, 0, 0};
  const UpdateEffect effect = Apply(update, Holding("v"));
  EXPECT_EQ(effect.write, Write::kTombstone);
  ExpectBulk(effect, "v");
  EXPECT_EQ(Apply(update, {}).write, Write::kNothing);
  EXPECT_EQ(Apply(update, {}).result.type, Type::kNull);
}

TEST(UpdateTest, ExpireRewritesTheTtl) {
  const UpdateEffect effect = Apply(Expire(kWall + 100), Holding("v"));
  ExpectSiblings(effect, {{kWall + 100, "v"}});
  ExpectInteger(effect, 1);
  EXPECT_EQ(Apply(Expire(kWall + 100), {}).write, Write::kNothing);
  ExpectInteger(Apply(Expire(kWall + 100), {}), 0);
}

TEST(UpdateTest, ExpireInThePastDeletesAndAnswersOne) {
  for (const int64_t at_ms : {kWall, kWall - 1, int64_t{0}, int64_t{-5}}) {
    const UpdateEffect effect = Apply(Expire(at_ms), Holding("v"));
    EXPECT_EQ(effect.write, Write::kTombstone);
    ExpectInteger(effect, 1);
  }
}

TEST(UpdateTest, ExpireConditions) {
  const Object none = Holding("v");
  const Object some = Holding("v", kWall + 100);
  struct Case {
    uint32_t flags;
    const Object& object;
    int64_t at_ms;
    int64_t answer;
  };
  const Case cases[] = {
      {kExpireNx, none, kWall + 50, 1},
      {kExpireNx, some, kWall + 50, 0},
      {kExpireXx, none, kWall + 50, 0},
      {kExpireXx, some, kWall + 50, 1},
      {kExpireGt, none, kWall + 50, 0},
      {kExpireGt, some, kWall + 100, 0},
      {kExpireGt, some, kWall + 101, 1},
      {kExpireLt, none, kWall + 50, 1},
      {kExpireLt, some, kWall + 100, 0},
      {kExpireLt, some, kWall + 99, 1},
      {kExpireXx | kExpireGt, some, kWall + 101, 1},
      {kExpireXx | kExpireLt, none, kWall + 50, 0},
      // The past deletes only where the condition holds.
      {kExpireGt, some, kWall - 1, 0},
      {kExpireLt, some, kWall - 1, 1},
  };
  for (const Case& c : cases) {
    const UpdateEffect effect = Apply(Expire(c.at_ms, c.flags), c.object);
    ExpectInteger(effect, c.answer);
    EXPECT_EQ(effect.write != Write::kNothing, c.answer == 1) << c.flags << " " << c.at_ms;
  }
}

TEST(UpdateTest, PersistTakesTheTtlAway) {
  const Update update{UpdateKind::kPersist, 0, {}, 0, 0};
  const UpdateEffect effect = Apply(update, Holding("v", kWall + 100));
  ExpectSiblings(effect, {{0, "v"}});
  ExpectInteger(effect, 1);
  ExpectInteger(Apply(update, Holding("v")), 0);
  ExpectInteger(Apply(update, {}), 0);
}

TEST(UpdateTest, GetExpireAnswersTheValueAndChangesTheTtlOnly) {
  const Update later{UpdateKind::kGetExpire, 0, {}, 0, kWall + 100};
  const UpdateEffect set = Apply(later, Holding("v"));
  ExpectSiblings(set, {{kWall + 100, "v"}});
  ExpectBulk(set, "v");
  EXPECT_EQ(Apply(later, {}).result.type, Type::kNull);

  const Update past{UpdateKind::kGetExpire, 0, {}, 0, kWall - 1};
  EXPECT_EQ(Apply(past, Holding("v")).write, Write::kTombstone);
  ExpectBulk(Apply(past, Holding("v")), "v");

  const Update persist{UpdateKind::kGetExpire, kPersistTtl, {}, 0, 0};
  ExpectSiblings(Apply(persist, Holding("v", kWall + 100)), {{0, "v"}});
  EXPECT_EQ(Apply(persist, Holding("v")).write, Write::kNothing);
  ExpectBulk(Apply(persist, Holding("v")), "v");
}

TEST(UpdateTest, ExpireMergesNoSiblings) {
  Object object = Holding("older", kWall + 10);
  PutInto(&object, {}, MakeSibling(2, 20, "newer"));
  PutInto(&object, {}, MakeSibling(3, 30, "over", kWall));
  const std::vector<SiblingCopy> wanted = {{kWall + 100, "newer"}, {kWall + 100, "older"}};
  ExpectSiblings(Apply(Expire(kWall + 100), object), wanted);
}

Update Replace(const std::vector<SiblingCopy>& copies, uint32_t flags = 0) {
  return {UpdateKind::kReplace, flags, EncodeCopies(copies), 0, 0};
}

TEST(UpdateTest, ReplaceWritesTheCopiesAsTheyAre) {
  const std::vector<SiblingCopy> copies = {{0, "a"}, {kWall + 5, "b"}};
  for (const Object& object : {Object(), Holding("v", kWall + 100)}) {
    const UpdateEffect effect = Apply(Replace(copies), object);
    ExpectSiblings(effect, copies);
    ExpectInteger(effect, 1);
  }
}

TEST(UpdateTest, ReplaceIfAbsentLeavesWhatLives) {
  const UpdateEffect refused = Apply(Replace({{0, "a"}}, kIfAbsent), Holding("v"));
  EXPECT_EQ(refused.write, Write::kNothing);
  ExpectInteger(refused, 0);
  for (const Object& absent : {Object(), Holding("v", kWall)}) {
    const UpdateEffect effect = Apply(Replace({{0, "a"}}, kIfAbsent), absent);
    ExpectSiblings(effect, {{0, "a"}});
    ExpectInteger(effect, 1);
  }
}

TEST(UpdateTest, ReplaceDropsWhatHasExpiredOnTheWay) {
  const std::vector<SiblingCopy> copies = {{kWall, "a"}, {kWall + 1, "b"}};
  ExpectSiblings(Apply(Replace(copies), Holding("v")), {{kWall + 1, "b"}});
  const UpdateEffect none = Apply(Replace({{kWall, "a"}}), Holding("v"));
  EXPECT_EQ(none.write, Write::kTombstone);
  ExpectInteger(none, 1);
  EXPECT_EQ(Apply(Replace({{kWall, "a"}}), {}).write, Write::kNothing);
  ExpectInteger(Apply(Replace({{kWall, "a"}}), {}), 1);
}

TEST(UpdateTest, ReplaceRefusesWhatAreNoCopies) {
  const Update garbage{UpdateKind::kReplace, 0, "garbage", 0, 0};
  ExpectError(Apply(garbage, Holding("v")), "ERR malformed update");
}

}  // namespace
}  // namespace cartwheel
