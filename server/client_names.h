// What Cartwheel calls itself to clients, and which names clients may give themselves.
#pragma once

#include <string_view>

namespace cartwheel {

// The Redis whose commands and replies we speak.
inline constexpr std::string_view kRedisVersion = "7.0.15";

inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

// Printable ASCII without blanks, so that CLIENT LIST stays readable by line and by word.
inline bool IsClientName(std::string_view name) {
  for (const char c : name) {
    if (c < '!' || c > '~') return false;
  }
  return true;
}

}  // namespace cartwheel
