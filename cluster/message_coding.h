// How data messages are written and read: for cluster/messages.cc and cluster/repair_messages.cc.
#pragma once

#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/coding.h"
#include "cluster/messages.h"

namespace cartwheel::coding {

// The first field of a frame under construction: the type and the message's numbers.
class Head {
 public:
  explicit Head(uint8_t type) { bytes_[size_++] = static_cast<char>(type); }

  Head& Number(uint64_t value) {
    CHECK(size_ + 10 <= sizeof(bytes_));
    while (value >= 0x80) {
      bytes_[size_++] = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    bytes_[size_++] = static_cast<char>(value);
    return *this;
  }

  Head& Place(const Position& position) {
    return Number(position.slot).Number(position.high).Number(position.low);
  }

  std::string_view view() const { return {bytes_, size_}; }

 private:
  char bytes_[128];
  size_t size_ = 0;
};

inline void AppendHeader(char kind, size_t number, std::string* out) {
  char text[24];
  text[0] = kind;
  char* end = std::to_chars(text + 1, text + sizeof(text), number).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out->append(text, static_cast<size_t>(end - text));
}

inline void AppendField(std::string_view field, std::string* out) {
  AppendHeader('$', field.size(), out);
  out->append(field);
  out->append("\r\n", 2);
}

inline void AppendFrame(const Head& head, std::initializer_list<std::string_view> fields,
                        std::string* out) {
  AppendHeader('*', 1 + fields.size(), out);
  AppendField(head.view(), out);
  for (const std::string_view field : fields) AppendField(field, out);
}

// Signed numbers (expiry times, increments) travel as two's complement.
inline uint64_t Unsigned(int64_t value) { return static_cast<uint64_t>(value); }

// Reads a frame's parts in order; ok() tells at the end whether all were there and in range.
class Parts {
 public:
  explicit Parts(Fields fields) : head_(fields[0].substr(1)), fields_(fields) {}

  uint64_t Number() { return head_.Varint(); }
  int64_t Signed() { return static_cast<int64_t>(Number()); }
  // A number of at most `max`, as an integer or enumeration.
  template <typename T>
  T Small(uint64_t max) {
    const uint64_t value = Number();
    in_range_ = in_range_ && value <= max;
    return static_cast<T>(in_range_ ? value : 0);
  }
  bool Flag() { return (Number() & 1) != 0; }
  Stamp ReadStamp() {
    const uint64_t run = Number();
    return {run, Signed()};
  }
  Position Place() {
    const auto slot = Small<uint16_t>(kSlotCount - 1);
    const uint64_t high = Number();
    return {slot, high, Number()};
  }
  std::string_view Field() {
    if (next_ < fields_.size()) return fields_[next_++];
    in_range_ = false;
    return {};
  }
  bool ok() const { return in_range_ && head_.ok(); }

 private:
  Reader head_;
  Fields fields_;
  size_t next_ = 1;
  bool in_range_ = true;
};

inline constexpr uint64_t kMaxDb = UINT32_MAX;

}  // namespace cartwheel::coding
