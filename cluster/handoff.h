// Handoff: gives copies that this node keeps for others to those they belong to (Dynamo, section
// 4.6): hints, and left-overs, its own copies of slots that the ring has since given to others.
//
// Nobody gives up a copy before W of the key's N have said, synced, that they hold it or something
// that covers it; a hint's own node must be one of them while it is of the N. A hint that is too
// old (hints-max-age), or that has no room (hints-max-bytes), is let go without its node, but not
// without the W. Whoever has not seen the copy is sent it, so that what was taken while most of the
// N were away gets round.
//
// It walks target by target, slot by slot, with a bounded number of copies in flight and at a rate
// (repair-rate), and begins anew after a pause while something is left. A state machine like all of
// the core.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/left_overs.h"
#include "cluster/messages.h"
#include "cluster/node_context.h"
#include "cluster/rate_limit.h"

namespace cartwheel {

class Handoff {
 public:
  explicit Handoff(NodeContext* context)
      : context_(context),
        limit_(context->options.repair_rate_bytes),
        left_overs_(context),
        last_id_(kFirstId + context->random.Below(uint64_t{1} << 62)) {}

  void SetRate(uint64_t bytes_per_second) { limit_.SetRate(bytes_per_second); }

  // Answers to its own requests; false when the request is not one of them.
  bool OnMergeResponse(NodeId from, const MergeResponse& response);
  void OnHoldsResponse(const Turn& turn, NodeId from, const HoldsResponse& response);
  void OnLeavesResponse(NodeId from, const LeavesResponse& response) {
    left_overs_.OnResponse(from, response);
  }

  // A node is there again: what is kept for it goes out at once.
  void OnAlive(NodeId node, const Now& now);
  // The placement is another one: there may be left-overs.
  void OnPlacementChanged(const Now& now);
  // A copy of a slot that is not this node's was written.
  void NoteLeftOver(const Now& now);

  void Tick(const Turn& turn);
  int64_t NextDeadline() const;  // mono_us
  // Slots that are not this node's and that it may still hold copies of.
  bool HasLeftOvers() const { return has_left_overs_; }
  size_t LeftOverSlots() const { return has_left_overs_ ? left_overs_.CountSlots() : 0; }

 private:
  static constexpr NodeId kLeftOvers = 0;  // among the targets

  // A copy that is on its way out.
  struct Copy {
    NodeId target = kLeftOvers;
    Key key;
    Position position;
    uint64_t hash = 0;  // of what was offered; another one is offered again later
    bool needs_target = false;
    bool gives_up = false;   // on the target, for want of room or time
    uint64_t own_after = 0;  // this node is of the N by now: the sequence of its own copy
    int64_t deadline_us = 0;
    size_t bytes = 0;
    absl::InlinedVector<NodeId, 4> confirmed;
  };
  // One walk over the copies for one target.
  struct Walk {
    Position from;  // the first copy that was not looked at
    size_t in_flight = 0;
    bool released = false;  // something, in this walk
    int64_t due_us = 0;
    int64_t pause_us = kMinPauseUs;
  };
  using Found = LeftOvers::Found;

  bool IsIdle() const;
  void ConfirmOwn();
  void Go(const Turn& turn, NodeId target, Walk* walk);
  // The next copies of a walk; true at its end.
  bool NextHints(NodeId target, Walk* walk, std::vector<Found>* found) const;
  bool NextLeftOvers(const Turn& turn, Walk* walk, std::vector<Found>* found);
  // Reads on from `first` to `last`; true when the slice is full.
  bool Collect(const Position& first, const Position& last, std::vector<Found>* found) const;
  void Offer(const Turn& turn, NodeId target, const Found& found);
  void SendCopy(const Turn& turn, uint64_t id, const Copy& copy, std::string_view object,
                NodeId to);
  void Confirm(uint64_t id, NodeId node);
  void Forget(uint64_t id);
  bool IsOverCap(const Object& object, const Now& now) const;
  KeyRef Ref(const Copy& copy) const {
    return {copy.position, copy.key.db, copy.key.bytes, copy.target};
  }

  static constexpr uint64_t kFirstId = uint64_t{1} << 63;  // the coordinator's are below
  static constexpr size_t kMaxCopies = 2048;
  static constexpr uint64_t kMaxBytes = 4 << 20;
  static constexpr size_t kSliceRecords = 256;
  static constexpr uint64_t kDropBytes =
      256;  // what a record that is let go counts against the rate
  static constexpr int64_t kSliceUs = 10'000;
  static constexpr int64_t kLongestRestUs = 100'000;
  static constexpr int64_t kMinPauseUs = 500'000;
  static constexpr int64_t kMaxPauseUs = 30'000'000;

  NodeContext* context_;
  RateLimit limit_;
  absl::btree_map<uint64_t, Copy> copies_;  // by request id: in the order of their deadlines
  absl::btree_map<NodeId, Walk> walks_;     // by target
  LeftOvers left_overs_;
  bool has_left_overs_ = false;
  uint64_t bytes_ = 0;   // of the copies in flight
  uint64_t last_id_;     // begins anywhere: answers to an earlier start must not fit
  int64_t next_us_ = 0;  // the next Tick, while there is anything
};

}  // namespace cartwheel
