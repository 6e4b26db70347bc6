#include "storage/sibling_copy.h"

#include <utility>

#include "base/coding.h"
#include "base/hash.h"

namespace cartwheel {
namespace {

constexpr char kFormat = 1;
constexpr uint64_t kCheckSeed = 0xd0;
constexpr size_t kCheckBytes = 8;
constexpr size_t kTailBytes = 1 + kCheckBytes;
constexpr size_t kLeastCopyBytes = 2;

tl::unexpected<Status> Malformed() {
  return Error(ErrorCode::kInvalid, "malformed copies of siblings");
}

}  // namespace

std::vector<SiblingCopy> CopiesOf(const Object& object, const View& view) {
  std::vector<SiblingCopy> copies;
  for (const Sibling& sibling : object.siblings) {
    if (!sibling.LiveAt(view)) continue;
    // Of twins the newest stands for all.
    if (sibling.operation != 0 && object.Find(sibling.operation)->dot != sibling.dot) continue;
    copies.push_back({sibling.expires_at_ms, sibling.bytes});
  }
  return copies;
}

std::string EncodeCopies(std::span<const SiblingCopy> copies) {
  std::string out;
  PutVarint(&out, copies.size());
  for (const SiblingCopy& copy : copies) {
    PutVarint(&out, static_cast<uint64_t>(copy.expires_at_ms));
    PutBytes(&out, copy.bytes);
  }
  return out;
}

Result<std::vector<SiblingCopy>> DecodeCopies(std::string_view bytes) {
  Reader reader(bytes);
  const uint64_t count = reader.Varint();
  if (count == 0 || count > reader.rest().size() / kLeastCopyBytes) return Malformed();
  std::vector<SiblingCopy> copies(static_cast<size_t>(count));
  for (SiblingCopy& copy : copies) {
    const uint64_t expires_at_ms = reader.Varint();
    if (expires_at_ms > INT64_MAX) return Malformed();
    copy.expires_at_ms = static_cast<int64_t>(expires_at_ms);
    copy.bytes = reader.Bytes();
  }
  if (!reader.done()) return Malformed();
  return copies;
}

std::string EncodeDump(std::vector<SiblingCopy> copies) {
  for (SiblingCopy& copy : copies) copy.expires_at_ms = 0;
  std::string out = EncodeCopies(copies);
  out.push_back(kFormat);
  PutFixed64(&out, Hash64(out, kCheckSeed));
  return out;
}

Result<std::vector<SiblingCopy>> DecodeDump(std::string_view dump, uint64_t most) {
  const bool whole = dump.size() > kTailBytes && dump[dump.size() - kTailBytes] == kFormat &&
                     GetFixed64(dump.data() + dump.size() - kCheckBytes) ==
                         Hash64(dump.substr(0, dump.size() - kCheckBytes), kCheckSeed);
  if (!whole) return Error(ErrorCode::kCorrupt, "not a dump of this format, or damaged");
  const std::string_view copies = dump.substr(0, dump.size() - kTailBytes);
  // Looked at before room is made for them.
  if (Reader(copies).Varint() > most) {
    return Error(ErrorCode::kTooMany, "the dump has more versions than siblings-max");
  }
  return DecodeCopies(copies);
}

}  // namespace cartwheel
