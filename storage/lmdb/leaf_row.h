// LeafRow: what the tree keeps of one slot beside its records, to be read whole at a start: the
// sums of version hashes by bucket (storage/leaf_table.h) and how many keys have a value in each
// database.
//
//   row: { sum:fixed64 } x 16 { db:varint count:varint }*
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "storage/leaf_table.h"
#include "storage/position.h"
#include "storage/record.h"

namespace cartwheel {

struct LeafRow {
  std::array<uint64_t, kBucketsPerSlot> sums{};
  std::map<uint32_t, uint64_t> counts;  // by db

  // One record of the slot became another; the head of no record is an empty one.
  void Replace(const Position& position, const RecordHead& before, const RecordHead& after);
};

std::string EncodeRow(const LeafRow& row);
// False when the bytes are not a row.
bool DecodeRow(std::string_view bytes, LeafRow* row);

}  // namespace cartwheel
