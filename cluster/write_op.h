// WriteOp: the quorum of one write as pure state (the shape is that of Riak's put_core): who is to
// store the minted version, who has, and whether W distinct nodes did. It sends nothing and has no
// clock.
#pragma once

#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <cstdint>

#include "cluster/types.h"

namespace cartwheel {

class WriteOp {
 public:
  void Begin(uint8_t needed) {
    needed_ = needed;
    stored_.clear();
    replicas_ = 0;
  }

  // A node that holds the version as its fsync policy wants it; adding it again changes nothing.
  // Fallbacks count as replicas do.
  void Stored(NodeId node, bool fallback = false) {
    if (HasStored(node)) return;
    stored_.push_back(node);
    replicas_ += fallback ? 0 : 1;
  }
  bool HasStored(NodeId node) const {
    return std::find(stored_.begin(), stored_.end(), node) != stored_.end();
  }
  bool Enough() const { return stored_.size() >= needed_; }
  // The quorum needed no fallback.
  bool AllReplicas() const { return replicas_ >= needed_; }
  uint8_t needed() const { return needed_; }
  uint8_t answered() const { return static_cast<uint8_t>(stored_.size()); }

 private:
  uint8_t needed_ = 1;
  uint8_t replicas_ = 0;
  absl::InlinedVector<NodeId, 3> stored_;
};

}  // namespace cartwheel
