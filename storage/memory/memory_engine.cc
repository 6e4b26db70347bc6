#include "storage/memory/memory_engine.h"

#include <utility>

namespace cartwheel {
namespace {

// A B-tree node is two thirds full on average when keys come in random order; measured, see the
// test CountsWhatTheAllocatorHolds.
constexpr uint64_t kMapBytesPerRecord = 48;

}  // namespace

MemoryEngine::Map::Place MemoryEngine::Locate(const Position& position) {
  if (!memo_.has_value() || memo_->position != position) {
    memo_ = Memo{position, records_.LowerBound(position)};
  }
  return memo_->place;
}

Result<std::optional<Found>> MemoryEngine::Get(const Position& position) {
  const Image* image = records_.At(Locate(position), position);
  if (image == nullptr) return std::nullopt;
  return Found{.image = image->view(), .sequence = 0};
}

uint64_t MemoryEngine::Put(const Position& position, std::string_view image) {
  const auto place = Locate(position);
  Image held(image);
  const RecordHead after = HeadOf(image);
  image_bytes_ += held.held();
  if (Image* old = records_.At(place, position); old != nullptr) {
    leaves_.Replace(position, HeadOf(old->view()), after);
    image_bytes_ -= old->held();
    *old = std::move(held);
  } else {
    leaves_.Replace(position, {}, after);
    memo_ = Memo{position, records_.Insert(place, position, std::move(held))};
    hints_ += IsHint(position) ? 1 : 0;
  }
  return ++applied_;
}

uint64_t MemoryEngine::Drop(const Position& position) {
  const auto place = Locate(position);
  if (const Image* old = records_.At(place, position); old != nullptr) {
    leaves_.Replace(position, HeadOf(old->view()), {});
    image_bytes_ -= old->held();
    records_.Erase(place, position);
    hints_ -= IsHint(position) ? 1 : 0;
    memo_.reset();
  }
  return ++applied_;
}

Result<void> MemoryEngine::Scan(const Position& first, const Position& last,
                                const Visitor& visit) const {
  for (auto cursor = records_.Seek(first, last.slot); cursor.valid(); cursor.Next()) {
    const Position position = cursor.position();
    if (position > last || !visit(position, cursor.value().view())) break;
  }
  return {};
}

Result<void> MemoryEngine::RecountSlot(uint16_t slot) {
  leaves_.Clear(slot);
  return Scan({slot, 0, 0}, {slot, UINT64_MAX, UINT64_MAX},
              [this](const Position& position, std::string_view image) {
                leaves_.Replace(position, {}, HeadOf(image));
                return true;
              });
}

bool MemoryEngine::Full() const {
  return options_.max_bytes != 0 && memory_bytes() >= options_.max_bytes;
}

uint64_t MemoryEngine::memory_bytes() const {
  return image_bytes_ + records_.size() * kMapBytesPerRecord;
}

EngineStats MemoryEngine::stats() const {
  EngineStats stats;
  stats.records = records_.size() - hints_;
  stats.memory_bytes = memory_bytes();
  return stats;
}

}  // namespace cartwheel
