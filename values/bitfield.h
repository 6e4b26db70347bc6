// Bitfield: integers of 1 to 64 bits at any bit of a byte string (BITFIELD). The most significant
// bit comes first; what lies past the end is zero.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cartwheel {

struct FieldType {
  bool is_signed = false;
  uint8_t bits = 1;  // 1 to 64, unsigned up to 63
  bool operator==(const FieldType&) const = default;
};
// "i8", "u63"; nothing when it is none.
std::optional<FieldType> ParseFieldType(std::string_view text);

enum class FieldVerb : uint8_t { kGet = 0, kSet = 1, kIncrement = 2 };
enum class FieldOverflow : uint8_t { kWrap = 0, kSaturate = 1, kFail = 2 };

struct FieldStep {
  FieldVerb verb = FieldVerb::kGet;
  FieldOverflow overflow = FieldOverflow::kWrap;
  FieldType type;
  uint64_t offset = 0;  // in bits, below 2^60
  int64_t value = 0;    // kSet: to what; kIncrement: by how much
  bool operator==(const FieldStep&) const = default;
};

// How long the string must be for what the steps write, in bytes; 0: they only read.
uint64_t ReachOf(std::span<const FieldStep> steps);

int64_t ReadField(std::string_view bytes, FieldType type, uint64_t offset);

// Takes a step: the value read, the one before a kSet, the one after a kIncrement; nothing when
// kFail refused it. The string must be as long as ReachOf says.
std::optional<int64_t> TakeStep(const FieldStep& step, std::string* bytes);

// Grammar (varint as in base/coding.h): { verb | overflow << 2 | signed << 4 : byte, bits : byte,
// offset : varint, [value : varint unless kGet] }.
std::string EncodeSteps(std::span<const FieldStep> steps);
// Nothing when malformed.
std::optional<std::vector<FieldStep>> DecodeSteps(std::string_view bytes);

}  // namespace cartwheel
