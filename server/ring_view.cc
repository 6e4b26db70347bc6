#include "server/ring_view.h"

#include <algorithm>
#include <utility>

namespace cartwheel {

std::vector<SlotRun> ReplicaRuns(const Ring& ring, const std::function<bool(NodeId)>& alive) {
  std::vector<SlotRun> runs;
  for (uint32_t partition = 0; partition < ring.partition_count(); ++partition) {
    const uint16_t first = ring.FirstSlot(partition);
    const auto replicas = ring.Replicas(first);
    std::vector<NodeId> nodes(replicas.begin(), replicas.end());
    if (alive) std::stable_partition(nodes.begin(), nodes.end(), alive);
    if (!runs.empty() && runs.back().nodes == nodes) {
      runs.back().last = ring.LastSlot(partition);
    } else {
      runs.push_back({first, ring.LastSlot(partition), std::move(nodes)});
    }
  }
  return runs;
}

std::map<NodeId, std::vector<SlotRun>> FirstReplicaRuns(const Ring& ring) {
  std::map<NodeId, std::vector<SlotRun>> by_node;
  for (uint32_t partition = 0; partition < ring.partition_count(); ++partition) {
    const uint16_t first = ring.FirstSlot(partition);
    std::vector<SlotRun>& runs = by_node[ring.Replicas(first).front()];
    if (!runs.empty() && runs.back().last + 1 == first) {
      runs.back().last = ring.LastSlot(partition);
    } else {
      runs.push_back({first, ring.LastSlot(partition), {}});
    }
  }
  return by_node;
}

}  // namespace cartwheel
