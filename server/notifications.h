// Notifications: the classes of keyspace events that notify-keyspace-events names, by Redis's
// letters. What is published, and when, is server/keyspace_events.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cartwheel {

enum Notification : uint32_t {
  kNotifyGeneric = 1 << 0,    // g: DEL, EXPIRE, RENAME ...
  kNotifyString = 1 << 1,     // $
  kNotifyList = 1 << 2,       // l
  kNotifySet = 1 << 3,        // s
  kNotifyHash = 1 << 4,       // h
  kNotifySortedSet = 1 << 5,  // z
  kNotifyExpired = 1 << 6,    // x
  kNotifyEvicted = 1 << 7,    // e
  kNotifyStream = 1 << 8,     // t
  kNotifyModule = 1 << 9,     // d
  kNotifyKeyspace = 1 << 10,  // K: on __keyspace@<db>__ channels
  kNotifyKeyevent = 1 << 11,  // E: on __keyevent@<db>__ channels
  kNotifyMiss = 1 << 12,      // m: a key that is not there
  kNotifyNew = 1 << 13,       // n: a key that was not there
};
// A: what is about the values of keys.
inline constexpr uint32_t kNotifyAll = (1 << 10) - 1;

// Nothing when a letter is none of these.
std::optional<uint32_t> ParseNotifications(std::string_view letters);
// In the order in which Redis writes them.
std::string FormatNotifications(uint32_t notifications);

}  // namespace cartwheel
