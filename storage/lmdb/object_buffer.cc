#include "storage/lmdb/object_buffer.h"

#include <utility>

namespace cartwheel {
namespace {

// 32 bytes of key and value in B-tree nodes that are about two thirds full when keys come in random
// order; measured by the test CountsWhatTheAllocatorHolds.
constexpr uint64_t kMapBytesPerEntry = 64;

}  // namespace

void ObjectBuffer::Set(Place place, const Position& position, Image image, uint64_t sequence) {
  image_bytes_ += image.held();
  Entry* entry = entries_.At(place, position);
  if (entry == nullptr) {
    entries_.Insert(place, position, Entry{std::move(image), sequence});
    return;
  }
  image_bytes_ -= entry->image.held();
  *entry = Entry{std::move(image), sequence};
}

uint64_t ObjectBuffer::held() const { return image_bytes_ + entries_.size() * kMapBytesPerEntry; }

}  // namespace cartwheel
