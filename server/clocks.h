// The clocks, read at once: for what a loop turn's time (Server::now) is too coarse.
#pragma once

#include <chrono>
#include <cstdint>

namespace cartwheel {

inline int64_t MonotonicUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline int64_t WallUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace cartwheel
