#include "tests/simulation/sim_engine.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "storage/record.h"

namespace cartwheel::sim {

Result<std::optional<Found>> SimEngine::Get(const Position& position) {
  const auto it = records_.find(position);
  if (it == records_.end()) return std::optional<Found>();
  return std::optional<Found>(Found{it->second.image, it->second.sequence});
}

uint64_t SimEngine::Put(const Position& position, std::string_view given) {
  if (observer_) observer_(position, given);
  std::string image(given);
  if (mutation_) image = mutation_(position, std::move(image));
  const auto [it, fresh] = records_.try_emplace(position);
  ++applied_;
  Remember(position, fresh ? nullptr : &it->second.image);
  if (!fresh) Account(position, it->second.image, false);
  Account(position, image, true);
  it->second = {std::move(image), applied_};
  return applied_;
}

uint64_t SimEngine::Drop(const Position& position) {
  const auto it = records_.find(position);
  ++applied_;
  if (it == records_.end()) return applied_;
  Remember(position, &it->second.image);
  Account(position, it->second.image, false);
  records_.erase(it);
  return applied_;
}

Result<void> SimEngine::Flush() {
  written_ = applied_;
  return {};
}

Sequences SimEngine::sequences() const {
  return {applied_, policy_ == SyncPolicy::kAlways ? synced_ : written_, synced_};
}

Result<void> SimEngine::Scan(const Position& first, const Position& last,
                             const Visitor& visit) const {
  for (auto it = records_.lower_bound(first); it != records_.end() && it->first <= last; ++it) {
    if (!visit(it->first, it->second.image)) break;
  }
  return {};
}

uint64_t SimEngine::LeafSum(uint32_t leaf) const {
  const auto it = leaf_sums_.find(leaf);
  return it == leaf_sums_.end() ? 0 : it->second;
}

uint64_t SimEngine::SumOfLeaves(uint32_t first, uint32_t end) const {
  uint64_t sum = 0;
  for (auto it = leaf_sums_.lower_bound(first); it != leaf_sums_.end() && it->first < end; ++it) {
    sum += it->second;
  }
  return sum;
}

uint64_t SimEngine::ValueCount(uint32_t db, uint16_t slot) const {
  const auto it = value_counts_.find(uint64_t{db} << 16 | slot);
  return it == value_counts_.end() ? 0 : it->second;
}

EngineStats SimEngine::stats() const {
  EngineStats stats;
  stats.records = records_.size() - hints_;
  stats.syncs = syncs_;
  return stats;
}

void SimEngine::MarkSynced(uint64_t sequence) {
  CHECK(sequence <= written_);
  synced_ = std::max(synced_, sequence);
  ++syncs_;
  while (!undo_.empty() && undo_.front().sequence <= synced_) undo_.pop_front();
}

void SimEngine::Crash(bool lose_unsynced_tail) {
  const uint64_t kept = lose_unsynced_tail ? synced_ : written_;
  while (!undo_.empty() && undo_.back().sequence > kept) {
    Undo& undo = undo_.back();
    const auto it = records_.find(undo.position);
    if (it != records_.end()) Account(undo.position, it->second.image, false);
    if (undo.image) {
      Account(undo.position, *undo.image, true);
      records_[undo.position].image = std::move(*undo.image);
    } else if (it != records_.end()) {
      records_.erase(it);
    }
    undo_.pop_back();
  }
  // What survived is replayed from the log and synced before the node serves.
  undo_.clear();
  for (auto& [position, stored] : records_) stored.sequence = 0;
  applied_ = written_ = synced_ = wanted_ = 0;
}

void SimEngine::Remember(const Position& position, const std::string* old) {
  undo_.push_back(
      {applied_, position, old == nullptr ? std::nullopt : std::optional<std::string>(*old)});
}

void SimEngine::Account(const Position& position, std::string_view image, bool add) {
  const auto record = ParseRecord(image);
  CHECK(record.has_value());
  if (IsHint(position)) {
    hints_ += add ? 1 : -1;
    return;
  }
  uint64_t& sum = leaf_sums_[position.leaf()];
  sum += add ? record->version_hash : -record->version_hash;
  if (record->has_value) {
    value_counts_[uint64_t{record->db} << 16 | position.slot] += add ? 1 : -1;
  }
}

}  // namespace cartwheel::sim
