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

void ReadOp::Add(NodeId node, bool fallback, uint64_t hash, Object&& object) {
  replied_.push_back({node, hash, fallback});
  if (hash == 0 || hash == merged_hash_) return;
  if (merged_hash_ == 0) {
    merged_ = std::move(object);
    merged_hash_ = hash;
    return;
  }
  MergeInto(&merged_, std::move(object));
  merged_hash_ = VersionHash(position_, merged_);
}

uint8_t ReadOp::answered() const {
  uint8_t with_version = 0;
  bool replica = false;
  for (const Replied& replied : replied_) {
    replica = replica || !replied.fallback;
    with_version += replied.hash != 0 ? 1 : 0;
  }
  return replica ? static_cast<uint8_t>(replied_.size()) : with_version;
}

bool ReadOp::AllReplicas() const {
  return std::count_if(replied_.begin(), replied_.end(),
                       [](const Replied& replied) { return !replied.fallback; }) >= needed_;
}

bool ReadOp::HasReplied(NodeId node) const {
  return std::any_of(replied_.begin(), replied_.end(),
                     [&](const Replied& replied) { return replied.node == node; });
}

}  // namespace cartwheel
