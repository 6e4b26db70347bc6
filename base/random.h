// Random: a small seeded generator (SplitMix64, Steele, Lea and Flood 2014). One per node; the same
// seed gives the same run. Not for secrets.
#pragma once

#include <cstdint>

#include "base/check.h"

namespace cartwheel {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound); bound must be positive. Multiply-shift: the bias is below 2^-32 for the
  // bounds in use.
  uint64_t Below(uint64_t bound) {
    CHECK(bound > 0);
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }

  // True with probability numerator / denominator.
  bool Chance(uint64_t numerator, uint64_t denominator) { return Below(denominator) < numerator; }

 private:
  uint64_t state_;
};

}  // namespace cartwheel
