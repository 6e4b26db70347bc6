#include "storage/lmdb/object_buffer.h"

#include <utility>

namespace cartwheel {
namespace {

// 40 bytes of key and value in B-tree nodes that are about two thirds full when keys come in random
// order; measured by the test CountsWhatTheAllocatorHolds.
constexpr uint64_t kMapBytesPerEntry = 64;

}  // namespace

void ObjectBuffer::Set(Map::const_iterator place, const Position& position, Image image,
                       uint64_t sequence) {
  image_bytes_ += image.held();
  if (EntryAt(place, position) == nullptr) {
    entries_.emplace_hint(place, position, Entry{std::move(image), sequence});
    return;
  }
  // The map has no other way from a const_iterator to its own entry.
  Entry& entry = const_cast<Entry&>(place->second);
  image_bytes_ -= entry.image.held();
  entry = Entry{std::move(image), sequence};
}

uint64_t ObjectBuffer::held() const { return image_bytes_ + entries_.size() * kMapBytesPerEntry; }

}  // namespace cartwheel
