#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "storage/object.h"
#include "tests/unit/storage/random_objects.h"

namespace cartwheel {
namespace {

std::string Encoded(const Object& object) {
  std::string bytes;
  EncodeObject(object, &bytes);
  return bytes;
}

std::string Encoded(const CausalContext& context) {
  std::string bytes;
  EncodeContext(context, &bytes);
  return bytes;
}

// What is taken must be what the encoder writes: equal versions have equal bytes.
template <typename Decode>
void ExpectRefusedOrExact(std::string_view bytes, const Decode& decode) {
  const auto decoded = decode(bytes);
  if (decoded) {
    EXPECT_EQ(Encoded(*decoded), bytes);
  } else {
    EXPECT_EQ(decoded.error().code, ErrorCode::kInvalid);
  }
}

struct Parts {
  std::string bytes;
  Parts& Varint(uint64_t value) {
    PutVarint(&bytes, value);
    return *this;
  }
  Parts& Actor(uint64_t node, uint64_t counter) {
    PutFixed64(&bytes, node);
    PutFixed64(&bytes, 1);
    return Varint(counter);
  }
  Parts& Sibling(uint64_t actor, uint64_t counter, uint64_t time, uint64_t operation,
                 char kind = 0) {
    Varint(actor).Varint(counter);
    PutFixed64(&bytes, time);
    PutFixed64(&bytes, operation);
    Varint(0);
    bytes.push_back(kind);
    PutBytes(&bytes, "v");
    return *this;
  }
  Parts& Attempt(char attempt) {
    bytes.push_back(attempt);
    return *this;
  }
  Parts& Replaced(uint64_t operation, char attempt = 1) {
    PutFixed64(&bytes, operation);
    return Attempt(attempt);
  }
};

TEST(ObjectCoding, WritesTheGrammar) {
  Object object;
  Sibling sibling;
  sibling.dot = {{0x0102, 0x03}, 1};
  sibling.time = 4;
  sibling.operation = 5;
  sibling.expires_at_ms = 300;
  sibling.bytes = "value";
  PutInto(&object, {}, sibling);
  object.context.Add({{9, 9}, 2});
  const std::string expected =
      std::string("\x02", 1) + std::string("\x02\x01\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x01", 17) +
      std::string("\x09\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x00", 17) + std::string("\x01\x00\x02", 3) +
      std::string("\x01\x01\x01\x04\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\xac\x02\x00\x05value", 28);
  // Node 9 comes before node 0x0102.
  std::string sorted = expected;
  sorted.replace(1, 34, expected.substr(18, 17) + expected.substr(1, 17));
  EXPECT_EQ(Encoded(object), sorted);
}

TEST(ObjectCoding, RoundTrips) {
  Random random(1);
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    for (const Object& object : History(seed).Objects(40)) {
      const std::string bytes = Encoded(object);
      const auto decoded = DecodeObject(bytes);
      ASSERT_TRUE(decoded.has_value());
      ASSERT_EQ(*decoded, object);
    }
    const CausalContext context = RandomContext(&random);
    const auto decoded = DecodeContext(Encoded(context));
    ASSERT_TRUE(decoded.has_value());
    ASSERT_EQ(*decoded, context);
  }
}

TEST(ObjectCoding, RoundTripsExtremes) {
  Object object;
  Sibling sibling;
  sibling.dot = {{UINT64_MAX, UINT64_MAX}, UINT64_MAX};
  sibling.time = UINT64_MAX;
  sibling.operation = UINT64_MAX;
  sibling.expires_at_ms = INT64_MIN;
  sibling.kind = Kind::kTombstone;
  sibling.bytes = std::string(100000, '\0');
  PutInto(&object, {}, sibling);
  const auto decoded = DecodeObject(Encoded(object));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded, object);
  EXPECT_TRUE(DecodeObject(Encoded(Object())).has_value());
}

