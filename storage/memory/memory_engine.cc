#include "storage/memory/memory_engine.h"

#include <utility>

namespace cartwheel {
namespace {

// A B-tree node is two thirds full on average when keys come in random order; measured, see the
// test CountsWhatTheAllocatorHolds.
constexpr uint64_t kMapBytesPerRecord = 48;

}  // namespace

MemoryEngine::Map::iterator MemoryEngine::Locate(const Position& position) {
  if (!memo_.has_value() || memo_->position != position) {
    memo_ = Memo{position, records_.lower_bound(position)};
  }
  return memo_->place;
}

Result<std::optional<Found>> MemoryEngine::Get(const Position& position) {
  const auto place = Locate(position);
  if (place == records_.end() || place->first != position) return std::nullopt;
  return Found{.image = place->second.view(), .sequence = 0};
}

uint64_t MemoryEngine::Put(const Position& position, std::string image) {
  auto place = Locate(position);
  Image held(image);
  const RecordHead after = HeadOf(image);
  image_bytes_ += held.held();
  if (place != records_.end() && place->first == position) {
    leaves_.Replace(position, HeadOf(place->second.view()), after);
    image_bytes_ -= place->second.held();
    place->second = std::move(held);
  } else {
    leaves_.Replace(position, {}, after);
    place = records_.emplace_hint(place, position, std::move(held));
    memo_ = Memo{position, place};
  }
  return ++applied_;
}

uint64_t MemoryEngine::Drop(const Position& position) {
  const auto place = Locate(position);
  if (place != records_.end() && place->first == position) {
    leaves_.Replace(position, HeadOf(place->second.view()), {});
    image_bytes_ -= place->second.held();
    records_.erase(place);
    memo_.reset();
  }
  return ++applied_;
}

Result<void> MemoryEngine::Scan(const Position& first, const Position& last,
                                const Visitor& visit) const {
  for (auto place = records_.lower_bound(first); place != records_.end() && place->first <= last;
       ++place) {
    if (!visit(place->first, place->second.view())) break;
  }
  return {};
}

bool MemoryEngine::Full() const {
  return options_.max_bytes != 0 && memory_bytes() >= options_.max_bytes;
}

uint64_t MemoryEngine::memory_bytes() const {
  return image_bytes_ + records_.size() * kMapBytesPerRecord;
}

EngineStats MemoryEngine::stats() const {
  EngineStats stats;
  stats.records = records_.size();
  stats.memory_bytes = memory_bytes();
  return stats;
}

}  // namespace cartwheel
