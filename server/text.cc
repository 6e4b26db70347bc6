#include "server/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace cartwheel {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = Lower(c);
  return lower;
}

std::string UpperCase(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return upper;
}

void AppendQuoted(std::string_view text, std::string* out) {
  *out += '"';
  for (const char c : text) {
    switch (c) {
      case '\\':
      case '"':
        *out += '\\';
        *out += c;
        break;
      case '\n': *out += "\\n"; break;
      case '\r': *out += "\\r"; break;
      case '\t': *out += "\\t"; break;
      case '\a': *out += "\\a"; break;
      case '\b': *out += "\\b"; break;
      default:
        if (c >= ' ' && c <= '~') {
          *out += c;
        } else {
          fmt::format_to(std::back_inserter(*out), "\\x{:02x}", static_cast<uint8_t>(c));
        }
    }
  }
  *out += '"';
}

std::string_view Shown(std::string_view word, size_t limit) {
  word = word.substr(0, limit);
  return word.substr(0, word.find('\0'));
}

std::optional<Address> ParseAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const std::optional<int64_t> port = ParseInteger(text.substr(colon + 1));
  if (host.empty() || !port || *port < 1 || *port > 65535) return std::nullopt;
  return Address{std::string(host), static_cast<uint16_t>(*port)};
}

}  // namespace cartwheel
