// ReadOp: the quorum of one read as pure state (Dynamo, section 5, "the state machine"; the shape
// is that of Riak's get_core): add what replicas answer, ask whether that is enough, take the merge
// and who is stale. It sends nothing and has no clock.
#pragma once

#include <absl/container/inlined_vector.h>

#include <cstdint>

#include "cluster/types.h"
#include "storage/object.h"

namespace cartwheel {

class ReadOp {
 public:
  struct Replied {
    NodeId node;
    uint64_t hash;  // VersionHash of its copy, 0: nothing
    bool fallback;
    bool behind;  // it may lack what was acknowledged (cluster/catch_up.h)
  };

  // Of the answers that are needed so many can be those of replicas: all, but for a key of which
  // fewer serve than R (Coordinator::BeginReading).
  void Begin(const Position& position, uint8_t needed, uint8_t of_replicas);

  // A node's copy: an object with its hash, or hash 0 and an empty object.
  void Add(const Replied& replied, Object&& object);
  // A node that holds what `hash` names, which is the merge so far or another's answer.
  void AddSame(const Replied& replied) { replied_.push_back(replied); }
  // From now on the answers of those who are behind count, too: there are no others. True when
  // there is one.
  bool CountBehind();

  bool Enough() const { return answered() >= needed_; }
  uint8_t needed() const { return needed_; }
  // That count: not who is behind. A fallback has nothing of most keys: its "nothing" counts only
  // beside the answer of a replica.
  uint8_t answered() const;
  // The quorum needed no fallback that it could do without, and nobody who is behind.
  bool AllReplicas() const;
  bool HasReplied(NodeId node) const;

  // The merge of all answers and its hash, 0 when there is nothing.
  const Object& merged() const { return merged_; }
  Object&& TakeMerged() { return std::move(merged_); }
  uint64_t merged_hash() const { return merged_hash_; }

  const absl::InlinedVector<Replied, 3>& replied() const { return replied_; }

 private:
  Position position_;
  uint8_t needed_ = 1;
  uint8_t of_replicas_ = 1;
  bool behind_count_ = false;
  Object merged_;
  uint64_t merged_hash_ = 0;
  absl::InlinedVector<Replied, 3> replied_;
};

}  // namespace cartwheel
