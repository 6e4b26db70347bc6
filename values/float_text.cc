#include "values/float_text.h"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/check.h"

namespace cartwheel {
namespace {

// Longer ones are no numbers, however many zeros they have.
constexpr size_t kMaxTextBytes = 5120;
constexpr int kFractionDigits = 17;

}  // namespace

std::optional<long double> ParseFloat(std::string_view text) {
  if (text.empty() || text.size() >= kMaxTextBytes) return std::nullopt;
  const bool blank = text.front() == ' ' || (text.front() >= '\t' && text.front() <= '\r');
  if (blank) return std::nullopt;
  const std::string terminated(text);
  char* end = nullptr;
  errno = 0;
  const long double value = std::strtold(terminated.c_str(), &end);
  if (end != terminated.c_str() + terminated.size() || std::isnan(value)) return std::nullopt;
  if (errno == ERANGE && (std::isinf(value) || value == 0)) return std::nullopt;
  return value;
}

std::string FormatFloat(long double value) {
  CHECK(std::isfinite(value));
  char text[std::numeric_limits<long double>::max_exponent10 + kFractionDigits + 4];
  const auto [end, error] = std::to_chars(std::begin(text), std::end(text), value,
                                          std::chars_format::fixed, kFractionDigits);
  CHECK(error == std::errc());
  std::string_view shown(text, static_cast<size_t>(end - text));
  shown = shown.substr(0, shown.find_last_not_of('0') + 1);
  if (shown.ends_with('.')) shown.remove_suffix(1);
  return shown == "-0" ? "0" : std::string(shown);
}

}  // namespace cartwheel
