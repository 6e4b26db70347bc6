// Update effects: what the kinds of update are written with, and the kinds that have files of their
// own. Inside of cluster/update*.cc only.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cluster/update.h"

namespace cartwheel::effect {

inline UpdateResult Ok() { return {UpdateResult::Type::kOk, 0, {}}; }
inline UpdateResult Null() { return {UpdateResult::Type::kNull, 0, {}}; }
inline UpdateResult Integer(int64_t value) { return {UpdateResult::Type::kInteger, value, {}}; }
inline UpdateResult Bulk(std::string text) {
  return {UpdateResult::Type::kBulk, 0, std::move(text)};
}

inline UpdateEffect Answer(UpdateResult result) {
  return {UpdateEffect::Write::kNothing, {}, 0, {}, std::move(result)};
}
inline UpdateEffect Fail(std::string line) {
  return Answer({UpdateResult::Type::kError, 0, std::move(line)});
}
inline UpdateEffect FailTooLong() {
  return Fail("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
}
// What a peer sent makes no sense.
inline UpdateEffect FailMalformed() { return Fail("ERR malformed update"); }
inline UpdateEffect WriteValue(std::string bytes, int64_t expires_at_ms, UpdateResult result) {
  return {UpdateEffect::Write::kValue, std::move(bytes), expires_at_ms, {}, std::move(result)};
}
// The same, with the expiry that the value had.
inline UpdateEffect Change(const Sibling* old, std::string bytes, UpdateResult result) {
  return WriteValue(std::move(bytes), old != nullptr ? old->expires_at_ms : 0, std::move(result));
}
inline UpdateEffect Delete(UpdateResult result) {
  return {UpdateEffect::Write::kTombstone, {}, 0, {}, std::move(result)};
}
inline UpdateEffect WriteSiblings(std::vector<SiblingCopy> siblings, UpdateResult result) {
  return {UpdateEffect::Write::kSiblings, {}, 0, std::move(siblings), std::move(result)};
}

}  // namespace cartwheel::effect

namespace cartwheel {

// update_strings.cc. `old` is what GET shows, or nullptr.
UpdateEffect ApplySetRange(const Update& update, const Sibling* old, uint64_t max_value_bytes);
UpdateEffect ApplyIncrementFloat(const Update& update, const Sibling* old);
UpdateEffect ApplySetBit(const Update& update, const Sibling* old, uint64_t max_value_bytes);
UpdateEffect ApplyBitfield(const Update& update, const Sibling* old, uint64_t max_value_bytes);

// update_hyperloglog.cc
UpdateEffect ApplyPfAdd(const Update& update, const Object& current, const View& view);
UpdateEffect ApplyPfMerge(const Update& update, const Object& current, const View& view);
UpdateEffect ApplyPfCount(const Object& current, const View& view);
UpdateEffect ApplyPfToDense(const Object& current, const View& view);

}  // namespace cartwheel
