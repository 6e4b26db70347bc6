#include "storage/leaf_table.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/coding.h"

namespace cartwheel {
namespace {

// See the grammar in storage/record.h.
constexpr uint8_t kRecordVersion = 1;
constexpr uint8_t kHasMark = 1;
constexpr uint8_t kHasValue = 2;

}  // namespace

RecordHead HeadOf(std::string_view image) {
  RecordHead head;
  if (image.empty()) return head;
  head.present = true;
  Reader reader(image);
  const uint8_t version = reader.Byte();
  const uint64_t version_hash = reader.Fixed64();
  reader.Fixed32();  // the checksum
  const uint8_t flags = reader.Byte();
  if (flags & kHasMark) reader.Fixed64();
  const uint64_t db = reader.Varint();
  if (!reader.ok() || version != kRecordVersion || db > UINT32_MAX) return head;
  head.version_hash = version_hash;
  head.db = static_cast<uint32_t>(db);
  head.has_value = (flags & kHasValue) != 0;
  return head;
}

void LeafTable::Replace(const Position& position, const RecordHead& before,
                        const RecordHead& after) {
  if (IsHint(position)) return;
  SumsForWrite()[position.leaf()] += after.version_hash - before.version_hash;
  if (before.has_value && after.has_value && before.db == after.db) return;
  if (before.has_value) --CountsForWrite(before.db)[position.slot];
  if (after.has_value) ++CountsForWrite(after.db)[position.slot];
}

void LeafTable::Clear(uint16_t slot) {
  uint64_t* const first = SumsForWrite() + size_t{slot} * kBucketsPerSlot;
  std::fill(first, first + kBucketsPerSlot, 0);
  for (auto& [db, counts] : counts_) counts.get()[slot] = 0;
}

uint64_t LeafTable::SumOf(uint32_t first, uint32_t end) const {
  if (sums_ == nullptr) return 0;
  return std::accumulate(sums_.get() + first, sums_.get() + end, uint64_t{0});
}

uint64_t LeafTable::count(uint32_t db, uint16_t slot) const {
  const auto found = counts_.find(db);
  return found == counts_.end() ? 0 : found->second.get()[slot];
}

void LeafTable::SetSum(uint32_t leaf, uint64_t sum) { SumsForWrite()[leaf] = sum; }

void LeafTable::SetCount(uint32_t db, uint16_t slot, uint64_t count) {
  CountsForWrite(db)[slot] = count;
}

LeafTable::Zeroed LeafTable::Allocate(size_t entries) {
  Zeroed block(static_cast<uint64_t*>(std::calloc(entries, sizeof(uint64_t))));
  CHECK(block != nullptr);
  return block;
}

uint64_t* LeafTable::SumsForWrite() {
  if (sums_ == nullptr) sums_ = Allocate(kLeafCount);
  return sums_.get();
}

uint64_t* LeafTable::CountsForWrite(uint32_t db) {
  Zeroed& counts = counts_[db];
  if (counts == nullptr) counts = Allocate(kSlotCount);
  return counts.get();
}

}  // namespace cartwheel
