#include "server/notifications.h"

#include <utility>

namespace cartwheel {
namespace {

constexpr std::pair<char, uint32_t> kLetters[] = {
    {'g', kNotifyGeneric},  {'$', kNotifyString},    {'l', kNotifyList},    {'s', kNotifySet},
    {'h', kNotifyHash},     {'z', kNotifySortedSet}, {'x', kNotifyExpired}, {'e', kNotifyEvicted},
    {'t', kNotifyStream},   {'d', kNotifyModule},    {'n', kNotifyNew},     {'K', kNotifyKeyspace},
    {'E', kNotifyKeyevent}, {'m', kNotifyMiss},
};

uint32_t OfLetter(char letter) {
  if (letter == 'A') return kNotifyAll;
  for (const auto& [known, flag] : kLetters) {
    if (known == letter) return flag;
  }
  return 0;
}

}  // namespace

std::optional<uint32_t> ParseNotifications(std::string_view letters) {
  uint32_t notifications = 0;
  for (const char letter : letters) {
    const uint32_t flags = OfLetter(letter);
    if (flags == 0) return std::nullopt;
    notifications |= flags;
  }
  return notifications;
}

std::string FormatNotifications(uint32_t notifications) {
  std::string letters;
  if ((notifications & kNotifyAll) == kNotifyAll) {
    letters += 'A';
    notifications &= ~kNotifyAll;
  }
  for (const auto& [letter, flag] : kLetters) {
    if ((notifications & flag) != 0) letters += letter;
  }
  return letters;
}

}  // namespace cartwheel
