#include "storage/record.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/hash.h"
#include "tests/unit/storage/random_objects.h"

namespace cartwheel {
namespace {

Object OneValue(Kind kind = Kind::kValue) {
  Object object;
  Sibling sibling;
  sibling.dot = {{1, 2}, 1};
  sibling.kind = kind;
  sibling.bytes = "value";
  PutInto(&object, {}, sibling);
  return object;
}

TEST(Record, RoundTrips) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    for (const Object& object : History(seed).Objects(20)) {
      const uint32_t db = static_cast<uint32_t>(seed % 3);
      const std::string key(seed * 7, static_cast<char>('a' + seed % 26));
      const uint64_t mark = seed % 2 == 0 ? 0 : seed << 40;
      const Position position = PositionOf(db, key, Partitioner::kSlot);
      const std::string image = EncodeRecord(position, db, key, object, mark);
      ASSERT_TRUE(RecordIntact(image));
      const auto view = ParseRecord(image);
      ASSERT_TRUE(view.has_value());
      EXPECT_EQ(view->version_hash, VersionHash(position, object));
      EXPECT_EQ(view->db, db);
      EXPECT_EQ(view->key, key);
      EXPECT_EQ(view->mark, mark);
      const auto decoded = DecodeObject(view->object);
      ASSERT_TRUE(decoded.has_value());
      EXPECT_EQ(*decoded, object);
    }
  }
}

TEST(Record, KnowsWhetherThereIsAValue) {
  const auto has_value = [](const Object& object) {
    return ParseRecord(EncodeRecord({}, 0, "k", object, 0))->has_value;
  };
  EXPECT_TRUE(has_value(OneValue()));
  EXPECT_FALSE(has_value(OneValue(Kind::kTombstone)));
  EXPECT_FALSE(has_value({}));
}

TEST(Record, TheHeadIsWhereTheGrammarSays) {
  const std::string image = EncodeRecord({}, 300, "key", OneValue(), 5);
  std::string object;
  EncodeObject(OneValue(), &object);
  EXPECT_EQ(image[0], 1);
  EXPECT_EQ(image.substr(13), std::string("\x03\x05\0\0\0\0\0\0\0\xac\x02\x03key", 15) + object);
}

TEST(Record, EveryFlippedBitIsNoticed) {
  const std::string image = EncodeRecord({7, 8, 9}, 1, "some key", OneValue(), 99);
  for (size_t bit = 0; bit < image.size() * 8; ++bit) {
    std::string damaged = image;
    damaged[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    EXPECT_FALSE(RecordIntact(damaged)) << "bit " << bit;
    const auto view = ParseRecord(damaged);  // may succeed, must not read outside
    if (!view) {
      EXPECT_EQ(view.error().code, ErrorCode::kCorrupt);
    }
  }
}

TEST(Record, EveryTruncationIsNoticed) {
  const std::string image = EncodeRecord({7, 8, 9}, 1, "some key", OneValue(), 99);
  for (size_t length = 0; length < image.size(); ++length) {
    EXPECT_FALSE(RecordIntact(std::string_view(image).substr(0, length)));
  }
}

TEST(Record, RefusesAnotherVersionAndUnknownFlags) {
  std::string image = EncodeRecord({}, 0, "k", OneValue(), 0);
  image[0] = 2;
  EXPECT_EQ(ParseRecord(image).error().code, ErrorCode::kCorrupt);
  image[0] = 1;
  EXPECT_TRUE(ParseRecord(image).has_value());
  image[13] = static_cast<char>(image[13] | 4);
  EXPECT_EQ(ParseRecord(image).error().code, ErrorCode::kCorrupt);
}

TEST(Record, RefusesADbOfMoreThan32Bits) {
  // db is the varint behind the flags.
  const std::string image = EncodeRecord({}, 0, "k", OneValue(), 0);
  const std::string large = image.substr(0, 14) + "\xff\xff\xff\xff\x1f" + image.substr(15);
  EXPECT_FALSE(ParseRecord(large).has_value());
  const std::string largest = image.substr(0, 14) + "\xff\xff\xff\xff\x0f" + image.substr(15);
  EXPECT_EQ(ParseRecord(largest)->db, UINT32_MAX);
}

}  // namespace
}  // namespace cartwheel
