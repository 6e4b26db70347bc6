// Births: the source of actors' birth times (docs/architecture.md, "Versions"). A birth is
// never given out twice by one node, whatever its clock and disk do: births stay below a bound that
// was made durable before, and a start begins above the last bound. A directory that was restored
// from a copy has an old bound, so every start leaps on from there by another random distance.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "cluster/hybrid_clock.h"

namespace cartwheel {

class Births {
 public:
  static constexpr int64_t kReserveMs = 600'000;
  // Two starts from one bound share a birth twice in a million times, if each gives out a million;
  // and a start a minute uses the 64 bits up in sixty years.
  static constexpr uint64_t kMaxLeap = uint64_t{1} << 40;

  // `durable_bound` is the bound that was last made durable, 0 at the first start; `leap` is
  // random, below kMaxLeap. The new bound() must be durable before Next is called.
  Births(uint64_t durable_bound, int64_t wall_ms, uint64_t leap = 0)
      : era_(std::max(durable_bound, HybridClock::FromWall(wall_ms)) + 1 + leap),
        last_(era_),
        bound_(era_ + HybridClock::FromWall(kReserveMs)) {
    CHECK(era_ > durable_bound && bound_ > era_);
  }

  // Marks of births before this start are not gone on with.
  uint64_t era() const { return era_; }
  uint64_t bound() const { return bound_; }

  // A clock that jumped past the bound, or near it, is followed once the bound has moved: what is
  // left is for the births of this Step.
  uint64_t Next(int64_t wall_ms) {
    const uint64_t wall = HybridClock::FromWall(wall_ms);
    const bool near = wall + HybridClock::FromWall(kReserveMs / 4) >= bound_;
    last_ = std::max(last_ + 1, near ? 0 : wall);
    CHECK(last_ < bound_);
    return last_;
  }

  // True when half of the reserve is gone; Extend then moves the bound, to be made durable at once.
  bool NeedsMore(int64_t wall_ms) const {
    return std::max(last_, HybridClock::FromWall(wall_ms)) + HybridClock::FromWall(kReserveMs / 2) >
           bound_;
  }
  void Extend(int64_t wall_ms) {
    bound_ = std::max(bound_, std::max(last_, HybridClock::FromWall(wall_ms)) +
                                  HybridClock::FromWall(kReserveMs));
  }

 private:
  uint64_t era_;
  uint64_t last_;
  uint64_t bound_;
};

}  // namespace cartwheel
