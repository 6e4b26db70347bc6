// Ring: key to preference list (Dynamo, sections 4.2, 4.3 and 6.2, strategy 3). An immutable value
// made from a ClusterState: Q equal partitions, each a run of slots with an owner. The preference
// list of a partition walks clockwise over the owners to N distinct nodes, distinct zones first,
// and on round for the fallbacks. The lists are precomputed: routing is one look-up.
#pragma once

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

  // How many replicas a key has: min(settings.n, members).
  uint8_t n() const { return n_; }
  uint8_t r() const { return r_; }
  uint8_t w() const { return w_; }

  // The first n() are the key's replicas in order, the rest its fallbacks: as many as a request may
  // ever need, not every member of a large ring.
  std::span<const NodeId> PreferenceList(uint16_t slot) const {
    return {&lists_[size_t{PartitionOf(slot)} * list_length_], list_length_};
  }
  std::span<const NodeId> Replicas(uint16_t slot) const { return PreferenceList(slot).first(n_); }

  // Every member once: PreferenceList and on round. Walks the circle: not for the path of a
  // request.
  std::vector<NodeId> Walk(uint16_t slot) const;

 private:
  using Index = uint32_t;  // of a member, by id

  // Members and zones as a walk from some partition meets them first.
  struct Encounters {
    std::vector<Index> nodes;
    std::vector<Index> zone_firsts;  // the first node of each zone
  };

  void MeetBefore(Index node, Encounters* met) const;
  std::vector<Index> List(const Encounters& met, size_t length) const;
  void BuildLists();

  uint32_t partitions_;
  uint32_t slots_per_partition_;
  uint8_t n_;
  uint8_t r_;
  uint8_t w_;
  size_t list_length_;  // the same for every partition
  std::vector<NodeId> members_;
  std::vector<Index> zones_;   // of each member, numbered
  std::vector<Index> owners_;  // of each partition
  std::vector<NodeId> lists_;
};

// `placement equal`: who owns each partition once `joiner` is a member as well (its weight counts).
// Takes partitions from the most loaded, keeps any N clockwise neighbours on distinct nodes where
// that is possible, and moves no more than it must. In cluster/placement.cc.
std::vector<NodeId> OwnersAfterJoin(const ClusterState& state, const Member& joiner);

}  // namespace cartwheel
