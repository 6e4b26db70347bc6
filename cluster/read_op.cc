#include "cluster/read_op.h"

#include <algorithm>
#include <utility>

namespace cartwheel {

void ReadOp::Begin(const Position& position, uint8_t needed, uint8_t of_replicas) {
  position_ = position;
  needed_ = needed;
  of_replicas_ = of_replicas;
  behind_count_ = false;
  merged_hash_ = 0;
  merged_.context.Clear();
  merged_.siblings.clear();
  replied_.clear();
}

void ReadOp::Add(const Replied& replied, Object&& object) {
  replied_.push_back(replied);
  const uint64_t hash = replied.hash;
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
  uint8_t all = 0;
  uint8_t with_version = 0;
  bool replica = false;
  for (const Replied& replied : replied_) {
    if (replied.behind && !behind_count_) continue;
    ++all;
    replica = replica || !replied.fallback;
    with_version += replied.hash != 0 ? 1 : 0;
  }
  return replica ? all : with_version;
}

bool ReadOp::CountBehind() {
  behind_count_ = true;
  return std::any_of(replied_.begin(), replied_.end(),
                     [](const Replied& replied) { return replied.behind; });
}

bool ReadOp::AllReplicas() const {
  return std::count_if(replied_.begin(), replied_.end(), [](const Replied& replied) {
           return !replied.fallback && !replied.behind;
         }) >= of_replicas_;
}

bool ReadOp::HasReplied(NodeId node) const {
  return std::any_of(replied_.begin(), replied_.end(),
                     [&](const Replied& replied) { return replied.node == node; });
}

}  // namespace cartwheel
