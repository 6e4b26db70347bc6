// WriteOp: the quorum of one write as pure state (the shape is that of Riak's put_core): who is to
// store the minted version, who has, and how many of a set of replicas that makes. It sends nothing
// and has no clock.
#pragma once

#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <cstdint>
#include <span>

#include "cluster/types.h"

namespace cartwheel {

class WriteOp {
 public:
  void Begin(uint8_t needed) {
    needed_ = needed;
    stored_.clear();
  }

  // A node that holds the version as its fsync policy wants it, in the place of `hint_for` when it
  // is a fallback; adding it again changes nothing.
  void Stored(NodeId node, NodeId hint_for = 0) {
    if (!HasStored(node)) stored_.push_back({node, hint_for});
  }
  bool HasStored(NodeId node) const {
    return std::any_of(stored_.begin(), stored_.end(),
                       [node](const Copy& copy) { return copy.node == node; });
  }
  bool HasFallbackFor(NodeId replica) const {
    return std::any_of(stored_.begin(), stored_.end(),
                       [replica](const Copy& copy) { return copy.hint_for == replica; });
  }
  // How many hold it of these replicas, or in their place; `besides` does not count.
  uint8_t CountOf(std::span<const NodeId> replicas, NodeId besides = 0) const {
    return static_cast<uint8_t>(
        std::count_if(stored_.begin(), stored_.end(), [&](const Copy& copy) {
          return copy.node != besides &&
                 (Contains(replicas, copy.node) || Contains(replicas, copy.hint_for));
        }));
  }
  uint8_t ReplicasOf(std::span<const NodeId> replicas) const {
    return static_cast<uint8_t>(
        std::count_if(stored_.begin(), stored_.end(),
                      [&](const Copy& copy) { return Contains(replicas, copy.node); }));
  }
  uint8_t needed() const { return needed_; }
  // Distinct nodes.
  uint8_t answered() const { return static_cast<uint8_t>(stored_.size()); }

 private:
  struct Copy {
    NodeId node;
    NodeId hint_for;
  };

  uint8_t needed_ = 1;
  absl::InlinedVector<Copy, 3> stored_;
};

}  // namespace cartwheel
