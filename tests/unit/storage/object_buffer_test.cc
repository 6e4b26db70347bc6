#include "storage/lmdb/object_buffer.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/random.h"

namespace cartwheel {
namespace {

using Model = std::map<Position, std::pair<std::string, uint64_t>>;

// Positions that collide in all but a few bits.
Position RandomPosition(Random* random, uint16_t slots) {
  return {static_cast<uint16_t>(random->Below(slots) * (kSlotCount / slots)),
          random->Below(16) << 60 | random->Below(4) << 31 | random->Below(64), random->Below(2)};
}

void ExpectEqual(const ObjectBuffer& buffer, const Model& model) {
  ASSERT_EQ(buffer.size(), model.size());
  const auto all = buffer.InOrder();
  auto cursor = buffer.Seek({}, kEngineSlots - 1);
  size_t i = 0;
  for (const auto& [position, value] : model) {
    const ObjectBuffer::Entry* found = buffer.Find(position);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->image.view(), value.first);
    EXPECT_EQ(found->sequence, value.second);
    EXPECT_EQ(all[i++], found);
    ASSERT_TRUE(cursor.valid());
    EXPECT_EQ(&cursor.entry(), found);
    cursor.Next();
  }
  EXPECT_FALSE(cursor.valid());
}

TEST(ObjectBuffer, IsEmptyAtFirst) {
  const ObjectBuffer buffer;
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.Find({1, 2, 3}), nullptr);
  EXPECT_FALSE(buffer.Seek({}, kEngineSlots - 1).valid());
  EXPECT_TRUE(buffer.InOrder().empty());
  EXPECT_EQ(buffer.held(), 0u);
}

TEST(ObjectBuffer, HoldsWhatAMapHolds) {
  for (const uint16_t slots : {uint16_t{1}, uint16_t{16}, uint16_t{4096}}) {
    Random random(slots);
    ObjectBuffer buffer;
    Model model;
    for (uint64_t sequence = 1; sequence <= 20000; ++sequence) {
      const Position position = RandomPosition(&random, slots);
      const std::string image = random.Chance(1, 10) ? "" : std::to_string(sequence);
      buffer.Set(position, image.empty() ? Image() : Image(image), sequence);
      model[position] = {image, sequence};
      const Position other = RandomPosition(&random, slots);
      ASSERT_EQ(buffer.Find(other) != nullptr, model.contains(other));
      if (sequence % 5000 == 0 || sequence < 20) ExpectEqual(buffer, model);
    }
  }
}

TEST(ObjectBuffer, SeeksFromAnyPosition) {
  Random random(7);
  ObjectBuffer buffer;
  Model model;
  for (uint64_t round = 0; round < 3000; ++round) {
    const Position position = RandomPosition(&random, 8);
    buffer.Set(position, Image("x"), round);
    model[position] = {"x", round};
    const Position from = RandomPosition(&random, 16);
    const auto last_slot = static_cast<uint16_t>(random.Below(16));
    auto cursor = buffer.Seek(from, last_slot);
    auto expected = model.lower_bound(from);
    const auto is_over = [&] {
      return expected == model.end() || expected->first.slot > last_slot;
    };
    for (int i = 0; i < 20 && !is_over(); ++i, ++expected) {
      ASSERT_TRUE(cursor.valid());
      ASSERT_EQ(cursor.entry().position(), expected->first);
      cursor.Next();
    }
    if (is_over()) {
      ASSERT_FALSE(cursor.valid());
    }
  }
  EXPECT_FALSE(buffer.Seek(kLastPosition, kLastPosition.slot).valid());
}

}  // namespace
}  // namespace cartwheel
