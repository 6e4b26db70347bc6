// Decimal: the one form of an integer that Redis takes in arguments and values: an optional '-', no
// leading zeros, no blanks, no '+', within 64 bits.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace cartwheel {

std::optional<int64_t> ParseInteger(std::string_view text);

// Any unsigned 64-bit decimal, leading zeros allowed: SCAN cursors.
std::optional<uint64_t> ParseUnsigned(std::string_view text);

}  // namespace cartwheel
