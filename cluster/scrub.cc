#include "cluster/scrub.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "storage/record.h"

namespace cartwheel {

void Scrub::Tick(const Now& now, Effects* effects) {
  if (now.mono_us < next_us_) return;
  next_us_ = now.mono_us + (Slice(effects) ? kSlicePauseUs : kRoundPauseUs);
}

bool Scrub::Slice(Effects* effects) {
  if (from_ == Position()) {
    unreadable_ = false;
    BeginLeaf(0);
  }
  const uint32_t last_slot = IsHint(from_)
                                 ? kEngineSlots - 1
                                 : std::min<uint32_t>(from_.slot + kSliceSlots, kSlotCount) - 1;
  const Position last{static_cast<uint16_t>(last_slot), UINT64_MAX, UINT64_MAX};
  uint32_t records = 0;
  uint64_t bytes = 0;
  bool cut_short = false;
  const auto scanned =
      replica_->engine()->Scan(from_, last, [&](const Position& position, std::string_view image) {
        from_ = position;
        cut_short = records == kSliceRecords || bytes >= kSliceBytes;
        if (cut_short) return false;
        ++records;
        bytes += image.size();
        if (!IsHint(position)) EnterLeaf(position.leaf());
        if (Sound(position, image)) return true;
        rot_.push_back(position);
        judged_ = false;
        return true;
      });
  counters_->scrub_records += records;
  uint32_t next_slot = last_slot + 1;
  if (!scanned) {
    // The rest of the slot cannot be reached, nor its leaf judged.
    if (!std::exchange(unreadable_, true)) {
      effects->log.push_back({LogLevel::kWarning, fmt::format("scrub: slot {}: {}", from_.slot,
                                                              scanned.error().message)});
    }
    next_slot = from_.slot + uint32_t{1};
    if (!IsHint(from_)) BeginLeaf(next_slot * kBucketsPerSlot);
  } else if (!cut_short && !IsHint(from_)) {
    EnterLeaf(next_slot * kBucketsPerSlot);
  }
  Mend(effects);
  if (cut_short) return true;
  from_ = next_slot < kEngineSlots ? Position{static_cast<uint16_t>(next_slot), 0, 0} : Position();
  return next_slot < kEngineSlots;
}

bool Scrub::Sound(const Position& position, std::string_view image) {
  const auto record = ReadIntact(image);
  if (!record || !DecodeObject(record->object, &object_)) return false;
  // What a hint's hash was made with is the key's own position, of which it has only a part.
  if (IsHint(position)) return true;
  sum_ += record->version_hash;
  return VersionHash(position, object_) == record->version_hash;
}

// Judges the leaf it was in and those without records that lie between.
void Scrub::EnterLeaf(uint32_t leaf) {
  while (leaf_ < leaf) {
    const bool unchanged = replica_->engine()->LeafSum(leaf_) == expected_;
    if (judged_ && unchanged && sum_ != expected_) wrong_.push_back(leaf_);
    BeginLeaf(leaf_ + 1);
  }
}

void Scrub::BeginLeaf(uint32_t leaf) {
  leaf_ = leaf;
  judged_ = true;
  sum_ = 0;
  expected_ = leaf < kLeafCount ? replica_->engine()->LeafSum(leaf) : 0;
}

// The engine is changed only when nothing walks over it.
void Scrub::Mend(Effects* effects) {
  for (const Position& position : rot_) {
    ++counters_->scrub_rot_found;
    replica_->SetAside(position);
  }
  for (const uint32_t leaf : wrong_) {
    ++counters_->leaf_sums_mended;
    const auto slot = static_cast<uint16_t>(leaf / kBucketsPerSlot);
    const auto mended = replica_->engine()->RecountSlot(slot);
    effects->log.push_back(
        {LogLevel::kWarning,
         fmt::format("scrub: slot {}, leaf {}: its sum was wrong: {}", slot, leaf % kBucketsPerSlot,
                     mended ? "mended" : mended.error().message)});
  }
  rot_.clear();
  wrong_.clear();
}

}  // namespace cartwheel
