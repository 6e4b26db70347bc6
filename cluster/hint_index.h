// HintIndex: how many hints this node keeps for whom, in which slots, and what room they take. The
// hints themselves are records in the engine (storage/position.h, HintPosition); whoever stores or
// drops one says so here. Dynamo, section 4.6.
#pragma once

#include <absl/container/btree_map.h>

#include <cstddef>
#include <cstdint>

#include "cluster/types.h"
#include "storage/position.h"

namespace cartwheel {

class HintIndex {
 public:
  struct Target {
    uint64_t records = 0;
    absl::btree_map<uint16_t, uint32_t> slots;  // how many hints in each; none without any
  };

  // The record at a hint's position had so many bytes and has so many now; 0: there is none.
  void Replace(const Position& hint, size_t bytes_before, size_t bytes_after) {
    bytes_ += bytes_after - bytes_before;
    if ((bytes_before == 0) == (bytes_after == 0)) return;
    const auto slot = static_cast<uint16_t>(hint.slot - kSlotCount);
    Target& target = targets_[hint.high];
    uint32_t& count = target.slots[slot];
    if (bytes_after != 0) {
      ++records_;
      ++target.records;
      ++count;
      return;
    }
    --records_;
    if (--count == 0) target.slots.erase(slot);
    if (--target.records == 0) targets_.erase(hint.high);
  }

  const absl::btree_map<NodeId, Target>& targets() const { return targets_; }
  uint64_t records() const { return records_; }
  uint64_t bytes() const { return bytes_; }
  bool AnyIn(uint16_t slot) const {
    for (const auto& [node, target] : targets_) {
      if (target.slots.contains(slot)) return true;
    }
    return false;
  }

 private:
  absl::btree_map<NodeId, Target> targets_;
  uint64_t records_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace cartwheel
