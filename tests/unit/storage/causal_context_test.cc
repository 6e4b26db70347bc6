#include "storage/causal_context.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"
#include "tests/unit/storage/random_objects.h"

namespace cartwheel {
namespace {

constexpr Actor kX{1, 10};
constexpr Actor kY{2, 20};

CausalContext ContextOf(const std::set<Dot>& dots) {
  CausalContext context;
  for (const Dot& dot : dots) context.Add(dot);
  return context;
}

std::set<Dot> RandomDots(Random* random) {
  std::set<Dot> dots;
  const uint64_t count = random->Below(30);
  for (uint64_t i = 0; i < count; ++i) dots.insert(RandomDot(random, 4, 10));
  return dots;
}

// The one form: everything contiguous in the vector, the rest in the cloud, all sorted.
void ExpectCanonical(const CausalContext& context) {
  const auto again = CausalContext::FromParts(context.vector(), context.cloud());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(*again, context);
}

TEST(CausalContext, PrintsDotsInHex) {
  EXPECT_EQ(ToString(Dot{{0x1f, 0xabc}, 12}), "000000000000001f.0000000000000abc:12");
}

TEST(CausalContext, StartsWithNothingSeen) {
  const CausalContext context;
  EXPECT_TRUE(context.empty());
  EXPECT_EQ(context.size(), 0u);
  EXPECT_FALSE(context.Contains({kX, 1}));
  EXPECT_EQ(context.HighestCounter(kX), 0u);
  EXPECT_TRUE(context.Covers(context));
}

TEST(CausalContext, KeepsAGapUntilItIsFilled) {
  CausalContext context;
  context.Add({kX, 1});
  context.Add({kX, 3});
  context.Add({kX, 4});
  EXPECT_FALSE(context.Contains({kX, 2}));
  EXPECT_TRUE(context.Contains({kX, 3}));
  EXPECT_EQ(context.HighestCounter(kX), 4u);
  EXPECT_EQ(context.HighestCounter(kY), 0u);
  EXPECT_EQ(context.size(), 3u);
  context.Add({kX, 2});
  EXPECT_TRUE(context.cloud().empty());
  ASSERT_EQ(context.vector().size(), 1u);
  EXPECT_EQ(context.vector()[0], (CausalContext::Entry{kX, 4}));
}

TEST(CausalContext, DoesNotClaimABlindWriteItHasNotSeen) {
  CausalContext second;
  second.Add({kX, 2});
  CausalContext first;
  first.Add({kX, 1});
  EXPECT_FALSE(second.Covers(first));
  EXPECT_FALSE(second.Contains({kX, 1}));
}

TEST(CausalContext, ActorsOfDifferentBirthsAreDifferent) {
  CausalContext context;
  context.Add({{1, 10}, 1});
  EXPECT_FALSE(context.Contains({{1, 11}, 1}));
}

TEST(CausalContext, HoldsTheLargestCounter) {
  CausalContext context;
  context.Add({kX, UINT64_MAX});
  context.Add({kX, UINT64_MAX - 1});
  EXPECT_EQ(context.cloud().size(), 2u);
  EXPECT_EQ(context.HighestCounter(kX), UINT64_MAX);
  const auto full = CausalContext::FromParts({{kX, UINT64_MAX - 1}}, {});
  ASSERT_TRUE(full.has_value());
  context.Join(*full);
  EXPECT_TRUE(context.cloud().empty());
  EXPECT_EQ(context.vector()[0].counter, UINT64_MAX);
}

TEST(CausalContext, JoinsItself) {
  CausalContext context = ContextOf({{kX, 1}, {kY, 5}});
  const CausalContext before = context;
  context.Join(context);
  EXPECT_EQ(context, before);
}

TEST(CausalContext, TakesNoPartsThatAreNotInTheOneForm) {
  const auto taken = [](absl::InlinedVector<CausalContext::Entry, 1> vector,
                        std::vector<Dot> cloud) {
    return CausalContext::FromParts(std::move(vector), std::move(cloud)).has_value();
  };
  EXPECT_TRUE(taken({}, {}));
  EXPECT_TRUE(taken({{kX, 1}, {kY, 2}}, {{kX, 3}, {kX, 4}, {kY, 9}}));
  EXPECT_TRUE(taken({}, {{kX, 2}}));
  EXPECT_FALSE(taken({{kX, 0}}, {})) << "a counter of 0";
  EXPECT_FALSE(taken({{kY, 1}, {kX, 1}}, {})) << "unsorted";
  EXPECT_FALSE(taken({{kX, 1}, {kX, 2}}, {})) << "an actor twice";
  EXPECT_FALSE(taken({{kX, 1}}, {{kX, 2}})) << "contiguous with the vector";
  EXPECT_FALSE(taken({{kX, 2}}, {{kX, 2}})) << "below the vector";
  EXPECT_FALSE(taken({}, {{kX, 1}})) << "belongs into the vector";
  EXPECT_FALSE(taken({}, {{kX, 0}})) << "a dot 0";
  EXPECT_FALSE(taken({}, {{kX, 3}, {kX, 3}})) << "a dot twice";
  EXPECT_FALSE(taken({}, {{kX, 4}, {kX, 3}})) << "unsorted cloud";
  EXPECT_FALSE(taken({{kX, UINT64_MAX}}, {{kX, 0}})) << "wraps around";
}

// The model: a context is the set of the dots that were added.
TEST(CausalContextProperty, CoversExactlyTheDotsSeen) {
  Random random(1);
  for (int round = 0; round < 3000; ++round) {
    std::set<Dot> seen = RandomDots(&random);
    CausalContext context = ContextOf(seen);
    if (random.Chance(1, 2)) {
      const std::set<Dot> more = RandomDots(&random);
      context.Join(ContextOf(more));
      seen.insert(more.begin(), more.end());
    }
    ExpectCanonical(context);
    ASSERT_EQ(context, ContextOf(seen)) << "the form depends on the way it was made";
    for (uint64_t node = 1; node <= 5; ++node) {
      uint64_t highest = 0;
      for (uint64_t counter = 1; counter <= 12; ++counter) {
        const Dot dot{{node, 7}, counter};
        ASSERT_EQ(context.Contains(dot), seen.contains(dot)) << ToString(dot);
        if (seen.contains(dot)) highest = counter;
      }
      ASSERT_EQ(context.HighestCounter({node, 7}), highest);
    }
    ASSERT_EQ(context.empty(), seen.empty());
  }
}

TEST(CausalContextProperty, CoversIsInclusion) {
  Random random(2);
  int covered = 0;
  for (int round = 0; round < 5000; ++round) {
    const std::set<Dot> a = RandomDots(&random);
    std::set<Dot> b = RandomDots(&random);
    if (random.Chance(1, 2)) {  // make inclusion likely
      b.clear();
      for (const Dot& dot : a) {
        if (random.Chance(1, 2)) b.insert(dot);
      }
      if (random.Chance(1, 4)) b.insert(RandomDot(&random, 4, 10));
    }
    const bool includes = std::includes(a.begin(), a.end(), b.begin(), b.end());
    ASSERT_EQ(ContextOf(a).Covers(ContextOf(b)), includes);
    covered += includes ? 1 : 0;
  }
  EXPECT_GT(covered, 1000);
  EXPECT_LT(covered, 4000);
}

TEST(CausalContextProperty, JoinIsCommutativeAssociativeAndIdempotent) {
  Random random(3);
  const auto joined = [](CausalContext a, const CausalContext& b) {
    a.Join(b);
    return a;
  };
  for (int round = 0; round < 3000; ++round) {
    const CausalContext a = RandomContext(&random);
    const CausalContext b = RandomContext(&random);
    const CausalContext c = RandomContext(&random);
    ASSERT_EQ(joined(a, b), joined(b, a));
    ASSERT_EQ(joined(joined(a, b), c), joined(a, joined(b, c)));
    ASSERT_EQ(joined(a, a), a);
    ASSERT_TRUE(joined(a, b).Covers(a));
  }
}

}  // namespace
}  // namespace cartwheel
