#include "server/bit_offset.h"

#include "base/decimal.h"

namespace cartwheel {

std::optional<uint64_t> ParseBitOffset(std::string_view text, uint64_t max_value_bytes,
                                       std::optional<uint8_t> bits) {
  const bool counted = bits && text.starts_with('#');
  const auto number = ParseInteger(counted ? text.substr(1) : text);
  if (!number || *number < 0) return std::nullopt;
  auto offset = static_cast<uint64_t>(*number);
  if (counted && __builtin_mul_overflow(offset, uint64_t{*bits}, &offset)) return std::nullopt;
  if (offset / 8 >= max_value_bytes) return std::nullopt;
  return offset;
}

}  // namespace cartwheel
