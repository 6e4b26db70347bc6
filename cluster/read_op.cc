#include "cluster/read_op.h"

#include <algorithm>
#include <utility>

namespace cartwheel {

void ReadOp::Begin(const Position& position, uint8_t needed) {
  position_ = position;
  needed_ = needed;
  merged_hash_ = 0;
  merged_.context.Clear();
  merged_.siblings.clear();
  replied_.clear();
}

void ReadOp::Add(NodeId node, uint64_t hash, Object&& object) {
  replied_.push_back({node, hash});
  if (hash == 0 || hash == merged_hash_) return;
  if (merged_hash_ == 0) {
    merged_ = std::move(object);
    merged_hash_ = hash;
    return;
  }
  MergeInto(&merged_, std::move(object));
  merged_hash_ = VersionHash(position_, merged_);
}

bool ReadOp::HasReplied(NodeId node) const {
  return std::any_of(replied_.begin(), replied_.end(),
                     [&](const Replied& replied) { return replied.node == node; });
}

}  // namespace cartwheel
