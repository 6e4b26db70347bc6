// Coding: integers and byte strings to bytes and back. Fixed integers are little-endian, varints
// are LEB128 (7 bits a byte, least significant first), a byte string is its varint length and its
// bytes. Reader never reads past its end: a short or overlong input makes it fail, once and for
// good.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cartwheel {

void PutFixed32(std::string* out, uint32_t value);
void PutFixed64(std::string* out, uint64_t value);
void PutVarint(std::string* out, uint64_t value);
void PutBytes(std::string* out, std::string_view bytes);

// How many bytes PutVarint appends.
inline size_t VarintLength(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}

uint32_t GetFixed32(const char* bytes);
uint64_t GetFixed64(const char* bytes);

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  // After a failed read every value is 0 or empty and ok() stays false.
  uint8_t Byte();
  uint32_t Fixed32();
  uint64_t Fixed64();
  uint64_t Varint();
  std::string_view Bytes();               // a varint length and that many bytes
  std::string_view Raw(uint64_t length);  // exactly that many bytes

  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  bool Take(uint64_t length, std::string_view* out);

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace cartwheel
