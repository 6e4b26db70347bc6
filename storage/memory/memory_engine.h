// MemoryEngine: records in an ordered map, nothing on a disk: a cache, and the engine of most
// simulations. Applied is stored. Bounded by max_bytes: when it is full new values are refused
// (noeviction), tombstones and drops still go. One thread.
#pragma once

#include <optional>
#include <string>

#include "storage/engine.h"
#include "storage/image.h"
#include "storage/leaf_table.h"
#include "storage/slot_map.h"

namespace cartwheel {

struct MemoryOptions {
  uint64_t max_bytes = 0;  // of records as really held; 0: no bound
};

class MemoryEngine final : public StorageEngine {
 public:
  explicit MemoryEngine(MemoryOptions options = {}) : options_(options) {}

  Result<std::optional<Found>> Get(const Position& position) override;
  uint64_t Put(const Position& position, std::string_view image) override;
  uint64_t Drop(const Position& position) override;
  Result<void> Flush() override { return {}; }
  Sequences sequences() const override { return {applied_, applied_, applied_}; }
  void SyncSoon(uint64_t) override {}
  Result<void> Scan(const Position& first, const Position& last,
                    const Visitor& visit) const override;
  uint64_t LeafSum(uint32_t leaf) const override { return leaves_.sum(leaf); }
  uint64_t SumOfLeaves(uint32_t first, uint32_t end) const override {
    return leaves_.SumOf(first, end);
  }
  Result<void> RecountSlot(uint16_t slot) override;
  uint64_t ValueCount(uint32_t db, uint16_t slot) const override { return leaves_.count(db, slot); }
  bool Full() const override;
  EngineStats stats() const override;
  void set_max_bytes(uint64_t bytes) { options_.max_bytes = bytes; }

 private:
  using Map = SlotMap<Image>;

  // The place of the position: its record, or the one before which it would stand. A write that
  // follows a read of the same position does not search again.
  Map::Place Locate(const Position& position);
  uint64_t memory_bytes() const;

  MemoryOptions options_;
  Map records_;
  LeafTable leaves_;
  uint64_t applied_ = 0;
  uint64_t image_bytes_ = 0;
  uint64_t hints_ = 0;  // of the records

  struct Memo {
    Position position;
    Map::Place place;
  };
  std::optional<Memo> memo_;  // forgotten whenever the map changes shape
};

}  // namespace cartwheel
