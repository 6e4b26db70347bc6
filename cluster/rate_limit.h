// RateLimit: so many bytes a second, for work in the background (anti-entropy, hinted handoff,
// transfer). Whoever may begin (Ready) takes what it needs, however much that is, and all wait
// until the time of it is over: an object larger than a second's share is late, never stuck. Up to
// kBurstUs of unused time is kept. Virtual scheduling, the leaky bucket of ITU-T I.371.
#pragma once

#include <algorithm>
#include <cstdint>

namespace cartwheel {

class RateLimit {
 public:
  static constexpr int64_t kBurstUs = 100'000;

  explicit RateLimit(uint64_t bytes_per_second) : rate_(bytes_per_second) {}

  // 0: no limit.
  void SetRate(uint64_t bytes_per_second) {
    rate_ = bytes_per_second;
    ready_us_ = 0;
  }

  bool Ready(int64_t mono_us) const { return rate_ == 0 || ready_us_ <= mono_us; }
  // When it is Ready, if nobody takes more; in mono_us.
  int64_t ready_us() const { return rate_ == 0 ? 0 : ready_us_; }
  void Take(uint64_t bytes, int64_t mono_us) {
    if (rate_ != 0) ready_us_ = std::max(ready_us_, mono_us - kBurstUs) + CostUs(bytes);
  }
  // How long so many bytes take.
  int64_t CostUs(uint64_t bytes) const {
    if (rate_ == 0) return 0;
    return static_cast<int64_t>(std::min(bytes, kMostBytes) * 1'000'000 / rate_);
  }

 private:
  static constexpr uint64_t kMostBytes = uint64_t{1} << 40;  // so that the product fits

  uint64_t rate_;
  int64_t ready_us_ = 0;
};

}  // namespace cartwheel
