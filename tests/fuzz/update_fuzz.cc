// Feeds arbitrary updates on arbitrary values to ApplyUpdate, as a peer could send them: none may
// do more than answer an error, or make a value beyond its bound.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/coding.h"
#include "cluster/update.h"
#include "values/hyperloglog_coding.h"

using namespace cartwheel;

namespace {

constexpr uint64_t kMaxValueBytes = 1 << 16;
// Of a field that begins in the last byte.
constexpr uint64_t kFieldBytes = 8;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Reader in({reinterpret_cast<const char*>(data), size});
  Update update;
  update.kind = static_cast<UpdateKind>(in.Byte());
  update.number = static_cast<int64_t>(in.Varint());
  Object object;
  Sibling sibling;
  sibling.dot = {{1, 1}, 1};
  sibling.time = 1;
  sibling.operation = 1;
  sibling.bytes = in.Bytes();
  if (!in.ok()) return 0;
  update.bytes = in.rest();
  const size_t longest = std::max<size_t>(
      {kMaxValueBytes + kFieldBytes, sibling.bytes.size(), update.bytes.size(), 16 << 10});
  PutInto(&object, {}, std::move(sibling));

  CHECK(GrowthOf(update, kMaxValueBytes) <= kMaxValueBytes + update.bytes.size());
  const UpdateEffect effect = ApplyUpdate(update, object, {1, 0}, kMaxValueBytes);
  CHECK(effect.bytes.size() <= longest);
  if (effect.result.type == UpdateResult::Type::kError) {
    CHECK(effect.write == UpdateEffect::Write::kNothing && !effect.result.text.empty());
  }
  if (effect.result.type == UpdateResult::Type::kIntegers) {
    CHECK(EncodeIntegers(DecodeIntegers(effect.result.text)) == effect.result.text);
  }
  const bool pf = update.kind >= UpdateKind::kPfAdd && update.kind <= UpdateKind::kPfToDense;
  if (pf && effect.write == UpdateEffect::Write::kValue) {
    HllRegisters registers{};
    CHECK(IsHyperLogLog(effect.bytes) && MergeRegisters(effect.bytes, &registers));
  }
  return 0;
}
