// LoadGauge: how long this node's clients wait, and whether work in the background has to wait for
// them: admission control by the 99th percentile of the last second, against that of the seconds
// without such work (Dynamo, section 6.5). Work begins at a small part of its rate while there are
// clients, goes up to all of it as long as they do not notice, and down at once when they do. What
// is usual is learnt anew once only a trickle is left: clients who wait for other reasons hold
// nothing up for long. Pure: it is told the time.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace cartwheel {

class LoadGauge {
 public:
  // An operation of a client was answered.
  void Note(int64_t latency_us, int64_t mono_us) {
    Turn(mono_us);
    ++tenths_[tenth_][BucketOf(latency_us)];
  }
  // Background work is done now.
  void Work(int64_t mono_us) {
    last_work_us_ = mono_us;
    if (IsCalm(mono_us)) worked_us_ = mono_us;
  }
  bool IsCalm(int64_t mono_us) {
    Turn(mono_us);
    return last_p99_us_ <= BoundUs();
  }
  // Whether background work may be done: while clients do not wait for longer than usual, and a
  // little of it whatever they do, or it would never end.
  bool Admits(int64_t mono_us) { return IsCalm(mono_us) || mono_us >= last_work_us_ + kTrickleUs; }
  // Whether clients were served in the last second.
  bool IsBusy(int64_t mono_us) {
    Turn(mono_us);
    return last_count_ >= kFewOperations;
  }
  // What so many bytes of background work count against its rate.
  uint64_t CostOf(uint64_t bytes, int64_t mono_us) {
    Turn(mono_us);
    const uint64_t doubled = bytes << (slowness_ / 2);
    return slowness_ % 2 == 0 ? doubled : doubled + doubled / 2;
  }
  int64_t last_p99_us() const { return last_p99_us_; }
  // A quarter more than without background work, and what a scheduler does to anybody.
  int64_t BoundUs() const {
    return usual_p99_us_ == 0 ? kUnknownBoundUs : usual_p99_us_ * 5 / 4 + kSlackUs;
  }

 private:
  static constexpr int64_t kTenthUs = 100'000;
  static constexpr int64_t kSecondUs = 1'000'000;
  static constexpr int64_t kUnknownBoundUs = 5'000;
  static constexpr int64_t kSlackUs = 100;
  static constexpr int64_t kTrickleUs = 200'000;
  static constexpr uint64_t kFewOperations = 20;  // in a second; no percentile of less
  static constexpr size_t kTenths = 10;
  static constexpr size_t kBuckets = 128;
  static constexpr int kMostSlowness = 12;

  using Counts = std::array<uint32_t, kBuckets>;

  // Four to an octave.
  static size_t BucketOf(int64_t us) {
    const auto value = static_cast<uint64_t>(std::max<int64_t>(us, 1)) * 4;
    const auto octave = std::max<size_t>(static_cast<size_t>(std::bit_width(value)), 3) - 3;
    return std::min(kBuckets - 1, octave * 4 + ((value >> octave) & 3));
  }
  // The longest that falls into the bucket.
  static int64_t TopOf(size_t bucket) {
    return static_cast<int64_t>((((5 + bucket % 4) << (bucket / 4)) - 1) / 4);
  }

  void Turn(int64_t mono_us) {
    if (mono_us < ends_us_) return;
    if (mono_us >= ends_us_ + kSecondUs) {  // nothing was noted for so long
      for (Counts& tenth : tenths_) tenth.fill(0);
      ends_us_ = mono_us;
    }
    for (; ends_us_ <= mono_us; ends_us_ += kTenthUs) {
      Judge(ends_us_);
      tenth_ = (tenth_ + 1) % kTenths;
      tenths_[tenth_].fill(0);
    }
  }

  // A tenth of a second is over.
  void Judge(int64_t mono_us) {
    const bool was_calm = last_p99_us_ <= BoundUs();
    Counts second{};
    last_count_ = 0;
    for (const Counts& tenth : tenths_) {
      for (size_t i = 0; i < kBuckets; ++i) second[i] += tenth[i];
    }
    for (const uint32_t count : second) last_count_ += count;
    last_p99_us_ = last_count_ < kFewOperations ? 0 : P99(second);
    const bool worked = mono_us < worked_us_ + kSecondUs;
    const bool whole_second = mono_us >= step_us_ + kSecondUs;
    if (last_count_ < kFewOperations) {
      slowness_ = 0;
    } else if (!worked) {
      slowness_ = kMostSlowness;
    } else if (last_p99_us_ > BoundUs()) {
      if (was_calm) slowness_ = std::min(slowness_ + 4, kMostSlowness);
      step_us_ = mono_us;
    } else if (whole_second) {
      slowness_ = std::max(slowness_ - 1, 0);
    }
    if (!whole_second) return;
    step_us_ = mono_us;
    if (last_p99_us_ == 0 || worked) return;
    const int64_t before = usual_p99_us_ == 0 ? last_p99_us_ : usual_p99_us_;
    // Clients who have changed for good are to hold nothing up for long.
    const int64_t weight = last_p99_us_ > BoundUs() ? 2 : 8;
    usual_p99_us_ = (before * (weight - 1) + last_p99_us_) / weight;
  }
  int64_t P99(const Counts& counts) const {
    uint64_t above = last_count_ / 100;
    size_t bucket = kBuckets - 1;
    while (bucket > 0 && counts[bucket] <= above) above -= counts[bucket--];
    return TopOf(bucket);
  }

  std::array<Counts, kTenths> tenths_{};  // the last second's operations, by latency
  size_t tenth_ = 0;                      // the one that is noted in
  int64_t ends_us_ = 0;                   // it
  int64_t step_us_ = 0;                   // the rate last went up, or down
  int64_t last_work_us_ = INT64_MIN / 2;
  int64_t worked_us_ = INT64_MIN / 2;  // more than a trickle, which nobody notices
  int slowness_ = 0;                   // two of it halve the rate
  uint64_t last_count_ = 0;
  int64_t last_p99_us_ = 0;
  int64_t usual_p99_us_ = 0;  // 0: never seen
};

}  // namespace cartwheel
