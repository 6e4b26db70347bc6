// IndexRange: the ranges that GETRANGE, BITCOUNT and BITPOS take. Both ends count, negative ones
// are from the end (-1: the last), and what lies outside is cut off.
#pragma once

#include <algorithm>
#include <cstdint>

namespace cartwheel {

// Half open; empty when begin == end.
struct IndexRange {
  uint64_t begin = 0;
  uint64_t end = 0;
  bool empty() const { return begin == end; }
  bool operator==(const IndexRange&) const = default;
};

// `size` is at most INT64_MAX.
inline IndexRange CutRange(int64_t first, int64_t last, uint64_t size) {
  const auto from_start = [size](int64_t index) {
    return std::max<int64_t>(index < 0 ? index + static_cast<int64_t>(size) : index, 0);
  };
  first = from_start(first);
  last = std::min(from_start(last), static_cast<int64_t>(size) - 1);
  if (first > last) return {};
  return {static_cast<uint64_t>(first), static_cast<uint64_t>(last) + 1};
}

// Both from the end and in the wrong order. Cut to a short value such ends may meet at its first
// byte; GETRANGE and BITCOUNT take them for empty before, BITPOS does not.
inline bool IsReversed(int64_t first, int64_t last) {
  return first < 0 && last < 0 && first > last;
}

}  // namespace cartwheel