TEST(ObjectCoding, RefusesEveryTruncationAndEveryTail) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Object object = History(seed).Objects(40).back();
    const std::string bytes = Encoded(object);
    for (size_t length = 0; length < bytes.size(); ++length) {
      ASSERT_FALSE(DecodeObject(std::string_view(bytes).substr(0, length)).has_value());
    }
    ASSERT_FALSE(DecodeObject(bytes + '\0').has_value());
    const std::string context = Encoded(object.context);
    for (size_t length = 0; length < context.size(); ++length) {
      ASSERT_FALSE(DecodeContext(std::string_view(context).substr(0, length)).has_value());
    }
    ASSERT_FALSE(DecodeContext(context + '\0').has_value());
  }
}

TEST(ObjectCoding, SurvivesFlippedBits) {
  Random random(7);
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const Object object = History(seed).Objects(40).back();
    const std::string bytes = Encoded(object);
    const std::string context = Encoded(object.context);
    for (int round = 0; round < 500; ++round) {
      std::string damaged = bytes;
      std::string damaged_context = context;
      const uint64_t flips = 1 + random.Below(4);
      for (uint64_t i = 0; i < flips; ++i) {
        damaged[random.Below(damaged.size())] ^= static_cast<char>(1 << random.Below(8));
        damaged_context[random.Below(context.size())] ^= static_cast<char>(1 << random.Below(8));
      }
      ExpectRefusedOrExact(damaged, [](std::string_view given) { return DecodeObject(given); });
      ExpectRefusedOrExact(damaged_context, DecodeContext);
    }
  }
}

TEST(ObjectCoding, RefusesCountsThatTheBytesCannotHold) {
  for (const uint64_t count : {uint64_t{2}, uint64_t{1} << 32, UINT64_MAX}) {
    EXPECT_FALSE(DecodeContext(Parts().Varint(count).Actor(1, 1).bytes).has_value());
    EXPECT_FALSE(
        DecodeContext(Parts().Varint(1).Actor(1, 1).Varint(count).Varint(0).Varint(3).bytes)
            .has_value());
    EXPECT_FALSE(
        DecodeObject(
            Parts().Varint(1).Actor(1, 1).Varint(0).Varint(count).Sibling(0, 1, 1, 1).bytes)
            .has_value());
  }
}

TEST(ObjectCoding, RefusesContextsThatNobodyWrites) {
  const auto taken = [](const Parts& parts) { return DecodeContext(parts.bytes).has_value(); };
  EXPECT_TRUE(taken(Parts().Varint(2).Actor(1, 1).Actor(2, 0).Varint(1).Varint(1).Varint(2)));
  EXPECT_FALSE(taken(Parts().Varint(2).Actor(2, 1).Actor(1, 1).Varint(0))) << "unsorted";
  EXPECT_FALSE(taken(Parts().Varint(2).Actor(1, 1).Actor(1, 2).Varint(0))) << "an actor twice";
  EXPECT_FALSE(taken(Parts().Varint(1).Actor(1, 0).Varint(0))) << "counter 0 without a dot";
  EXPECT_FALSE(taken(Parts().Varint(2).Actor(1, 1).Actor(2, 0).Varint(1).Varint(0).Varint(3)))
      << "counter 0 and another's dot";
  EXPECT_FALSE(taken(Parts().Varint(1).Actor(1, 1).Varint(1).Varint(1).Varint(3)))
      << "an index past the list";
  EXPECT_FALSE(taken(Parts().Varint(1).Actor(1, 1).Varint(1).Varint(0).Varint(2)))
      << "a dot that belongs into the vector";
  EXPECT_FALSE(taken(Parts().Varint(1).Actor(1, 1).Varint(1).Varint(0).Varint(0))) << "dot 0";
  EXPECT_FALSE(
      taken(Parts().Varint(1).Actor(1, 1).Varint(2).Varint(0).Varint(5).Varint(0).Varint(4)))
      << "unsorted cloud";
}

