// ObjectBuffer: the newest image of every position that was written since the last checkpoint
// began, in order. Dropped positions stand in it as drops. It counts the memory it really holds.
// The loop's thread writes it; once frozen it is only read, by the loop's and the checkpoint
// thread. Dynamo, section 6.1.
#pragma once

#include <cstdint>

#include "storage/image.h"
#include "storage/position.h"
#include "storage/slot_map.h"

namespace cartwheel {

class ObjectBuffer {
 public:
  struct Entry {
    Image image;  // empty: dropped
    uint64_t sequence = 0;
  };
  using Place = SlotMap<Entry>::Place;
  using Cursor = SlotMap<Entry>::Cursor;

  // Where the position stands or would stand; valid until the next Set.
  Place LowerBound(const Position& position) { return entries_.LowerBound(position); }
  // The entry of exactly this position, or nullptr; `place` is LowerBound of it.
  const Entry* EntryAt(Place place, const Position& position) {
    return entries_.At(place, position);
  }
  const Entry* Find(const Position& position) const { return entries_.Find(position); }
  Cursor Seek(const Position& first) const { return entries_.Seek(first); }

  // Writes where `place`, LowerBound of the position, says: no second search.
  void Set(Place place, const Position& position, Image image, uint64_t sequence);

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  // Bytes of memory, with the allocator's and the map's own.
  uint64_t held() const;

 private:
  SlotMap<Entry> entries_;
  uint64_t image_bytes_ = 0;
};

}  // namespace cartwheel
