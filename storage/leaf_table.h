// LeafTable: the Merkle leaf sums (one per slot and bucket) and the value counts (per db and slot)
// of everything an engine holds, kept exact by replacing the old record's share with the new one's
// at every write. Hints have no share. Both engines have one. It knows record heads only, no
// objects. Memory comes as it is touched: an empty table costs next to nothing. One thread. Dynamo,
// section 4.7.
#pragma once

#include <absl/container/btree_map.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "storage/position.h"

namespace cartwheel {

// What a record adds to the table. Without a record (or with bytes that are none) it adds nothing.
struct RecordHead {
  uint64_t version_hash = 0;
  uint32_t db = 0;
  bool has_value = false;
  bool present = false;  // there are bytes at all
};

// Reads the first bytes of a record (storage/record.h); an empty view is "no record".
RecordHead HeadOf(std::string_view image);

class LeafTable {
 public:
  LeafTable() = default;

  void Replace(const Position& position, const RecordHead& before, const RecordHead& after);
  // A Replace is likely to follow: begins to load what it needs, which no cache has as a rule.
  void Prefetch(const Position& position) const {
    if (sums_ != nullptr && !IsHint(position)) __builtin_prefetch(sums_.get() + position.leaf(), 1);
  }

  uint64_t sum(uint32_t leaf) const { return sums_ == nullptr ? 0 : sums_.get()[leaf]; }
  uint64_t SumOf(uint32_t first, uint32_t end) const;
  uint64_t count(uint32_t db, uint16_t slot) const;

  // For loading what was kept on a disk.
  void SetSum(uint32_t leaf, uint64_t sum);
  void SetCount(uint32_t db, uint16_t slot, uint64_t count);

 private:
  struct Free {
    void operator()(uint64_t* block) const { std::free(block); }
  };
  // From calloc: pages that were never written take no memory.
  using Zeroed = std::unique_ptr<uint64_t, Free>;

  static Zeroed Allocate(size_t entries);
  uint64_t* SumsForWrite();
  uint64_t* CountsForWrite(uint32_t db);

  Zeroed sums_;                               // kLeafCount of them
  absl::btree_map<uint32_t, Zeroed> counts_;  // kSlotCount per db
};

}  // namespace cartwheel
