// HybridClock: hybrid logical time (Kulkarni et al. 2014) in 64 bits: milliseconds << 16 | logical.
// It never goes back, stays near the wall clock, and is later than every time it has observed.
#pragma once

#include <algorithm>
#include <cstdint>

namespace cartwheel {

class HybridClock {
 public:
  static constexpr int kLogicalBits = 16;
  static uint64_t FromWall(int64_t wall_ms) {
    return static_cast<uint64_t>(wall_ms) << kLogicalBits;
  }
  static int64_t ToWall(uint64_t time) { return static_cast<int64_t>(time >> kLogicalBits); }

  // A new time, later than all before.
  uint64_t Tick(int64_t wall_ms) {
    last_ = std::max(last_ + 1, FromWall(wall_ms));
    return last_;
  }
  // A time later than `floor` as well.
  uint64_t TickAbove(uint64_t floor, int64_t wall_ms) {
    last_ = std::max(last_, floor);
    return Tick(wall_ms);
  }
  // Follows a time that was seen elsewhere; false when it is more than max_skew_ms ahead of the
  // wall clock: then it is not followed.
  bool Observe(uint64_t time, int64_t wall_ms, int64_t max_skew_ms) {
    if (time <= last_) return true;
    if (ToWall(time) > wall_ms + max_skew_ms) return false;
    last_ = time;
    return true;
  }
  uint64_t last() const { return last_; }

 private:
  uint64_t last_ = 0;
};

}  // namespace cartwheel
