// SlotMap: an ordered map from positions, as a small B-tree per slot. Keys spread evenly over the
// slots, so that most searches end in the first node; many keys in one slot (hash tags) cost what
// any B-tree costs. One thread writes; several may read what nobody writes.
#pragma once

#include <absl/container/btree_map.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "storage/position.h"

namespace cartwheel {

template <typename Value>
class SlotMap {
  struct Hash {  // a position within its slot
    uint64_t high;
    uint64_t low;
    bool operator<(const Hash& other) const { return wide() < other.wide(); }
    bool operator==(const Hash& other) const { return wide() == other.wide(); }
    unsigned __int128 wide() const { return static_cast<unsigned __int128>(high) << 64 | low; }
  };
  using Slot = absl::btree_map<Hash, Value>;

 public:
  // Where a position stands, or would stand, in its slot. Valid until the map changes shape.
  using Place = typename Slot::iterator;

  SlotMap() : slots_(kEngineSlots) {}

  Place LowerBound(const Position& position) {
    return slots_[position.slot].lower_bound(HashOf(position));
  }
  // The value of exactly this position, or nullptr; `place` is LowerBound of it.
  Value* At(Place place, const Position& position) {
    const bool there = place != slots_[position.slot].end() && place->first == HashOf(position);
    return there ? &place->second : nullptr;
  }
  const Value* Find(const Position& position) const {
    const Slot& slot = slots_[position.slot];
    const auto found = slot.find(HashOf(position));
    return found == slot.end() ? nullptr : &found->second;
  }

  // Adds a position that is not there; `place` is LowerBound of it. No second search.
  Place Insert(Place place, const Position& position, Value value) {
    ++size_;
    return slots_[position.slot].emplace_hint(place, HashOf(position), std::move(value));
  }
  void Erase(Place place, const Position& position) {
    --size_;
    slots_[position.slot].erase(place);
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Walks in order from a position to the end of a slot. Valid until the map changes.
  class Cursor {
   public:
    bool valid() const { return slot_ < end_; }
    Position position() const {
      return {static_cast<uint16_t>(slot_), entry_->first.high, entry_->first.low};
    }
    const Value& value() const { return entry_->second; }
    void Next() {
      ++entry_;
      SkipEmpty();
    }

   private:
    friend class SlotMap;
    Cursor(const SlotMap* map, const Position& first, uint16_t last_slot)
        : map_(map),
          slot_(first.slot),
          end_(last_slot + uint32_t{1}),
          entry_(map->slots_[first.slot].lower_bound(HashOf(first))) {
      SkipEmpty();
    }
    void SkipEmpty() {
      while (entry_ == map_->slots_[slot_].end() && ++slot_ < end_) {
        entry_ = map_->slots_[slot_].begin();
      }
    }

    const SlotMap* map_;
    uint32_t slot_;
    uint32_t end_;
    typename Slot::const_iterator entry_;
  };
  Cursor Seek(const Position& first, uint16_t last_slot) const {
    return Cursor(this, first, last_slot);
  }

 private:
  static Hash HashOf(const Position& position) { return {position.high, position.low}; }

  std::vector<Slot> slots_;
  size_t size_ = 0;
};

}  // namespace cartwheel
