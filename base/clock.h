// Time as the core sees it: an argument. Whoever drives the core (the uv loop, the simulator) reads
// the clocks; nothing in base/, protocol/, storage/ and cluster/ does.
#pragma once

#include <cstdint>

namespace cartwheel {

struct Now {
  int64_t mono_us = 0;  // monotonic microseconds: deadlines and durations
  int64_t wall_ms = 0;  // milliseconds since 1970: expiry and the hybrid clock

  int64_t mono_ms() const { return mono_us / 1000; }
};

}  // namespace cartwheel
