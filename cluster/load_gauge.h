// LoadGauge: how long this node's clients wait, and whether work in the background has to wait for
// them: admission control by the 99th percentile of the last second, against that of the seconds
// without such work (Dynamo, section 6.5). Work begins at a small part of its rate while there are
// clients, and goes up to all of it as long as they do not notice. Pure: it is told the time.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace cartwheel {

class LoadGauge {
 public:
  // An operation of a client was answered.
  void Note(int64_t latency_us, int64_t mono_us) {
    Turn(mono_us);
    ++counts_[BucketOf(latency_us)];
    ++count_;
  }
  // Background work is done now.
  void Work(int64_t mono_us) {
    Turn(mono_us);
    worked_ = true;
    worked_us_ = mono_us;
  }
  bool IsCalm(int64_t mono_us) {
    Turn(mono_us);
    return last_p99_us_ <= BoundUs();
  }
  // Whether background work may be done: while clients do not wait for longer than usual, and a
  // little of it whatever they do, or it would never end.
  bool Admits(int64_t mono_us) { return IsCalm(mono_us) || mono_us >= worked_us_ + kTrickleUs; }
  // Whether clients were served in the last second.
  bool IsBusy(int64_t mono_us) {
    Turn(mono_us);
    return last_count_ >= kFewOperations;
  }
  // What so many bytes of background work count against its rate.
  uint64_t CostOf(uint64_t bytes, int64_t mono_us) {
    Turn(mono_us);
    return bytes << slowness_;
  }
  int64_t last_p99_us() const { return last_p99_us_; }
  // Half as much again as without background work, and what a scheduler does to anybody.
  int64_t BoundUs() const {
    return usual_p99_us_ == 0 ? kUnknownBoundUs : usual_p99_us_ * 3 / 2 + kSlackUs;
  }

 private:
  static constexpr int64_t kSecondUs = 1'000'000;
  static constexpr int64_t kUnknownBoundUs = 5'000;
  static constexpr int64_t kSlackUs = 300;
  static constexpr int64_t kTrickleUs = 200'000;
  static constexpr uint64_t kFewOperations = 20;  // in a second; no percentile of less
  static constexpr size_t kBuckets = 128;
  static constexpr int kMostSlowness = 4;

  // Four to an octave.
  static size_t BucketOf(int64_t us) {
    const auto value = static_cast<uint64_t>(std::max<int64_t>(us, 1)) * 4;
    const auto octave = static_cast<size_t>(std::bit_width(value)) - 3;
    return std::min(kBuckets - 1, octave * 4 + ((value >> octave) & 3));
  }
  // The longest that falls into the bucket.
  static int64_t TopOf(size_t bucket) {
    return static_cast<int64_t>((((5 + bucket % 4) << (bucket / 4)) - 1) / 4);
  }

  void Turn(int64_t mono_us) {
    if (mono_us < ends_us_) return;
    last_count_ = mono_us < ends_us_ + kSecondUs ? count_ : 0;
    last_p99_us_ = last_count_ < kFewOperations ? 0 : P99();
    if (last_count_ < kFewOperations) {
      slowness_ = 0;
    } else if (!worked_) {
      slowness_ = kMostSlowness;
    } else if (last_p99_us_ > BoundUs()) {
      slowness_ = std::min(slowness_ + 1, kMostSlowness);
    } else {
      slowness_ = std::max(slowness_ - 1, 0);
    }
    if (last_p99_us_ != 0 && !worked_) {
      const int64_t before = usual_p99_us_ == 0 ? last_p99_us_ : usual_p99_us_;
      usual_p99_us_ = (before * 7 + last_p99_us_) / 8;
    }
    counts_.fill(0);
    count_ = 0;
    worked_ = false;
    ends_us_ = mono_us + kSecondUs;
  }
  int64_t P99() const {
    uint64_t above = count_ / 100;
    size_t bucket = kBuckets - 1;
    while (bucket > 0 && counts_[bucket] <= above) above -= counts_[bucket--];
    return TopOf(bucket);
  }

  std::array<uint32_t, kBuckets> counts_{};
  uint64_t count_ = 0;
  bool worked_ = false;
  int slowness_ = 0;  // its rate is divided by two to the power of that
  int64_t worked_us_ = 0;
  int64_t ends_us_ = 0;
  uint64_t last_count_ = 0;
  int64_t last_p99_us_ = 0;
  int64_t usual_p99_us_ = 0;  // 0: never seen
};

}  // namespace cartwheel
