#include "tests/simulation/sim_engine.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "storage/record.h"

namespace cartwheel::sim {

Result<std::optional<Found>> SimEngine::Get(const Position& position) {
  const auto it = contents_.records.find(position);
  if (it == contents_.records.end()) return std::optional<Found>();
  const Stored& stored = it->second;
  return std::optional<Found>(Found{stored.image, stored.sequence, !stored.written.empty()});
}

uint64_t SimEngine::Put(const Position& position, std::string_view given) {
  if (observer_) observer_(position, given);
  std::string image(given);
  if (mutation_) image = mutation_(position, std::move(image));
  const auto [it, fresh] = contents_.records.try_emplace(position);
  ++applied_;
  undo_.push_back({applied_, position, fresh ? std::nullopt : std::optional(it->second)});
  if (!fresh) Account(position, it->second.whole(), false);
  Account(position, image, true);
  it->second = {std::move(image), applied_};
  return applied_;
}

uint64_t SimEngine::Drop(const Position& position) {
  const auto it = contents_.records.find(position);
  ++applied_;
  if (it == contents_.records.end()) return applied_;
  Account(position, it->second.whole(), false);
  if (!it->second.written.empty()) {
    dropped_damaged_ = true;
  } else if (drop_observer_) {
    drop_observer_(position, it->second.image);
  }
  undo_.push_back({applied_, position, std::move(it->second)});
  contents_.records.erase(it);
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
  for (auto it = contents_.records.lower_bound(first);
       it != contents_.records.end() && it->first <= last; ++it) {
    if (!visit(it->first, it->second.image)) break;
  }
  return {};
}

uint64_t SimEngine::LeafSum(uint32_t leaf) const {
  const auto it = contents_.leaf_sums.find(leaf);
  return it == contents_.leaf_sums.end() ? 0 : it->second;
}

uint64_t SimEngine::SumOfLeaves(uint32_t first, uint32_t end) const {
  uint64_t sum = 0;
  for (auto it = contents_.leaf_sums.lower_bound(first);
       it != contents_.leaf_sums.end() && it->first < end; ++it) {
    sum += it->second;
  }
  return sum;
}

uint64_t SimEngine::ValueCount(uint32_t db, uint16_t slot) const {
  const auto it = contents_.value_counts.find(uint64_t{db} << 16 | slot);
  return it == contents_.value_counts.end() ? 0 : it->second;
}

EngineStats SimEngine::stats() const {
  EngineStats stats;
  stats.records = contents_.records.size() - contents_.hints;
  stats.syncs = syncs_;
  return stats;
}

void SimEngine::MarkSynced(uint64_t sequence) {
  CHECK(sequence <= written_);
  synced_ = std::max(synced_, sequence);
  ++syncs_;
  while (!undo_.empty() && undo_.front().sequence <= synced_) undo_.pop_front();
}

std::optional<Position> SimEngine::Flip(uint64_t choice) {
  std::vector<Position> whole;
  for (const auto& [position, stored] : contents_.records) {
    if (stored.sequence <= synced_ && stored.written.empty()) whole.push_back(position);
  }
  if (whole.empty()) return std::nullopt;
  const Position position = whole[choice % whole.size()];
  Stored& stored = contents_.records.at(position);
  stored.written = stored.image;
  char& byte = stored.image[choice / whole.size() % stored.image.size()];
  byte = static_cast<char>(byte ^ 1 << (choice >> 60) % 8);
  CHECK(!RecordIntact(stored.image));
  return position;
}

std::string_view SimEngine::Written(const Position& position) const {
  const auto it = contents_.records.find(position);
  return it == contents_.records.end() ? std::string_view() : std::string_view(it->second.whole());
}

std::string_view SimEngine::OnDisk(const Position& position) const {
  const auto first = std::find_if(undo_.begin(), undo_.end(),
                                  [&](const Undo& undo) { return undo.position == position; });
  if (first == undo_.end()) return Written(position);
  return first->old ? std::string_view(first->old->whole()) : std::string_view();
}

bool SimEngine::IsDamaged(const Position& position) const {
  const auto it = contents_.records.find(position);
  return it != contents_.records.end() && !it->second.written.empty();
}

bool SimEngine::HasDamaged() const {
  return std::any_of(contents_.records.begin(), contents_.records.end(),
                     [](const auto& record) { return !record.second.written.empty(); });
}

std::vector<std::string> SimEngine::Crash(Loss loss) {
  std::vector<std::pair<Position, std::string>> hints;
  for (auto it = contents_.records.lower_bound({kSlotCount, 0, 0}); it != contents_.records.end();
       ++it) {
    hints.emplace_back(it->first, it->second.whole());
  }
  const uint64_t kept = loss == Loss::kNothing ? written_ : synced_;
  while (!undo_.empty() && undo_.back().sequence > kept) {
    Undo& undo = undo_.back();
    const auto it = contents_.records.find(undo.position);
    if (it != contents_.records.end()) Account(undo.position, it->second.whole(), false);
    if (undo.old) {
      Account(undo.position, undo.old->whole(), true);
      contents_.records[undo.position] = *std::move(undo.old);
    } else if (it != contents_.records.end()) {
      contents_.records.erase(it);
    }
    undo_.pop_back();
  }
  if (loss == Loss::kAll) contents_ = {};
  if (loss == Loss::kSinceCopy) contents_ = copy_;
  std::vector<std::string> lost;
  for (auto& [position, image] : hints) {
    if (Written(position) != image) lost.push_back(std::move(image));
  }
  // What survived is replayed from the log and synced before the node serves.
  undo_.clear();
  for (auto& [position, stored] : contents_.records) stored.sequence = 0;
  applied_ = written_ = synced_ = wanted_ = 0;
  return lost;
}

void SimEngine::Account(const Position& position, std::string_view image, bool add) {
  const auto record = ParseRecord(image);
  CHECK(record.has_value());
  if (IsHint(position)) {
    contents_.hints += add ? 1 : -1;
    return;
  }
  uint64_t& sum = contents_.leaf_sums[position.leaf()];
  sum += add ? record->version_hash : -record->version_hash;
  if (record->has_value) {
    contents_.value_counts[uint64_t{record->db} << 16 | position.slot] += add ? 1 : -1;
  }
}

}  // namespace cartwheel::sim
