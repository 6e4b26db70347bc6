#include "storage/record.h"

#include <algorithm>
#include <cstring>

#include "base/coding.h"
#include "base/hash.h"

namespace cartwheel {
namespace {

constexpr char kVersion = 1;
constexpr size_t kChecksumAt = 1 + 8;
constexpr size_t kHeadBytes = kChecksumAt + 4;
constexpr uint8_t kHasMark = 1;
constexpr uint8_t kHasValue = 2;

uint32_t ChecksumOf(std::string_view image, uint64_t version_hash) {
  return static_cast<uint32_t>(Hash64(image.substr(kHeadBytes), version_hash));
}

}  // namespace

void AppendRecord(uint64_t version_hash, uint32_t db, std::string_view key, const Object& object,
                  uint64_t mark, std::string* image) {
  const bool has_value =
      std::any_of(object.siblings.begin(), object.siblings.end(),
                  [](const Sibling& sibling) { return sibling.kind == Kind::kValue; });
  const size_t begin = image->size();
  image->push_back(kVersion);
  PutFixed64(image, version_hash);
  PutFixed32(image, 0);
  image->push_back(static_cast<char>((mark != 0 ? kHasMark : 0) | (has_value ? kHasValue : 0)));
  if (mark != 0) PutFixed64(image, mark);
  PutVarint(image, db);
  PutBytes(image, key);
  EncodeObject(object, image);
  const std::string_view whole = std::string_view(*image).substr(begin);
  const uint32_t checksum = ChecksumOf(whole, version_hash);
  std::memcpy(image->data() + begin + kChecksumAt, &checksum, sizeof(checksum));
}

std::string EncodeRecord(const Position& position, uint32_t db, std::string_view key,
                         const Object& object, uint64_t mark) {
  std::string image;
  AppendRecord(VersionHash(position, object), db, key, object, mark, &image);
  return image;
}

Result<RecordView> ParseRecord(std::string_view image) {
  Reader reader(image);
  RecordView view;
  const char version = static_cast<char>(reader.Byte());
  view.version_hash = reader.Fixed64();
  reader.Fixed32();
  const uint8_t flags = reader.Byte();
  if ((flags & kHasMark) != 0) view.mark = reader.Fixed64();
  view.has_value = (flags & kHasValue) != 0;
  const uint64_t db = reader.Varint();
  view.db = static_cast<uint32_t>(db);
  view.key = reader.Bytes();
  view.object = reader.rest();
  if (!reader.ok() || version != kVersion || (flags & ~(kHasMark | kHasValue)) != 0 ||
      db > UINT32_MAX) {
    return Error(ErrorCode::kCorrupt, "malformed record");
  }
  return view;
}

std::optional<RecordView> ReadIntact(std::string_view image) {
  const auto record = ParseRecord(image);
  if (!record) return std::nullopt;
  const uint32_t checksum = GetFixed32(image.data() + kChecksumAt);
  if (checksum != ChecksumOf(image, record->version_hash)) return std::nullopt;
  return *record;
}

bool RecordIntact(std::string_view image) { return ReadIntact(image).has_value(); }

}  // namespace cartwheel
