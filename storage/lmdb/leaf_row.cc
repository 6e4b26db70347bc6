#include "storage/lmdb/leaf_row.h"

#include "base/coding.h"

namespace cartwheel {

void LeafRow::Replace(const Position& position, const RecordHead& before, const RecordHead& after) {
  sums[position.high >> 60] += after.version_hash - before.version_hash;
  if (before.has_value) --counts[before.db];
  if (after.has_value) ++counts[after.db];
}

std::string EncodeRow(const LeafRow& row) {
  std::string out;
  for (const uint64_t sum : row.sums) PutFixed64(&out, sum);
  for (const auto& [db, count] : row.counts) {
    if (count == 0) continue;
    PutVarint(&out, db);
    PutVarint(&out, count);
  }
  return out;
}

bool DecodeRow(std::string_view bytes, LeafRow* row) {
  Reader reader(bytes);
  for (uint64_t& sum : row->sums) sum = reader.Fixed64();
  while (reader.ok() && !reader.rest().empty()) {
    const uint64_t db = reader.Varint();
    if (db > UINT32_MAX) return false;
    row->counts[static_cast<uint32_t>(db)] = reader.Varint();
  }
  return reader.ok();
}

}  // namespace cartwheel
