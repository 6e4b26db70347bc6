// Text: small readings of argument strings as Redis does them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace cartwheel {

bool EqualsIgnoreCase(std::string_view a, std::string_view b);
// Redis's rule for integers: no blanks, no plus sign, no leading zeros, within 64 bits.
std::optional<int64_t> ParseInteger(std::string_view text);

}  // namespace cartwheel
