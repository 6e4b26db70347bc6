#include "storage/lmdb/log_format.h"

#include <charconv>
#include <cstdio>
#include <cstring>

#include "base/coding.h"
#include "base/hash.h"

namespace cartwheel {
namespace {

constexpr uint64_t kMagic = 0x31474f4c48575443;  // "CTWHLOG1", the 1 being the format
constexpr std::string_view kNamePrefix = "log-";
constexpr size_t kNameDigits = 10;
constexpr size_t kChecksumBytes = 8;
constexpr size_t kLengthAt = kChecksumBytes;
constexpr size_t kSequenceAt = kLengthAt + 4;
constexpr size_t kSyncedAt = kSequenceAt + 8;
constexpr size_t kPositionAt = kSyncedAt + 8;

}  // namespace

std::string SegmentName(uint64_t number) {
  char name[32];
  std::snprintf(name, sizeof(name), "log-%010llu", static_cast<unsigned long long>(number));
  return name;
}

std::optional<uint64_t> SegmentNumber(std::string_view name) {
  if (!name.starts_with(kNamePrefix)) return std::nullopt;
  name.remove_prefix(kNamePrefix.size());
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size() || name.size() < kNameDigits) {
    return std::nullopt;
  }
  return number;
}

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string out;
  PutFixed64(&out, kMagic);
  PutFixed64(&out, header.number);
  PutFixed64(&out, header.salt);
  PutFixed64(&out, Hash64(out));
  return out;
}

std::optional<SegmentHeader> DecodeSegmentHeader(std::string_view segment) {
  if (segment.size() < kSegmentHeaderBytes) return std::nullopt;
  Reader reader(segment);
  const uint64_t magic = reader.Fixed64();
  SegmentHeader header;
  header.number = reader.Fixed64();
  header.salt = reader.Fixed64();
  const uint64_t checksum = reader.Fixed64();
  const std::string_view covered = segment.substr(0, kSegmentHeaderBytes - kChecksumBytes);
  if (magic != kMagic || checksum != Hash64(covered)) return std::nullopt;
  return header;
}

void AppendLogHead(const LogRecord& record, uint64_t salt, std::string* out) {
  // Little-endian as in base/coding.h, in place: this runs for every write.
  char head[kLogHeadBytes];
  const auto length = static_cast<uint32_t>(record.image.size());
  std::memcpy(head + kLengthAt, &length, sizeof(length));
  std::memcpy(head + kSequenceAt, &record.sequence, sizeof(record.sequence));
  std::memcpy(head + kSyncedAt, &record.synced, sizeof(record.synced));
  EncodePosition(record.position, head + kPositionAt);
  const std::string_view covered(head + kChecksumBytes, kLogHeadBytes - kChecksumBytes);
  const uint64_t checksum = Hash64(covered, Hash64(record.image, salt));
  std::memcpy(head, &checksum, sizeof(checksum));
  out->append(head, kLogHeadBytes);
}

uint64_t LogSequenceAt(std::string_view segment, size_t offset) {
  return GetFixed64(segment.data() + offset + kSequenceAt);
}

std::optional<LogRecord> LogRecordAt(std::string_view segment, size_t offset, uint64_t salt) {
  if (offset > segment.size() || segment.size() - offset < kLogHeadBytes) return std::nullopt;
  const std::string_view head = segment.substr(offset, kLogHeadBytes);
  const std::string_view rest = segment.substr(offset + kLogHeadBytes);
  const uint64_t checksum = GetFixed64(head.data());
  const uint32_t length = GetFixed32(head.data() + kLengthAt);
  if (length > rest.size()) return std::nullopt;
  LogRecord record;
  record.sequence = GetFixed64(head.data() + kSequenceAt);
  record.synced = GetFixed64(head.data() + kSyncedAt);
  record.position = DecodePosition(head.data() + kPositionAt);
  record.image = rest.substr(0, length);
  const std::string_view covered = head.substr(kChecksumBytes);
  if (checksum != Hash64(covered, Hash64(record.image, salt))) return std::nullopt;
  if (record.sequence == 0 || record.synced >= record.sequence) return std::nullopt;
  if (record.position.slot >= kEngineSlots) return std::nullopt;
  return record;
}

}  // namespace cartwheel
