#include "server/text.h"

#include <algorithm>
#include <charconv>

namespace cartwheel {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return Lower(x) == Lower(y); });
}

std::optional<int64_t> ParseInteger(std::string_view text) {
  const size_t first_digit = text.starts_with('-') ? 1 : 0;
  if (text.size() <= first_digit) return std::nullopt;
  if (text[first_digit] == '0' && text.size() > 1) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace cartwheel
