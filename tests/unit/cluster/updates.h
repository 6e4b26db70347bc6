// Objects for updates to work on, and what they are expected to do.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cluster/update.h"

namespace cartwheel {

using Type = UpdateResult::Type;
using Write = UpdateEffect::Write;

inline constexpr int64_t kWall = 1'000'000;
inline constexpr View kView{kWall, 0};
inline constexpr uint64_t kMaxValue = 64;

inline Sibling MakeSibling(uint64_t node, uint64_t time, std::string bytes,
                           int64_t expires_at_ms = 0) {
  Sibling sibling;
  sibling.dot = {{node, 1}, 1};
  sibling.time = time;
  sibling.operation = node;
  sibling.expires_at_ms = expires_at_ms;
  sibling.bytes = std::move(bytes);
  return sibling;
}

inline Object Holding(std::string bytes, int64_t expires_at_ms = 0) {
  Object object;
  PutInto(&object, {}, MakeSibling(1, 10, std::move(bytes), expires_at_ms));
  return object;
}

inline UpdateEffect Apply(const Update& update, const Object& object) {
  return ApplyUpdate(update, object, kView, kMaxValue);
}

inline void ExpectInteger(const UpdateEffect& effect, int64_t value) {
  EXPECT_EQ(effect.result.type, Type::kInteger);
  EXPECT_EQ(effect.result.integer, value);
}
inline void ExpectBulk(const UpdateEffect& effect, const std::string& text) {
  EXPECT_EQ(effect.result.type, Type::kBulk);
  EXPECT_EQ(effect.result.text, text);
}
inline void ExpectSiblings(const UpdateEffect& effect, const std::vector<SiblingCopy>& siblings) {
  EXPECT_EQ(effect.write, Write::kSiblings);
  EXPECT_EQ(effect.siblings, siblings);
}
inline void ExpectError(const UpdateEffect& effect, const std::string& line) {
  EXPECT_EQ(effect.write, Write::kNothing);
  EXPECT_EQ(effect.result.type, Type::kError);
  EXPECT_EQ(effect.result.text, line);
}

}  // namespace cartwheel
