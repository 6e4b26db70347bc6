// LeftOvers: a walk over this node's copies of slots that the ring has since given to others. Whole
// leaves that W of the N have alike, on their disks, are dropped here: millions of keys need not be
// asked for one by one. What is in the other leaves comes out of the walk and is offered key by key
// (cluster/handoff.h).
#pragma once

#include <absl/container/btree_map.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/messages.h"
#include "cluster/node_context.h"

namespace cartwheel {

class LeftOvers {
 public:
  struct Found {
    Position place;
    std::string image;
  };
  struct Slice {
    std::vector<Found> differing;  // to be offered one by one
    size_t dropped = 0;            // records
    bool ended = false;            // the walk; and until Restart
  };

  explicit LeftOvers(NodeContext* context)
      : context_(context), last_request_(context->random.Below(uint64_t{1} << 62)) {}

  // Deals with about `most` records; with none while an answer is waited for.
  Slice Next(const Turn& turn, size_t most);
  void Restart();
  size_t CountSlots() const;
  // Whether the walk has met any copy.
  bool met_any() const { return met_any_; }

  void OnResponse(NodeId from, const LeavesResponse& response);

 private:
  struct Leaf {
    uint32_t number = 0;
    uint64_t sum = 0;  // here, when it was asked for
    NodeList same;     // who has it alike
  };

  static constexpr size_t kMostLeaves = 1024;  // asked for at a time

  void Ask(const Turn& turn);
  bool IsHeldAlike(const Leaf& leaf) const;
  // True when all of the leaf was dealt with.
  bool Drop(Leaf* leaf, size_t most, Slice* slice);
  bool Collect(const Leaf& leaf, size_t most, Slice* slice);

  NodeContext* context_;
  uint32_t next_slot_ = 0;  // the first that was not asked for
  std::vector<Leaf> leaves_;
  size_t next_leaf_ = 0;  // of leaves_, to be dealt with
  Position from_;         // within it
  // Who has not answered yet, and which of leaves_ it was asked for.
  absl::btree_map<NodeId, std::vector<size_t>> asked_;
  uint64_t last_request_;  // begins anywhere: answers to an earlier start must not fit
  int64_t due_us_ = 0;     // no answer is waited for any longer
  bool met_any_ = false;
};

}  // namespace cartwheel
