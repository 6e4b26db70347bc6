// Records for the tests of engines and log: small, valid, and different for different seeds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/object.h"
#include "storage/position.h"
#include "storage/record.h"

namespace cartwheel {

inline Position TestPosition(std::string_view key, uint32_t db = 0) {
  return PositionOf(db, key, Partitioner::kSlot);
}

// A record with one sibling; `version` makes dot and so the version hash another one.
inline std::string TestRecord(std::string_view key, uint64_t version, std::string value,
                              uint32_t db = 0, Kind kind = Kind::kValue) {
  Sibling sibling;
  sibling.dot = Dot{Actor{1, 1}, version};
  sibling.time = version << 16;
  sibling.operation = version;
  sibling.kind = kind;
  sibling.bytes = std::move(value);
  const Position position = TestPosition(key, db);
  return EncodeRecord(position, db, key, DeltaOf({}, std::move(sibling)), 0);
}

}  // namespace cartwheel
