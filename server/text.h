// Text: small readings of arguments and option values. Integers are in base/decimal.h.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/decimal.h"
#include "cluster/types.h"

namespace cartwheel {

bool EqualsIgnoreCase(std::string_view a, std::string_view b);
// ASCII letters only.
std::string LowerCase(std::string_view text);
std::string UpperCase(std::string_view text);
// As Redis prints a string for people: in quotes, with escapes.
void AppendQuoted(std::string_view text, std::string* out);
// What Redis's errors show of a client's word: at most 128 bytes, and nothing from a NUL on.
inline constexpr size_t kShownBytes = 128;
std::string_view Shown(std::string_view word, size_t limit = kShownBytes);
// "host:port" or "[::1]:port".
std::optional<Address> ParseAddress(std::string_view text);

}  // namespace cartwheel
