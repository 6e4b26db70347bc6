#include "cluster/update.h"

#include <utility>

#include "base/coding.h"
#include "base/decimal.h"
#include "cluster/update_effects.h"

namespace cartwheel {
namespace {

using namespace effect;  // NOLINT: what updates are written with

bool Has(const Update& update, UpdateFlag flag) { return (update.flags & flag) != 0; }

// Each live sibling again, none merged.
UpdateEffect RewriteTtl(int64_t expires_at_ms, const Object& current, const View& view,
                        UpdateResult result) {
  std::vector<SiblingCopy> siblings = CopiesOf(current, view);
  for (SiblingCopy& sibling : siblings) sibling.expires_at_ms = expires_at_ms;
  return WriteSiblings(std::move(siblings), std::move(result));
}

UpdateEffect ApplySet(const Update& update, const Sibling* old) {
  UpdateResult result = Ok();
  if (Has(update, kReturnOld)) result = old != nullptr ? Bulk(old->bytes) : Null();
  const bool refused =
      (Has(update, kIfAbsent) && old != nullptr) || (Has(update, kIfPresent) && old == nullptr);
  if (refused) return Answer(Has(update, kReturnOld) ? std::move(result) : Null());
  int64_t expires_at_ms = update.expires_at_ms;
  if (Has(update, kKeepTtl) && old != nullptr) expires_at_ms = old->expires_at_ms;
  return WriteValue(update.bytes, expires_at_ms, std::move(result));
}

UpdateEffect ApplyAppend(const Update& update, const Sibling* old, uint64_t max_value_bytes) {
  if (old == nullptr) {
    return WriteValue(update.bytes, 0, Integer(static_cast<int64_t>(update.bytes.size())));
  }
  const size_t length = old->bytes.size() + update.bytes.size();
  if (length > max_value_bytes) return FailTooLong();
  std::string bytes;
  bytes.reserve(length);
  bytes.append(old->bytes).append(update.bytes);
  return WriteValue(std::move(bytes), old->expires_at_ms, Integer(static_cast<int64_t>(length)));
}

UpdateEffect ApplyIncrement(const Update& update, const Sibling* old) {
  int64_t value = 0;
  if (old != nullptr) {
    const auto parsed = ParseInteger(old->bytes);
    if (!parsed) return Fail("ERR value is not an integer or out of range");
    value = *parsed;
  }
  if (__builtin_add_overflow(value, update.number, &value)) {
    return Fail("ERR increment or decrement would overflow");
  }
  return WriteValue(std::to_string(value), old != nullptr ? old->expires_at_ms : 0, Integer(value));
}

// Redis counts "no expiry" as later than every expiry: LT always shortens it, GT never does.
bool ExpireAllowed(const Update& update, int64_t current) {
  const int64_t wanted = update.expires_at_ms;
  if (Has(update, kExpireNx) && current != 0) return false;
  if (Has(update, kExpireXx) && current == 0) return false;
  if (Has(update, kExpireGt) && (current == 0 || wanted <= current)) return false;
  return !(Has(update, kExpireLt) && current != 0 && wanted >= current);
}

UpdateEffect ApplyExpire(const Update& update, const Object& current, const View& view) {
  const Sibling* old = current.Newest(view);
  if (old == nullptr || !ExpireAllowed(update, old->expires_at_ms)) return Answer(Integer(0));
  if (update.expires_at_ms <= view.wall_ms) return Delete(Integer(1));
  return RewriteTtl(update.expires_at_ms, current, view, Integer(1));
}

UpdateEffect ApplyPersist(const Object& current, const View& view) {
  const Sibling* old = current.Newest(view);
  if (old == nullptr || old->expires_at_ms == 0) return Answer(Integer(0));
  return RewriteTtl(0, current, view, Integer(1));
}

// Like EXPIRE and PERSIST it leaves every sibling: a read must not cost a version.
UpdateEffect ApplyGetExpire(const Update& update, const Object& current, const View& view) {
  const Sibling* old = current.Newest(view);
  if (old == nullptr) return Answer(Null());
  if (Has(update, kPersistTtl)) {
    if (old->expires_at_ms == 0) return Answer(Bulk(old->bytes));
    return RewriteTtl(0, current, view, Bulk(old->bytes));
  }
  if (update.expires_at_ms <= view.wall_ms) return Delete(Bulk(old->bytes));
  return RewriteTtl(update.expires_at_ms, current, view, Bulk(old->bytes));
}

// What has expired on its way is not written.
UpdateEffect ApplyReplace(const Update& update, const Sibling* old, const View& view) {
  auto copies = DecodeCopies(update.bytes);
  if (!copies) return FailMalformed();
  if (Has(update, kIfAbsent) && old != nullptr) return Answer(Integer(0));
  std::erase_if(*copies, [&](const SiblingCopy& copy) { return !copy.LiveAt(view.wall_ms); });
  if (!copies->empty()) return WriteSiblings(*std::move(copies), Integer(1));
  return old != nullptr ? Delete(Integer(1)) : Answer(Integer(1));
}

}  // namespace

std::string EncodeIntegers(std::span<const std::optional<int64_t>> integers) {
  std::string bytes;
  for (const std::optional<int64_t>& integer : integers) {
    bytes.push_back(integer ? '\1' : '\0');
    if (integer) PutVarint(&bytes, static_cast<uint64_t>(*integer));
  }
  return bytes;
}

std::vector<std::optional<int64_t>> DecodeIntegers(std::string_view bytes) {
  std::vector<std::optional<int64_t>> integers;
  Reader in(bytes);
  while (!in.rest().empty()) {
    std::optional<int64_t> integer;
    if (in.Byte() != 0) integer = static_cast<int64_t>(in.Varint());
    if (in.ok()) integers.push_back(integer);
  }
  return integers;
}

UpdateEffect ApplyUpdate(const Update& update, const Object& current, const View& view,
                         uint64_t max_value_bytes) {
  const Sibling* old = current.Newest(view);
  switch (update.kind) {
    case UpdateKind::kSet: return ApplySet(update, old);
    case UpdateKind::kAppend: return ApplyAppend(update, old, max_value_bytes);
    case UpdateKind::kIncrement: return ApplyIncrement(update, old);
    case UpdateKind::kGetDelete: return old == nullptr ? Answer(Null()) : Delete(Bulk(old->bytes));
    case UpdateKind::kExpire: return ApplyExpire(update, current, view);
    case UpdateKind::kPersist: return ApplyPersist(current, view);
    case UpdateKind::kGetExpire: return ApplyGetExpire(update, current, view);
    case UpdateKind::kSetRange: return ApplySetRange(update, old, max_value_bytes);
    case UpdateKind::kIncrementFloat: return ApplyIncrementFloat(update, old);
    case UpdateKind::kSetBit: return ApplySetBit(update, old, max_value_bytes);
    case UpdateKind::kBitfield: return ApplyBitfield(update, old, max_value_bytes);
    case UpdateKind::kPfAdd: return ApplyPfAdd(update, current, view);
    case UpdateKind::kPfMerge: return ApplyPfMerge(update, current, view);
    case UpdateKind::kPfCount: return ApplyPfCount(current, view);
    case UpdateKind::kPfToDense: return ApplyPfToDense(current, view);
    case UpdateKind::kReplace: return ApplyReplace(update, old, view);
  }
  // A peer of a later version may ask for what this one does not know.
  return Fail("ERR unknown update");
}

}  // namespace cartwheel
