// QueueAge: says when this node is overloaded, in the manner of CoDel: not when a queue is long or
// was old once, but when the work that waits stays old. It is told the age of the oldest work at
// the end of every turn and has no clock of its own.
#pragma once

#include <cstdint>

namespace cartwheel {

class QueueAge {
 public:
  static constexpr int64_t kOldUs = 50'000;
  // So long it must have been old at every turn's end.
  static constexpr int64_t kStaysUs = 100'000;

  // At `now_us` the oldest work has waited for `age_us`.
  void Note(int64_t now_us, int64_t age_us) {
    // Between two turns that the loop slept nothing waited.
    const bool slept = now_us - age_us > noted_us_ + kSlackUs;
    noted_us_ = now_us;
    if (age_us < kOldUs) {
      old_since_us_ = kNever;
    } else if (old_since_us_ == kNever || slept) {
      old_since_us_ = now_us;
    }
    overloaded_ = old_since_us_ != kNever && now_us - old_since_us_ >= kStaysUs;
  }

  // Commands on data are refused until the next turn's end.
  bool overloaded() const { return overloaded_; }

 private:
  static constexpr int64_t kNever = INT64_MAX;
  static constexpr int64_t kSlackUs = 5'000;  // clocks of milliseconds, and the way into the poll

  int64_t noted_us_ = 0;
  int64_t old_since_us_ = kNever;
  bool overloaded_ = false;
};

}  // namespace cartwheel
