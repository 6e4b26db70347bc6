// SimClock: one node's clocks over simulated time. The monotonic clock may run too fast or too slow
// (drift) but never jumps; the wall clock drifts with it and may be set to anything.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace cartwheel::sim {

// 2027-01-15, an arbitrary day on which every simulation begins.
inline constexpr int64_t kFirstWallMs = 1'800'000'000'000;

class SimClock {
 public:
  explicit SimClock(int64_t mono_offset_us) : mono_base_us_(mono_offset_us) {}

  Now At(int64_t time_us) const {
    const int64_t mono_us = MonoAt(time_us);
    return {mono_us, kFirstWallMs + (mono_us - mono_base_zero_us_ + wall_offset_us_) / 1000};
  }

  // The first simulated time at which the monotonic clock shows at least this.
  int64_t WhenMono(int64_t mono_us) const {
    int64_t time_us = since_us_ + (mono_us - mono_base_us_) * kMillion / (kMillion + drift_ppm_);
    while (MonoAt(time_us) < mono_us) ++time_us;
    return time_us;
  }

  void SetDrift(int64_t time_us, int64_t ppm) {
    mono_base_us_ = MonoAt(time_us);
    since_us_ = time_us;
    drift_ppm_ = ppm;
  }
  void JumpWall(int64_t time_us, int64_t by_us) {
    peak_wall_ms_ = LatestWallMs(time_us);
    wall_offset_us_ += by_us;
  }
  // What a time daemon does at last: the wall clock is right again.
  void SetWallRight(int64_t time_us) {
    peak_wall_ms_ = LatestWallMs(time_us);
    wall_offset_us_ = time_us - (MonoAt(time_us) - mono_base_zero_us_);
  }

  // The highest that the wall clock has shown.
  int64_t LatestWallMs(int64_t time_us) const {
    return std::max(peak_wall_ms_, At(time_us).wall_ms);
  }

 private:
  static constexpr int64_t kMillion = 1'000'000;

  int64_t MonoAt(int64_t time_us) const {
    const int64_t passed = time_us - since_us_;
    return mono_base_us_ + passed + passed * drift_ppm_ / kMillion;
  }

  int64_t mono_base_us_;
  int64_t mono_base_zero_us_ = mono_base_us_;  // what it showed at simulated time 0
  int64_t since_us_ = 0;
  int64_t drift_ppm_ = 0;
  int64_t wall_offset_us_ = 0;
  int64_t peak_wall_ms_ = 0;  // before it was set last
};

}  // namespace cartwheel::sim
