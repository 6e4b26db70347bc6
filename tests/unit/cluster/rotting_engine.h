// RottingEngine: a memory engine whose disk rots: it says of every record whether its checksum
// holds, as the lmdb engine does, and its leaf sums can be made wrong until they are recounted.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "storage/memory/memory_engine.h"
#include "storage/record.h"

namespace cartwheel {

class RottingEngine final : public StorageEngine {
 public:
  // Flips a bit of the record's last byte, behind the engine's back: no sum changes.
  void Rot(const Position& position) {
    std::string image((*engine_.Get(position))->image);
    image.back() = static_cast<char>(image.back() ^ 1);
    engine_.Put(position, image);
  }
  void SpoilSum(uint32_t leaf) { spoiled_[leaf] = 1; }

  Result<std::optional<Found>> Get(const Position& position) override {
    auto found = engine_.Get(position);
    if (found->has_value()) (*found)->damaged = !RecordIntact((*found)->image);
    return found;
  }
  uint64_t Put(const Position& position, std::string_view image) override {
    return engine_.Put(position, image);
  }
  uint64_t Drop(const Position& position) override { return engine_.Drop(position); }
  Result<void> Flush() override { return engine_.Flush(); }
  void SyncSoon(uint64_t sequence) override { engine_.SyncSoon(sequence); }
  Sequences sequences() const override { return engine_.sequences(); }
  Result<void> Scan(const Position& first, const Position& last,
                    const Visitor& visit) const override {
    if (unreadable_slot.has_value() && first.slot <= *unreadable_slot &&
        last.slot >= *unreadable_slot) {
      auto done = engine_.Scan(first, {*unreadable_slot, 0, 0}, visit);
      return done ? Error(ErrorCode::kIo, "cannot read") : done;
    }
    return engine_.Scan(first, last, visit);
  }
  uint64_t LeafSum(uint32_t leaf) const override {
    const auto spoiled = spoiled_.find(leaf);
    return engine_.LeafSum(leaf) + (spoiled == spoiled_.end() ? 0 : spoiled->second);
  }
  uint64_t SumOfLeaves(uint32_t first, uint32_t end) const override {
    uint64_t sum = 0;
    for (uint32_t leaf = first; leaf < end; ++leaf) sum += LeafSum(leaf);
    return sum;
  }
  Result<void> RecountSlot(uint16_t slot) override {
    for (uint32_t bucket = 0; bucket < kBucketsPerSlot; ++bucket) {
      spoiled_.erase(slot * kBucketsPerSlot + bucket);
    }
    return engine_.RecountSlot(slot);
  }
  uint64_t ValueCount(uint32_t db, uint16_t slot) const override {
    return engine_.ValueCount(db, slot);
  }
  bool Full() const override { return false; }
  EngineStats stats() const override { return engine_.stats(); }

  std::optional<uint16_t> unreadable_slot;

 private:
  MemoryEngine engine_;
  std::map<uint32_t, uint64_t> spoiled_;
};

}  // namespace cartwheel
