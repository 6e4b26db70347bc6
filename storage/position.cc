#include "storage/position.h"

#include <algorithm>

#include "base/hash.h"

namespace cartwheel {
namespace {

// The part of a key that is hashed: what stands between the first '{' and the next '}', when that
// is not empty; else the whole key.
std::string_view HashTag(std::string_view key) {
  const size_t open = key.find('{');
  if (open == std::string_view::npos) return key;
  const size_t close = key.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

void PutBigEndian(uint64_t value, char* out) {
  value = __builtin_bswap64(value);
  __builtin_memcpy(out, &value, sizeof(value));
}

uint64_t GetBigEndian(const char* bytes) {
  uint64_t value;
  __builtin_memcpy(&value, bytes, sizeof(value));
  return __builtin_bswap64(value);
}

}  // namespace

uint16_t HashSlot(std::string_view key, Partitioner partitioner) {
  const std::string_view tag = HashTag(key);
  if (partitioner == Partitioner::kSlot) return Crc16(tag) & (kSlotCount - 1);
  const auto digest = Md5(tag);
  return static_cast<uint16_t>((digest[0] << 6) | (digest[1] >> 2));
}

Position PositionOf(uint32_t db, std::string_view key, Partitioner partitioner) {
  const Hash128 hash = HashWide(key, db);
  return {HashSlot(key, partitioner), hash.high, hash.low};
}

void EncodePosition(const Position& position, char out[kPositionBytes]) {
  out[0] = static_cast<char>(position.slot >> 8);
  out[1] = static_cast<char>(position.slot & 0xff);
  PutBigEndian(position.high, out + 2);
  PutBigEndian(position.low, out + 10);
}

Position DecodePosition(const char bytes[kPositionBytes]) {
  Position position;
  position.slot =
      static_cast<uint16_t>((static_cast<uint8_t>(bytes[0]) << 8) | static_cast<uint8_t>(bytes[1]));
  position.high = GetBigEndian(bytes + 2);
  position.low = GetBigEndian(bytes + 10);
  return position;
}

uint64_t ToCursor(const Position& position) {
  return (static_cast<uint64_t>(position.slot) << kCursorHashBits) |
         (position.high >> (64 - kCursorHashBits));
}

Position FromCursor(uint64_t cursor) {
  cursor = std::min(cursor, kCursorEnd - 1);
  return {static_cast<uint16_t>(cursor >> kCursorHashBits), cursor << (64 - kCursorHashBits), 0};
}

}  // namespace cartwheel
