// Scrub: looks for rot in the background, at all records in the order of their positions: do their
// checksums and version hashes hold, and is the sum of every Merkle leaf that of its records? What
// is damaged is set aside, so that others repair it; a wrong sum is taken anew. Hints, behind the
// ring's slots, have no sums: only their records are looked at. Dynamo,
// section 4.7, trusts its trees; this is why one may. Pure: it is told the time and works in
// slices.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cluster/effects.h"
#include "cluster/replica.h"
#include "cluster/status_counters.h"

namespace cartwheel {

class Scrub {
 public:
  Scrub(Replica* replica, StatusCounters* counters) : replica_(replica), counters_(counters) {}

  void Tick(const Now& now, Effects* effects);
  int64_t NextDeadline() const { return next_us_; }  // in mono_us

  // A hundredth of a processor at most, 5000 records a second.
  static constexpr uint32_t kSliceRecords = 500;
  static constexpr uint64_t kSliceBytes = 1 << 20;
  static constexpr uint32_t kSliceSlots = 64;
  static constexpr int64_t kSlicePauseUs = 100'000;
  static constexpr int64_t kRoundPauseUs = 600'000'000;

 private:
  // False at the end of a round.
  bool Slice(Effects* effects);
  bool Sound(const Position& position, std::string_view image);
  void EnterLeaf(uint32_t leaf);
  void BeginLeaf(uint32_t leaf);
  void Mend(Effects* effects);

  Replica* replica_;
  StatusCounters* counters_;
  int64_t next_us_ = 0;
  Position from_;
  // The leaf that from_ is in. A large one takes several slices; when its sum changed meanwhile it
  // is not judged.
  uint32_t leaf_ = kLeafCount;
  bool judged_ = true;       // false: a damaged record was met in it
  uint64_t sum_ = 0;         // of its records so far
  uint64_t expected_ = 0;    // the engine's sum when it was begun
  Object object_;            // of the record that is looked at
  bool unreadable_ = false;  // was said in this round
  std::vector<Position> rot_;
  std::vector<uint32_t> wrong_;
};

}  // namespace cartwheel
