// ObjectBuffer: the newest image of every position that was written since the last checkpoint
// began, in order. Dropped positions stand in it as drops. It counts the memory it really holds.
// The loop's thread writes it; once frozen it is only read, by the loop's and the checkpoint
// thread. Dynamo, section 6.1.
#pragma once

#include <absl/container/btree_map.h>

#include <cstdint>

#include "storage/image.h"
#include "storage/position.h"

namespace cartwheel {

class ObjectBuffer {
 public:
  struct Entry {
    Image image;  // empty: dropped
    uint64_t sequence = 0;
  };
  using Map = absl::btree_map<Position, Entry>;

  // The entry, or the one before which it would stand; valid until the next Set.
  Map::const_iterator LowerBound(const Position& position) const {
    return entries_.lower_bound(position);
  }
  // The entry of exactly this position, or nullptr; `place` is LowerBound of it.
  const Entry* EntryAt(Map::const_iterator place, const Position& position) const {
    return place != entries_.end() && place->first == position ? &place->second : nullptr;
  }
  const Entry* Find(const Position& position) const {
    return EntryAt(LowerBound(position), position);
  }

  // Writes where `place`, LowerBound of the position, says: no second search.
  void Set(Map::const_iterator place, const Position& position, Image image, uint64_t sequence);

  Map::const_iterator begin() const { return entries_.begin(); }
  Map::const_iterator end() const { return entries_.end(); }
  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  // Bytes of memory, with the allocator's and the map's own.
  uint64_t held() const;

 private:
  Map entries_;
  uint64_t image_bytes_ = 0;
};

}  // namespace cartwheel
