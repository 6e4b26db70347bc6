// FragileEngine: a MemoryEngine whose scans fail when told to, and whose disk is late.
#pragma once

#include "storage/memory/memory_engine.h"

namespace cartwheel {

class FragileEngine final : public StorageEngine {
 public:
  Result<std::optional<Found>> Get(const Position& position) override {
    return inner_.Get(position);
  }
  uint64_t Put(const Position& position, std::string_view image) override {
    return inner_.Put(position, image);
  }
  uint64_t Drop(const Position& position) override { return inner_.Drop(position); }
  Result<void> Flush() override { return inner_.Flush(); }
  void SyncSoon(uint64_t sequence) override { inner_.SyncSoon(sequence); }
  Sequences sequences() const override {
    Sequences now = inner_.sequences();
    if (disk_is_late) now.synced = 0;
    return now;
  }
  Result<void> Scan(const Position& first, const Position& last,
                    const Visitor& visit) const override {
    if (fails) return Error(ErrorCode::kIo, "the disk is gone");
    return inner_.Scan(first, last, visit);
  }
  uint64_t LeafSum(uint32_t leaf) const override { return inner_.LeafSum(leaf); }
  uint64_t SumOfLeaves(uint32_t first, uint32_t end) const override {
    return inner_.SumOfLeaves(first, end);
  }
  Result<void> RecountSlot(uint16_t slot) override { return inner_.RecountSlot(slot); }
  uint64_t ValueCount(uint32_t db, uint16_t slot) const override {
    return inner_.ValueCount(db, slot);
  }
  bool Full() const override { return inner_.Full(); }
  EngineStats stats() const override { return inner_.stats(); }

  bool fails = false;
  bool disk_is_late = false;

 private:
  MemoryEngine inner_;
};

}  // namespace cartwheel
