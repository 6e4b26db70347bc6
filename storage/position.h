// Position: where a key stands in the total order of all keys: its slot (the ring's unit) and 128
// bits of hash over (db, key). Slots, Merkle leaves and SCAN cursors are contiguous ranges of it.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace cartwheel {

inline constexpr uint32_t kSlotCount = 16384;
inline constexpr uint32_t kBucketsPerSlot = 16;
inline constexpr uint32_t kLeafCount = kSlotCount * kBucketsPerSlot;

// How a key's slot is found. kSlot: CRC16 modulo 16384 (Redis Cluster specification); kMd5: the
// first 14 bits of the MD5 digest (Dynamo, section 4.2). Both honour hash tags.
enum class Partitioner : uint8_t { kSlot = 0, kMd5 = 1 };

uint16_t HashSlot(std::string_view key, Partitioner partitioner);

struct Position {
  uint16_t slot = 0;
  uint64_t high = 0;  // the upper 64 bits of the hash
  uint64_t low = 0;

  auto operator<=>(const Position&) const = default;

  // The Merkle leaf: the slot and the top four bits of the hash, below kLeafCount.
  uint32_t leaf() const { return slot * kBucketsPerSlot + static_cast<uint32_t>(high >> 60); }
};

inline constexpr Position kLastPosition{kSlotCount - 1, UINT64_MAX, UINT64_MAX};

// Behind the ring's slots stand the hints: copies that this node keeps for others. As many slots
// again, in the same order; within a slot by the node that the hint is for. Engines keep them apart
// from the node's own records: no leaf sum and no count has a share of them.
inline constexpr uint32_t kEngineSlots = 2 * kSlotCount;
inline constexpr bool IsHint(const Position& position) { return position.slot >= kSlotCount; }
inline constexpr Position HintPosition(uint64_t node, const Position& key) {
  return {static_cast<uint16_t>(key.slot + kSlotCount), node, key.low};
}

// Encoded, a position is 18 big-endian bytes that order as positions do.
inline constexpr size_t kPositionBytes = 18;

Position PositionOf(uint32_t db, std::string_view key, Partitioner partitioner);
void EncodePosition(const Position& position, char out[kPositionBytes]);
Position DecodePosition(const char bytes[kPositionBytes]);

// A SCAN cursor: the slot and the top 39 bits of the hash, 53 bits in all. FromCursor gives the
// first position of that prefix; any cursor above the largest is clamped to it.
uint64_t ToCursor(const Position& position);
Position FromCursor(uint64_t cursor);
inline constexpr int kCursorHashBits = 39;
inline constexpr uint64_t kCursorEnd = 1ULL << 53;
// The cursor where the slot after this one begins; kCursorEnd after the last.
inline constexpr uint64_t CursorAfterSlot(uint16_t slot) {
  return (uint64_t{slot} + 1) << kCursorHashBits;
}

}  // namespace cartwheel
