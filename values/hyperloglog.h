// HyperLogLog: how many different elements were seen, from 16384 registers: an element's hash
// chooses one, and it keeps the largest rank (the position of the first one bit of the rest of the
// hash) that came by. Registers of two sets, the larger of each, are those of their union. The
// estimate is that of Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
// (2017), section 4. How they are stored is in values/hyperloglog_coding.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cartwheel {

inline constexpr size_t kHllRegisters = 16384;
// What one element can leave; a register itself has 6 bits.
inline constexpr uint8_t kHllMaxRank = 51;

using HllRegisters = std::array<uint8_t, kHllRegisters>;

// What an element leaves behind.
struct HllMark {
  uint16_t index = 0;
  uint8_t rank = 1;
  bool operator==(const HllMark&) const = default;
};
HllMark MarkOf(std::string_view element);

// True when the register was below.
inline bool Raise(HllRegisters* registers, const HllMark& mark) {
  uint8_t& rank = (*registers)[mark.index];
  if (rank >= mark.rank) return false;
  rank = mark.rank;
  return true;
}

uint64_t EstimateCount(const HllRegisters& registers);

// Marks as they travel: a varint index << 6 | rank each.
std::string EncodeMarks(std::span<const HllMark> marks);
// Nothing when malformed.
std::optional<std::vector<HllMark>> DecodeMarks(std::string_view bytes);

}  // namespace cartwheel
