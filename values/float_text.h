// Float text: the numbers that INCRBYFLOAT reads and writes. As in Redis they are long doubles, so
// that decimal fractions add up as people expect for as long as 17 digits behind the point say all.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cartwheel {

// What strtold takes, all of it: no blanks, no NaN, nothing that is too large or too small to be
// told from infinity or zero. "inf" itself and hexadecimal ones are numbers.
std::optional<long double> ParseFloat(std::string_view text);

// With up to 17 digits behind the point and no exponent; a zero has no sign. `value` is finite.
std::string FormatFloat(long double value);

}  // namespace cartwheel
