// Text: small readings of arguments and option values. Integers are in base/decimal.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/decimal.h"
#include "cluster/types.h"

namespace cartwheel {

bool EqualsIgnoreCase(std::string_view a, std::string_view b);
// ASCII letters only.
std::string UpperCase(std::string_view text);
// "host:port" or "[::1]:port".
std::optional<Address> ParseAddress(std::string_view text);

}  // namespace cartwheel