TEST(ObjectCoding, ConflictingCopiesOfADotStillMergeToSomethingThatDecodes) {
  // A peer gone wrong: one dot, but other times, operations and bytes.
  const auto mine = DecodeObject(Parts()
                                     .Varint(1)
                                     .Actor(1, 2)
                                     .Varint(0)
                                     .Varint(2)
                                     .Sibling(0, 1, 9, 1)
                                     .Sibling(0, 2, 8, 2)
                                     .bytes);
  const auto theirs = DecodeObject(Parts()
                                       .Varint(1)
                                       .Actor(1, 2)
                                       .Varint(0)
                                       .Varint(2)
                                       .Sibling(0, 2, 7, 1, 1)
                                       .Sibling(0, 1, 6, 3, 1)
                                       .bytes);
  ASSERT_TRUE(mine.has_value() && theirs.has_value());
  EXPECT_TRUE(DecodeObject(Encoded(Merged(*mine, *theirs))).has_value());
  EXPECT_TRUE(DecodeObject(Encoded(Merged(*theirs, *mine))).has_value());
}

TEST(ObjectCoding, RefusesSiblingsThatNobodyWrites) {
  // One actor that has counted to 3.
  const auto taken = [](uint64_t count, const Parts& siblings) {
    return DecodeObject(Parts().Varint(1).Actor(1, 3).Varint(0).Varint(count).bytes +
                        siblings.bytes)
        .has_value();
  };
  EXPECT_TRUE(taken(2, Parts().Sibling(0, 1, 9, 1).Sibling(0, 3, 8, 2)));
  EXPECT_TRUE(taken(2, Parts().Sibling(0, 3, 8, 0).Sibling(0, 1, 8, 0))) << "never minted here";
  EXPECT_FALSE(taken(1, Parts().Sibling(0, 4, 9, 1))) << "a dot outside the context";
  EXPECT_FALSE(taken(1, Parts().Sibling(0, 0, 9, 1))) << "dot 0";
  EXPECT_FALSE(taken(1, Parts().Sibling(1, 1, 9, 1))) << "an index past the list";
  EXPECT_TRUE(taken(1, Parts().Sibling(0, 1, 9, 1, 3).Attempt(1))) << "a retried delete";
  EXPECT_FALSE(taken(1, Parts().Sibling(0, 1, 9, 1, 3).Attempt(0))) << "not retried, and said so";
  EXPECT_FALSE(taken(1, Parts().Sibling(0, 1, 9, 1, 3))) << "cut off";
  EXPECT_FALSE(taken(1, Parts().Sibling(0, 1, 9, 1, 8))) << "an unknown kind";
  EXPECT_FALSE(taken(2, Parts().Sibling(0, 1, 8, 1).Sibling(0, 3, 9, 2))) << "unsorted";
  EXPECT_FALSE(taken(2, Parts().Sibling(0, 1, 8, 1).Sibling(0, 3, 8, 2))) << "unsorted dots";
  EXPECT_FALSE(taken(2, Parts().Sibling(0, 1, 9, 1).Sibling(0, 1, 8, 2))) << "a dot twice";
  EXPECT_TRUE(taken(2, Parts().Sibling(0, 1, 9, 1).Sibling(0, 3, 8, 1)))
      << "twins of one operation";
  const auto replaces = [](uint64_t count) { return Parts().Sibling(0, 1, 9, 1, 4).Varint(count); };
  EXPECT_TRUE(taken(1, replaces(2).Replaced(3).Replaced(2)));
  EXPECT_FALSE(taken(1, replaces(0))) << "nothing replaced, and said so";
  EXPECT_FALSE(taken(1, replaces(2).Replaced(2))) << "cut off";
  EXPECT_FALSE(taken(1, replaces(1).Replaced(2, 0))) << "of one that was not retried";
  Parts many = replaces(kMostReplaced + 1);
  for (uint64_t i = 0; i <= kMostReplaced; ++i) many.Replaced(i);
  EXPECT_FALSE(taken(1, many)) << "too many";
}

}  // namespace
}  // namespace cartwheel
