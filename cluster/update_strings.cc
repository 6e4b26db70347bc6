// SETRANGE, INCRBYFLOAT, SETBIT and BITFIELD as updates. Offsets and lengths come from a peer: they
// are checked here again.
#include <algorithm>
#include <cmath>

#include "cluster/update_effects.h"
#include "values/bitfield.h"
#include "values/bits.h"
#include "values/float_text.h"

namespace cartwheel {
namespace {

using namespace effect;  // NOLINT: what updates are written with

constexpr std::string_view kNoBytes;

std::string_view BytesOf(const Sibling* old) { return old != nullptr ? old->bytes : kNoBytes; }

// A copy, filled up with zeros to `least` bytes.
std::string Widened(const Sibling* old, uint64_t least) {
  const std::string_view bytes = BytesOf(old);
  std::string copy;
  copy.reserve(std::max<size_t>(bytes.size(), least));
  copy.append(bytes);
  if (copy.size() < least) copy.resize(least);
  return copy;
}

}  // namespace

uint64_t GrowthOf(const Update& update, uint64_t max_value_bytes) {
  const auto number = static_cast<uint64_t>(std::max<int64_t>(update.number, 0));
  uint64_t reach = 0;
  if (update.kind == UpdateKind::kSetRange) reach = number;
  if (update.kind == UpdateKind::kSetBit) reach = number / 8 + 1;
  if (update.kind == UpdateKind::kBitfield) {
    if (const auto steps = DecodeSteps(update.bytes)) reach = ReachOf(*steps);
  }
  return std::min(reach, max_value_bytes) + update.bytes.size();
}

UpdateEffect ApplySetRange(const Update& update, const Sibling* old, uint64_t max_value_bytes) {
  const auto offset = static_cast<uint64_t>(update.number);
  if (update.bytes.empty()) return Answer(Integer(static_cast<int64_t>(BytesOf(old).size())));
  const bool fits =
      update.bytes.size() <= max_value_bytes && offset <= max_value_bytes - update.bytes.size();
  if (!fits) return FailTooLong();
  std::string bytes = Widened(old, offset + update.bytes.size());
  bytes.replace(offset, update.bytes.size(), update.bytes);
  const auto length = static_cast<int64_t>(bytes.size());
  return Change(old, std::move(bytes), Integer(length));
}

UpdateEffect ApplyIncrementFloat(const Update& update, const Sibling* old) {
  const auto value = old != nullptr ? ParseFloat(old->bytes) : 0;
  const auto increment = ParseFloat(update.bytes);
  if (!value || !increment) return Fail("ERR value is not a valid float");
  const long double sum = *value + *increment;
  if (!std::isfinite(sum)) return Fail("ERR increment would produce NaN or Infinity");
  const std::string text = FormatFloat(sum);
  return Change(old, text, Bulk(text));
}

UpdateEffect ApplySetBit(const Update& update, const Sibling* old, uint64_t max_value_bytes) {
  const auto offset = static_cast<uint64_t>(update.number);
  if (offset / 8 >= max_value_bytes) return FailTooLong();
  const bool bit = update.bytes == "1";
  const bool was = BitAt(BytesOf(old), offset);
  const bool longer = offset / 8 >= BytesOf(old).size();
  if (bit == was && !longer) return Answer(Integer(was ? 1 : 0));
  std::string bytes = Widened(old, offset / 8 + 1);
  PutBit(&bytes, offset, bit);
  return Change(old, std::move(bytes), Integer(was ? 1 : 0));
}

// What the steps could write is made room for even where they are refused, as in Redis.
UpdateEffect ApplyBitfield(const Update& update, const Sibling* old, uint64_t max_value_bytes) {
  const auto steps = DecodeSteps(update.bytes);
  if (!steps) return FailMalformed();
  const uint64_t reach = ReachOf(*steps);
  // A field may begin in the last byte and end behind it.
  if (reach > max_value_bytes + 8) return FailTooLong();
  std::string bytes = Widened(old, reach);
  std::vector<std::optional<int64_t>> results;
  results.reserve(steps->size());
  for (const FieldStep& step : *steps) results.push_back(TakeStep(step, &bytes));
  UpdateResult result{UpdateResult::Type::kIntegers, 0, EncodeIntegers(results)};
  if (bytes == BytesOf(old)) return Answer(std::move(result));
  return Change(old, std::move(bytes), std::move(result));
}

}  // namespace cartwheel
