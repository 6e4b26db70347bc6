// Ring view: the ring as runs of slots, for DYN.RING and the CLUSTER commands. Pure functions of
// the ring: every node shows the same.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "cluster/ring.h"
#include "cluster/types.h"

namespace cartwheel {

struct SlotRun {
  uint16_t first = 0;
  uint16_t last = 0;
  std::vector<NodeId> nodes;

  bool operator==(const SlotRun&) const = default;
};

// Slots with the same replicas, merged, in order. With `alive`, nodes for which it is false stand
// last in their list, in the same order otherwise.
std::vector<SlotRun> ReplicaRuns(const Ring& ring,
                                 const std::function<bool(NodeId)>& alive = nullptr);

// The runs of slots of which each node is the first replica; `nodes` is left empty. A node that is
// first nowhere is missing.
std::map<NodeId, std::vector<SlotRun>> FirstReplicaRuns(const Ring& ring);

}  // namespace cartwheel
