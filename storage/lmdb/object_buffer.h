// ObjectBuffer: the newest image of every position that was written since the last checkpoint
// began. Dropped positions stand in it as drops. It counts the memory it really holds. The loop's
// thread writes it; once frozen it is only read, by the loop's and the checkpoint thread. Dynamo,
// section 6.1.
//
// Every read and write looks here first, and each place in memory that a look-up visits costs as
// much as a hundred instructions: entries lie one behind the other in chunks, found by a hash table
// (open addressing) in two visits. Order is made when somebody asks for it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "storage/image.h"
#include "storage/position.h"

namespace cartwheel {

class ObjectBuffer {
 public:
  struct Entry {
    uint64_t high = 0;
    uint64_t low = 0;
    Image image;  // empty: dropped
    uint64_t sequence = 0;
    uint32_t next_in_slot = 0;  // its number, 0: none
    uint16_t slot = 0;

    Position position() const { return {slot, high, low}; }
  };

  // The entry of exactly this position, or nullptr.
  const Entry* Find(const Position& position) const;
  void Set(const Position& position, Image image, uint64_t sequence);

  // All entries in the order of their positions. O(n log n).
  std::vector<const Entry*> InOrder() const;

  // Walks in order from a position to the end of a slot: looking for the next entry of a buffer
  // that holds few would be a walk of its own. Valid until the next Set; the loop's thread only.
  class Cursor {
   public:
    bool valid() const { return slot_ < end_; }
    const Entry& entry() const;
    void Next();

   private:
    friend class ObjectBuffer;
    Cursor(const ObjectBuffer* buffer, const Position& first, uint16_t last_slot);
    void EnterSlots();

    const ObjectBuffer* buffer_;
    uint32_t slot_;
    uint32_t end_;
    std::shared_ptr<const std::vector<uint32_t>> run_;  // the slot's entries in order
    size_t at_ = 0;
  };
  Cursor Seek(const Position& first, uint16_t last_slot) const {
    return Cursor(this, first, last_slot);
  }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // Bytes of memory, with the allocator's own.
  uint64_t held() const;
  // The same when it has grown by its next step: a thousand entries more, and a table with room for
  // them. Whoever bounds it looks at this.
  uint64_t held_soon() const;

 private:
  static constexpr uint32_t kChunkBits = 10;
  static constexpr uint32_t kChunkEntries = 1 << kChunkBits;

  // Entries have numbers: 1, 2, 3 ...
  Entry& At(uint32_t number) const {
    const uint32_t index = number - 1;
    return chunks_[index >> kChunkBits][index & (kChunkEntries - 1)];
  }
  // Where the position's number stands in the table, or the free place where it would.
  size_t Probe(const Position& position) const;
  // The table is at most five eighths full.
  bool MustGrow(uint64_t entries) const { return entries * 8 > table_.size() * 5; }
  void Grow();
  std::shared_ptr<const std::vector<uint32_t>> RunOf(uint32_t slot) const;

  std::vector<std::unique_ptr<Entry[]>> chunks_;
  std::vector<uint64_t> table_;  // an entry's number under 32 bits of its hash; 0: free
  int shift_ = 64;               // of the hash: its upper bits are the place
  // The newest entry of each slot, 0: none. Room for the hints' slots comes with the first hint.
  std::vector<uint32_t> slot_heads_;
  uint32_t size_ = 0;
  uint64_t image_bytes_ = 0;
  // The slot that was sorted last; as long as its newest entry is the same, so is its order.
  mutable uint32_t run_slot_ = kEngineSlots;
  mutable uint32_t run_head_ = 0;
  mutable std::shared_ptr<const std::vector<uint32_t>> run_;
};

}  // namespace cartwheel
