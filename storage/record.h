// Record: the stored image of one key, in every engine. The fixed head can be read without decoding
// the object. Grammar:
//   record := version:byte(1) version_hash:fixed64 checksum:fixed32 flags:byte
//             [mark:fixed64 when flags & 1] db:varint key:bytes object
// version_hash is VersionHash of (position, object). checksum is the low half of XXH3 over all that
// follows it, seeded with version_hash. flags & 2: some sibling is a value (the key counts in
// DBSIZE).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "storage/object.h"
#include "storage/position.h"

namespace cartwheel {

struct RecordView {
  uint64_t version_hash = 0;
  // The continuous mark: the birth of this node's own actor that may go on counting here, 0 for
  // none. Local, never replicated.
  uint64_t mark = 0;
  bool has_value = false;
  uint32_t db = 0;
  std::string_view key;
  std::string_view object;  // for DecodeObject
};

// Appends a record; `version_hash` is VersionHash of the position and the object.
void AppendRecord(uint64_t version_hash, uint32_t db, std::string_view key, const Object& object,
                  uint64_t mark, std::string* image);
std::string EncodeRecord(const Position& position, uint32_t db, std::string_view key,
                         const Object& object, uint64_t mark);

// Reads the head and finds the parts; kCorrupt when they are not there. Does not check the
// checksum.
Result<RecordView> ParseRecord(std::string_view image);

// True when the checksum holds.
bool RecordIntact(std::string_view image);
// The record when its checksum holds.
std::optional<RecordView> ReadIntact(std::string_view image);

}  // namespace cartwheel
