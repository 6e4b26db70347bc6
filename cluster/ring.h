// Ring: key to preference list (Dynamo, sections 4.2, 4.3 and 6.2). An immutable value made from a
// ClusterState: Q equal partitions, each a run of slots with an owner. The preference list of a
// partition walks clockwise over the owners to N distinct nodes, distinct zones first, and on round
// for the fallbacks. The lists are precomputed: routing is one look-up.
//
// In motion there are two placements, and two sets of replicas of a partition: those that reads
// ask, and those of the other placement. Writes need a quorum of both. Nodes that were removed are
// in no list: what they held is with the others of their list, who are fewer then.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "cluster/cluster_state.h"

namespace cartwheel {

class Ring {
 public:
  explicit Ring(const ClusterState& state);

  uint32_t partition_count() const { return partitions_; }
  uint32_t PartitionOf(uint16_t slot) const { return slot / slots_per_partition_; }
  uint16_t FirstSlot(uint32_t partition) const {
    return static_cast<uint16_t>(partition * slots_per_partition_);
  }
  uint16_t LastSlot(uint32_t partition) const {
    return static_cast<uint16_t>((partition + 1) * slots_per_partition_ - 1);
  }

  // How many replicas a key has: min(settings.n, members). A list may be shorter while nodes that
  // were removed are replaced.
  uint8_t n() const { return reading_.n; }
  uint8_t r() const { return r_; }
  uint8_t w() const { return w_; }
  // As it was set: of more replicas, by the other placement, more are needed.
  uint8_t nominal_w() const { return nominal_w_; }

  // The first are the key's replicas in order, as reads go, the rest its fallbacks: as many as a
  // request may ever need, not every member of a large ring.
  std::span<const NodeId> PreferenceList(uint16_t slot) const {
    return reading_.List(PartitionOf(slot));
  }
  std::span<const NodeId> Replicas(uint16_t slot) const {
    return reading_.Replicas(PartitionOf(slot));
  }
  // How many of the slot's replicas, as it is served, were removed and are not replaced yet.
  size_t RemovedOf(uint16_t slot) const {
    const uint32_t partition = PartitionOf(slot);
    const size_t nominal = reading_.nominal[partition];
    return nominal - std::min<size_t>(nominal, reading_.replicas[partition]);
  }
  // The replicas by the other placement of a ring in motion: of the target, while it is fetched, of
  // the one that served, while reads switch. Empty where they are those above, in any order.
  std::span<const NodeId> OtherReplicas(uint16_t slot) const {
    if (other_.lists.empty() || same_[PartitionOf(slot)]) return {};
    return other_.Replicas(PartitionOf(slot));
  }
  bool in_motion() const { return in_motion_; }
  Phase phase() const { return phase_; }
  uint64_t placement_version() const { return placement_version_; }
  // Whether the node is a replica, by either placement.
  bool Holds(uint16_t slot, NodeId node) const {
    return Contains(Replicas(slot), node) || Contains(OtherReplicas(slot), node);
  }

  // Whether the node is to have what is there by now: it holds the slot, and is not just fetching
  // it.
  bool HasFetched(uint16_t slot, NodeId node) const {
    if (phase_ != Phase::kFetch) return Holds(slot, node);
    const auto replicas = Replicas(slot);
    return std::find(replicas.begin(), replicas.end(), node) != replicas.end();
  }

  // While the target is fetched: whom the node has to compare the partition with before it may be
  // read there, and with how many of them. None: it gains nothing. Every quorum of a write that
  // does not know the target meets one of them.
  struct Sources {
    std::span<const NodeId> nodes;
    size_t needed = 0;
  };
  Sources SourcesOf(uint32_t partition, NodeId gainer) const;
  // Who has sources, in any partition; by id.
  std::vector<NodeId> Gainers() const;
  // While reads switch: those of whom `needed` must know it before the others may forget where the
  // partition was.
  Sources SwitchersOf(uint32_t partition) const;

  // Every member once: PreferenceList, on round, and those who own nothing. Walks the circle: not
  // for the path of a request.
  std::vector<NodeId> Walk(uint16_t slot) const;

  // The precomputed lists of a placement.
  struct Table {
    uint8_t n = 0;
    size_t stride = 0;
    std::vector<NodeId> lists;      // of each partition, `stride` of them
    std::vector<uint8_t> replicas;  // how many of its list are replicas
    std::vector<uint8_t> lengths;   // of its list
    std::vector<uint8_t> nominal;   // replicas, and those of them that were removed

    std::span<const NodeId> List(uint32_t partition) const {
      return {&lists[partition * stride], lengths[partition]};
    }
    std::span<const NodeId> Replicas(uint32_t partition) const {
      return {&lists[partition * stride], replicas[partition]};
    }
  };

 private:
  const Table& serving() const { return phase_ == Phase::kSwitch ? other_ : reading_; }
  const Table& target() const { return phase_ == Phase::kSwitch ? reading_ : other_; }

  Phase phase_;
  bool in_motion_;
  uint64_t placement_version_;
  uint32_t partitions_;
  uint32_t slots_per_partition_;
  uint8_t r_;
  uint8_t w_;
  uint8_t nominal_w_;
  uint8_t lowest_w_;
  Table reading_;
  Table other_;  // in motion
  std::vector<NodeId> members_;
  std::vector<bool> same_;  // by partition: both have the same replicas
};

// Whether every partition has the same replicas by either placement, in any order.
bool HaveSameReplicas(const ClusterState& state, const Placement& a, const Placement& b);

}  // namespace cartwheel
