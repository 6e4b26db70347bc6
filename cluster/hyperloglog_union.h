// HyperLogLog union: what PFADD, PFCOUNT and PFMERGE take a key for. Two sides of a cut that both
// added elements leave siblings; since the union of their registers is what one side would have
// made of all, these commands take the siblings together instead of the newest alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "storage/object.h"
#include "values/hyperloglog_coding.h"

namespace cartwheel {

struct HyperLogLogUnion {
  HllRegisters registers{};
  bool dense = false;  // one of those that came together was
};

struct HyperLogLogRead {
  const Sibling* newest = nullptr;  // the newest live sibling, if any
  bool several = false;             // others were taken together with it
  std::string_view error;           // the line, when the newest is none; empty otherwise
};

// Adds the live siblings of an object. Those beside the newest that are no HyperLogLogs, or damaged
// ones, are left out.
HyperLogLogRead AddSiblings(const Object& object, const View& view, HyperLogLogUnion* into);

// The count that is kept with a HyperLogLog which has no live sibling, if it still holds.
std::optional<uint64_t> KeptCountOf(const Object& object, const View& view);

}  // namespace cartwheel
