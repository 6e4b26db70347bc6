// Bit offset: the argument that says where in a value a bit is, for SETBIT, GETBIT and BITFIELD.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace cartwheel {

inline constexpr std::string_view kBadBitOffset =
    "ERR bit offset is not an integer or out of range";

// In bits; its byte must lie below `max_value_bytes`. With `bits`, "#n" is n times as many.
std::optional<uint64_t> ParseBitOffset(std::string_view text, uint64_t max_value_bytes,
                                       std::optional<uint8_t> bits = {});

}  // namespace cartwheel
