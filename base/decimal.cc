#include "base/decimal.h"

#include <charconv>
#include <system_error>

namespace cartwheel {
namespace {

template <typename Integer>
std::optional<Integer> Convert(std::string_view text) {
  Integer value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace

std::optional<int64_t> ParseInteger(std::string_view text) {
  if (text == "0") return 0;
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || digits.front() < '1' || digits.front() > '9') return std::nullopt;
  return Convert<int64_t>(text);
}

std::optional<uint64_t> ParseUnsigned(std::string_view text) { return Convert<uint64_t>(text); }

}  // namespace cartwheel
