// Text: small readings of argument strings as Redis does them. Integers are in base/decimal.h.
#pragma once

#include <string_view>

#include "base/decimal.h"

namespace cartwheel {

bool EqualsIgnoreCase(std::string_view a, std::string_view b);

}  // namespace cartwheel
