#include "cluster/hyperloglog_union.h"

namespace cartwheel {
namespace {

constexpr std::string_view kWrongType = "WRONGTYPE Key is not a valid HyperLogLog string value.";
constexpr std::string_view kCorrupted = "INVALIDOBJ Corrupted HLL object detected";

}  // namespace

HyperLogLogRead AddSiblings(const Object& object, const View& view, HyperLogLogUnion* into) {
  HyperLogLogRead read;
  for (const Sibling& sibling : object.siblings) {
    if (!sibling.LiveAt(view)) continue;
    const bool first = read.newest == nullptr;
    if (!IsHyperLogLog(sibling.bytes)) {
      if (!first) continue;
      return {&sibling, false, kWrongType};
    }
    HllRegisters raised = into->registers;
    if (!MergeRegisters(sibling.bytes, &raised)) {
      if (!first) continue;
      return {&sibling, false, kCorrupted};
    }
    into->registers = raised;
    into->dense = into->dense || IsDense(sibling.bytes);
    if (first) {
      read.newest = &sibling;
    } else {
      read.several = true;
    }
  }
  return read;
}

std::optional<uint64_t> KeptCountOf(const Object& object, const View& view) {
  const Sibling* only = nullptr;
  for (const Sibling& sibling : object.siblings) {
    if (!sibling.LiveAt(view)) continue;
    if (only != nullptr) return std::nullopt;
    only = &sibling;
  }
  if (only == nullptr || !IsHyperLogLog(only->bytes)) return std::nullopt;
  return KeptCount(only->bytes);
}

}  // namespace cartwheel
