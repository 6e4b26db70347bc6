// ExpirySweep: empties values whose time is over, in the background: reads do not show them any
// more, but their bytes take room and DBSIZE counts them. Walks all records in small slices, and
// only while there are values that expire. A value is emptied when it was over for kGraceMs: a
// clock that is no further ahead than that takes nothing that other nodes still show.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "base/clock.h"
#include "cluster/replica.h"

namespace cartwheel {

class ExpirySweep {
 public:
  static constexpr int64_t kGraceMs = 1000;

  explicit ExpirySweep(Replica* replica) : replica_(replica) {}

  // DEBUG SET-ACTIVE-EXPIRE.
  void set_active(bool active) { active_ = active; }
  // Adds the keys whose last value's time is over to *gone.
  void Tick(const Now& now, std::vector<Key>* gone) {
    if (now.mono_us < NextDeadline()) return;
    if (from_ == Position()) {
      seen_ = replica_->expiring_stored();
      later_ = false;
    }
    const int64_t wall_ms = now.wall_ms - kGraceMs;
    if (replica_->SweepExpired(wall_ms, kSliceRecords, &from_, &later_, gone)) {
      next_us_ = now.mono_us + kSlicePauseUs;
      return;
    }
    from_ = Position();
    next_us_ = now.mono_us + kRoundPauseUs;
  }
  // In mono_us; INT64_MAX while nothing that is stored expires.
  int64_t NextDeadline() const {
    if (!active_) return std::numeric_limits<int64_t>::max();
    const bool idle = !later_ && from_ == Position() && replica_->expiring_stored() == seen_;
    return idle ? std::numeric_limits<int64_t>::max() : next_us_;
  }

 private:
  // A hundredth of a processor at most.
  static constexpr uint32_t kSliceRecords = 2000;
  static constexpr int64_t kSlicePauseUs = 100'000;
  static constexpr int64_t kRoundPauseUs = 100'000;

  Replica* replica_;
  Position from_;
  bool active_ = true;
  bool later_ = true;  // a value was met whose time will come; at the start there may be
  uint64_t seen_ = 0;  // expiring_stored when the round began
  int64_t next_us_ = 0;
};

}  // namespace cartwheel
