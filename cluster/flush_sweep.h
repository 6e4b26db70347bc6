// FlushSweep: drops the records of dbs that were flushed, in the background. They are dead by the
// cluster state from the moment that is known; dropping them makes room and keeps DBSIZE true.
// Works in slices, like ExpirySweep.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "base/clock.h"
#include "cluster/replica.h"

namespace cartwheel {

class FlushSweep {
 public:
  explicit FlushSweep(Replica* replica) : replica_(replica) {}

  // These are the times before which dbs are flushed; the first slice is done at once.
  void SetFlushes(const std::map<uint32_t, uint64_t>& flushed_before) {
    for (const auto& [db, time] : flushed_before) {
      uint64_t& known = known_[db];
      if (known >= time) continue;
      known = time;
      sweeps_.push_back({db, time, Position()});
    }
    Slice();
  }
  // A count right after FLUSHALL shall be true where that does not take long.
  void BeforeCount() {
    for (int i = 0; i < kSlicesBeforeCount && !sweeps_.empty(); ++i) Slice();
  }
  void Tick(const Now& now) {
    if (now.mono_us < NextDeadline()) return;
    Slice();
    next_us_ = now.mono_us + kPauseUs;
  }
  // In mono_us; INT64_MAX while there is nothing to drop.
  int64_t NextDeadline() const {
    return sweeps_.empty() ? std::numeric_limits<int64_t>::max() : next_us_;
  }

 private:
  // A db on the way of dropping what was in it.
  struct Sweep {
    uint32_t db;
    uint64_t flushed_before;
    Position from;
  };

  static constexpr uint32_t kSliceRecords = 20000;  // some milliseconds
  static constexpr int64_t kPauseUs = 1000;
  static constexpr int kSlicesBeforeCount = 5;

  void Slice() {
    if (sweeps_.empty()) return;
    Sweep& sweep = sweeps_.back();
    if (!replica_->SweepFlushed(sweep.db, sweep.flushed_before, kSliceRecords, &sweep.from)) {
      sweeps_.pop_back();
    }
  }

  Replica* replica_;
  std::map<uint32_t, uint64_t> known_;  // by db
  std::vector<Sweep> sweeps_;
  int64_t next_us_ = 0;
};

}  // namespace cartwheel
