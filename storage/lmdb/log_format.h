// The log's bytes on disk: what the writer (log.h) and the reader (log_replay.h) share.
//
//   segment := header record* zero*          file name: log-<number, 10 digits>
//   header  := magic:fixed64 number:fixed64 salt:fixed64 checksum:fixed64
//   record  := checksum:fixed64 length:fixed32 sequence:fixed64 synced:fixed64 position:18 bytes
//              image:length bytes
//
// The header's checksum is XXH3 over what stands before it; it is synced before the first record is
// written. A record's is XXH3 over the rest of its head, seeded with XXH3 of its image, which is
// seeded with the salt: bytes that a client sent never pass for a record. Sequences are
// consecutive from record to record and over segments. `synced` is the highest sequence that was
// known to be on the disk when the record was written. A record without an image is a drop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/position.h"

namespace cartwheel {

inline constexpr size_t kSegmentHeaderBytes = 32;
inline constexpr size_t kLogHeadBytes = 8 + 4 + 8 + 8 + kPositionBytes;

struct LogRecord {
  uint64_t sequence = 0;
  uint64_t synced = 0;
  Position position;
  std::string_view image;  // empty: a drop

  size_t bytes() const { return kLogHeadBytes + image.size(); }
};

struct SegmentHeader {
  uint64_t number = 0;
  uint64_t salt = 0;
};

std::string SegmentName(uint64_t number);
std::optional<uint64_t> SegmentNumber(std::string_view name);  // nothing: not a segment's name

std::string EncodeSegmentHeader(const SegmentHeader& header);
std::optional<SegmentHeader> DecodeSegmentHeader(std::string_view segment);

void AppendLogHead(const LogRecord& record, uint64_t salt, std::string* out);
// What would be its sequence if a record started at the offset; the head must fit.
uint64_t LogSequenceAt(std::string_view segment, size_t offset);
// The record at the offset, when there is a whole and valid one.
std::optional<LogRecord> LogRecordAt(std::string_view segment, size_t offset, uint64_t salt);

}  // namespace cartwheel
