#include "base/coding.h"

#include <cstring>

namespace cartwheel {

void PutFixed32(std::string* out, uint32_t value) {
  char bytes[4];
  std::memcpy(bytes, &value, sizeof(bytes));
  out->append(bytes, sizeof(bytes));
}

void PutFixed64(std::string* out, uint64_t value) {
  char bytes[8];
  std::memcpy(bytes, &value, sizeof(bytes));
  out->append(bytes, sizeof(bytes));
}

void PutVarint(std::string* out, uint64_t value) {
  char bytes[10];
  size_t length = 0;
  while (value >= 0x80) {
    bytes[length++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  bytes[length++] = static_cast<char>(value);
  out->append(bytes, length);
}

void PutBytes(std::string* out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  out->append(bytes);
}

uint32_t GetFixed32(const char* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

uint64_t GetFixed64(const char* bytes) {
  uint64_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

bool Reader::Take(uint64_t length, std::string_view* out) {
  if (!ok_ || length > rest_.size()) {
    ok_ = false;
    rest_ = {};
    *out = {};
    return false;
  }
  *out = rest_.substr(0, length);
  rest_.remove_prefix(length);
  return true;
}

uint8_t Reader::Byte() {
  std::string_view bytes;
  return Take(1, &bytes) ? static_cast<uint8_t>(bytes[0]) : 0;
}

uint32_t Reader::Fixed32() {
  std::string_view bytes;
  return Take(4, &bytes) ? GetFixed32(bytes.data()) : 0;
}

uint64_t Reader::Fixed64() {
  std::string_view bytes;
  return Take(8, &bytes) ? GetFixed64(bytes.data()) : 0;
}

uint64_t Reader::Varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const uint8_t byte = Byte();
    if (!ok_) return 0;
    // The tenth byte holds the top bit alone; a last byte of 0 would be a second spelling.
    if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0)) break;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  ok_ = false;
  rest_ = {};
  return 0;
}

std::string_view Reader::Bytes() { return Raw(Varint()); }

std::string_view Reader::Raw(uint64_t length) {
  std::string_view bytes;
  Take(length, &bytes);
  return bytes;
}

}  // namespace cartwheel
