// Coding: integers and byte strings to bytes and back. Fixed integers are little-endian, varints
// are LEB128 (7 bits a byte, least significant first), a byte string is its varint length and its
// bytes. Reader never reads past its end: a short or overlong input makes it fail, once and for
// good.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace cartwheel {

inline void PutFixed32(std::string* out, uint32_t value) {
  char bytes[4];
  std::memcpy(bytes, &value, sizeof(bytes));
  out->append(bytes, sizeof(bytes));
}

inline void PutFixed64(std::string* out, uint64_t value) {
  char bytes[8];
  std::memcpy(bytes, &value, sizeof(bytes));
  out->append(bytes, sizeof(bytes));
}

inline void PutVarint(std::string* out, uint64_t value) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

inline void PutBytes(std::string* out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  out->append(bytes);
}

// How many bytes PutVarint appends.
inline size_t VarintLength(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}

inline uint32_t GetFixed32(const char* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

inline uint64_t GetFixed64(const char* bytes) {
  uint64_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  // After a failed read every value is 0 or empty and ok() stays false.
  uint8_t Byte() {
    if (rest_.empty()) return static_cast<uint8_t>(Fail());
    const auto byte = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return byte;
  }
  uint32_t Fixed32() {
    if (rest_.size() < 4) return static_cast<uint32_t>(Fail());
    const uint32_t value = GetFixed32(rest_.data());
    rest_.remove_prefix(4);
    return value;
  }
  uint64_t Fixed64() {
    if (rest_.size() < 8) return Fail();
    const uint64_t value = GetFixed64(rest_.data());
    rest_.remove_prefix(8);
    return value;
  }
  uint64_t Varint() {
    if (!rest_.empty() && static_cast<uint8_t>(rest_[0]) < 0x80) return Byte();
    return LongVarint();
  }
  // A varint length and that many bytes.
  std::string_view Bytes() { return Raw(Varint()); }
  // Exactly that many bytes.
  std::string_view Raw(uint64_t length) {
    if (length > rest_.size()) {
      Fail();
      return {};
    }
    const std::string_view bytes = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return bytes;
  }

  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  uint64_t LongVarint();
  // Nothing is left to read from then on.
  uint64_t Fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace cartwheel
