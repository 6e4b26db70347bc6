// PFADD, PFMERGE, PFCOUNT and PFDEBUG TODENSE as updates.
#include "cluster/hyperloglog_union.h"
#include "cluster/update_effects.h"

namespace cartwheel {
namespace {

using namespace effect;  // NOLINT: what updates are written with

std::string Encode(const HyperLogLogUnion& all, const Sibling* old, int64_t sparse_max_bytes) {
  const uint64_t most = sparse_max_bytes > 0 ? static_cast<uint64_t>(sparse_max_bytes) : 0;
  const uint64_t count = old != nullptr ? RawCount(old->bytes) : 0;
  return EncodeHyperLogLog(all.registers, all.dense, most, StaleCount(count));
}

}  // namespace

UpdateEffect ApplyPfAdd(const Update& update, const Object& current, const View& view) {
  const auto marks = DecodeMarks(update.bytes);
  if (!marks) return FailMalformed();
  HyperLogLogUnion all;
  const HyperLogLogRead read = AddSiblings(current, view, &all);
  if (!read.error.empty()) return Fail(std::string(read.error));
  bool changed = read.newest == nullptr;
  for (const HllMark& mark : *marks) changed = Raise(&all.registers, mark) || changed;
  if (!changed) return Answer(Integer(0));
  return Change(read.newest, Encode(all, read.newest, update.number), Integer(1));
}

UpdateEffect ApplyPfMerge(const Update& update, const Object& current, const View& view) {
  HyperLogLogUnion all;
  if (!IsHyperLogLog(update.bytes) || !MergeRegisters(update.bytes, &all.registers)) {
    return FailMalformed();
  }
  all.dense = IsDense(update.bytes);
  const HyperLogLogRead read = AddSiblings(current, view, &all);
  if (!read.error.empty()) return Fail(std::string(read.error));
  return Change(read.newest, Encode(all, read.newest, update.number), Ok());
}

UpdateEffect ApplyPfCount(const Object& current, const View& view) {
  const auto kept = KeptCountOf(current, view);
  if (kept) return Answer(Integer(static_cast<int64_t>(*kept)));
  HyperLogLogUnion all;
  const HyperLogLogRead read = AddSiblings(current, view, &all);
  if (!read.error.empty()) return Fail(std::string(read.error));
  if (read.newest == nullptr) return Answer(Integer(0));
  const uint64_t count = EstimateCount(all.registers);
  std::string bytes = read.newest->bytes;
  if (read.several) bytes = EncodeHyperLogLog(all.registers, all.dense, UINT64_MAX, 0);
  KeepCount(&bytes, count);
  return Change(read.newest, std::move(bytes), Integer(static_cast<int64_t>(count)));
}

UpdateEffect ApplyPfToDense(const Object& current, const View& view) {
  HyperLogLogUnion all;
  const HyperLogLogRead read = AddSiblings(current, view, &all);
  if (!read.error.empty()) return Fail(std::string(read.error));
  if (read.newest == nullptr) return Fail("ERR The specified key does not exist");
  if (IsDense(read.newest->bytes)) return Answer(Integer(0));
  return Change(read.newest,
                EncodeHyperLogLog(all.registers, true, 0, RawCount(read.newest->bytes)),
                Integer(1));
}

}  // namespace cartwheel
