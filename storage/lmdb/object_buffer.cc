#include "storage/lmdb/object_buffer.h"

#include <algorithm>
#include <utility>

namespace cartwheel {
namespace {

constexpr size_t kFirstPlaces = 4096;
constexpr uint64_t kNumberMask = UINT32_MAX;

// What the table knows of a position: 32 bits of its hash, above the number. Of a hint only the
// lower half is a hash.
uint64_t TagOf(const Position& position) { return (position.high ^ position.low) << 32; }

}  // namespace

size_t ObjectBuffer::Probe(const Position& position) const {
  const uint64_t tag = TagOf(position);
  for (size_t place = tag >> shift_;; place = (place + 1) & (table_.size() - 1)) {
    const uint64_t found = table_[place];
    if (found == 0) return place;
    if ((found & ~kNumberMask) != tag) continue;
    const Entry& entry = At(static_cast<uint32_t>(found & kNumberMask));
    if (entry.position() == position) return place;
  }
}

const ObjectBuffer::Entry* ObjectBuffer::Find(const Position& position) const {
  if (size_ == 0) return nullptr;
  const uint64_t found = table_[Probe(position)];
  return found == 0 ? nullptr : &At(static_cast<uint32_t>(found & kNumberMask));
}

void ObjectBuffer::Set(const Position& position, Image image, uint64_t sequence) {
  image_bytes_ += image.held();
  if (MustGrow(size_ + 1)) Grow();
  if (position.slot >= slot_heads_.size()) slot_heads_.resize(kEngineSlots);
  uint64_t& place = table_[Probe(position)];
  if (place != 0) {
    Entry& entry = At(static_cast<uint32_t>(place & kNumberMask));
    image_bytes_ -= entry.image.held();
    entry.image = std::move(image);
    entry.sequence = sequence;
    return;
  }
  if (size_ % kChunkEntries == 0) chunks_.push_back(std::make_unique<Entry[]>(kChunkEntries));
  const uint32_t number = ++size_;
  place = TagOf(position) | number;
  At(number) = {position.high,
                position.low,
                std::move(image),
                sequence,
                std::exchange(slot_heads_[position.slot], number),
                position.slot};
}

// Places keep the order of the tags, so that both tables are walked from end to end and no entry is
// visited.
void ObjectBuffer::Grow() {
  if (table_.empty()) slot_heads_.resize(kSlotCount);
  const size_t places = table_.empty() ? kFirstPlaces : 2 * table_.size();
  const std::vector<uint64_t> old = std::exchange(table_, std::vector<uint64_t>(places));
  shift_ = 64 - __builtin_ctzll(places);
  for (const uint64_t entry : old) {
    if (entry == 0) continue;
    size_t place = entry >> shift_;
    while (table_[place] != 0) place = (place + 1) & (places - 1);
    table_[place] = entry;
  }
}

std::vector<const ObjectBuffer::Entry*> ObjectBuffer::InOrder() const {
  std::vector<const Entry*> entries;
  entries.reserve(size_);
  for (const uint32_t head : slot_heads_) {
    const auto begin = static_cast<ptrdiff_t>(entries.size());
    for (uint32_t number = head; number != 0; number = entries.back()->next_in_slot) {
      entries.push_back(&At(number));
    }
    std::sort(entries.begin() + begin, entries.end(),
              [](const Entry* a, const Entry* b) { return a->position() < b->position(); });
  }
  return entries;
}

std::shared_ptr<const std::vector<uint32_t>> ObjectBuffer::RunOf(uint32_t slot) const {
  const uint32_t head = slot_heads_[slot];
  if (slot == run_slot_ && head == run_head_) return run_;
  auto run = std::make_shared<std::vector<uint32_t>>();
  for (uint32_t number = head; number != 0; number = At(number).next_in_slot) {
    run->push_back(number);
  }
  std::sort(run->begin(), run->end(),
            [this](uint32_t a, uint32_t b) { return At(a).position() < At(b).position(); });
  run_slot_ = slot;
  run_head_ = head;
  run_ = std::move(run);
  return run_;
}

ObjectBuffer::Cursor::Cursor(const ObjectBuffer* buffer, const Position& first, uint16_t last_slot)
    : buffer_(buffer),
      slot_(first.slot),
      end_(std::min(uint32_t{last_slot} + 1, static_cast<uint32_t>(buffer->slot_heads_.size()))) {
  EnterSlots();
  if (!valid() || slot_ != first.slot) return;
  const auto at = std::lower_bound(
      run_->begin(), run_->end(), first,
      [&](uint32_t number, const Position& p) { return buffer_->At(number).position() < p; });
  at_ = static_cast<size_t>(at - run_->begin());
  if (at_ == run_->size()) {
    ++slot_;
    EnterSlots();
  }
}

// Goes to the first entry of this slot or of the next that has one, before the end.
void ObjectBuffer::Cursor::EnterSlots() {
  while (valid() && buffer_->slot_heads_[slot_] == 0) ++slot_;
  at_ = 0;
  if (valid()) run_ = buffer_->RunOf(slot_);
}

const ObjectBuffer::Entry& ObjectBuffer::Cursor::entry() const { return buffer_->At((*run_)[at_]); }

void ObjectBuffer::Cursor::Next() {
  if (++at_ < run_->size()) return;
  ++slot_;
  EnterSlots();
}

uint64_t ObjectBuffer::held() const {
  return image_bytes_ + chunks_.size() * kChunkEntries * sizeof(Entry) +
         table_.capacity() * sizeof(uint64_t) + slot_heads_.capacity() * sizeof(uint32_t);
}

uint64_t ObjectBuffer::held_soon() const {
  const bool table_grows = MustGrow(size_ + kChunkEntries);
  return held() + kChunkEntries * sizeof(Entry) +
         (table_grows ? table_.capacity() * sizeof(uint64_t) : 0);
}

}  // namespace cartwheel
