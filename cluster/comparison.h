// Comparison: one run of anti-entropy with one peer, from the side that began it (Dynamo, section
// 4.7). Walks down the tree of what both replicate, only where sums differ, a bounded number of
// nodes a message; the positions that differ are its suspects. A difference may be a write on its
// way: after a pause the suspects' leaves are asked about again, and what differs both times is
// repaired: what the peer has is fetched and merged, and what this node then has more is sent. Then
// the walk goes on where it stopped. At the end this node has all that the peer had at the
// beginning.
#pragma once

#include <absl/container/btree_map.h>

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "cluster/merkle_tree.h"
#include "cluster/messages.h"
#include "cluster/node_context.h"
#include "cluster/object_sender.h"

namespace cartwheel {

// How many versions of leaves one message lists; one side looks at no more of its own at a time.
inline constexpr size_t kMaxLeafVersions = 512;
inline constexpr size_t kMaxFetched = 256;

class Comparison {
 public:
  enum class State : uint8_t {
    kRunning,
    kDone,
    kRefused,  // the peer knows another ring
    kBusy,     // the peer compares with another node
    kFailed,   // the peer does not answer, or this node cannot read
  };

  Comparison(NodeContext* context, ObjectSender* sender, NodeId peer)
      : context_(context),
        sender_(sender),
        peer_(peer),
        last_request_(context->random.Below(uint64_t{1} << 62)) {}

  void Begin(const Turn& turn);
  void OnTreeResponse(const Turn& turn, const TreeResponse& response);
  // The peer sent its object of this position, which was merged here.
  void OnMerged(const Turn& turn, const KeyRef& key, uint64_t bytes);
  void OnSent(const Turn& turn, const ObjectSender::Ended& sent);
  void Tick(const Turn& turn);
  int64_t NextDeadline() const { return state_ == State::kRunning ? due_us_ : 0; }
  // Nothing more is sent for it.
  void End(State state);

  State state() const { return state_; }
  NodeId peer() const { return peer_; }
  // Nothing that the peer had is missing here.
  bool complete() const { return complete_; }
  // What differed was found, and is dealt with.
  bool at_work() const { return asked_level_ != TreeLevel::kRoot; }
  bool fetches() const { return !fetching_.empty(); }
  // Keys that changed here or there.
  uint64_t keys_repaired() const { return keys_repaired_; }

 private:
  enum class Phase : uint8_t { kLooking, kWaiting, kConfirming, kRepairing };
  // Leaves to ask about, in order.
  struct LeafQueue {
    std::deque<uint32_t> leaves;
    Position from;  // what is before this was compared
  };

  static constexpr size_t kMaxSuspects = 16384;
  static constexpr uint32_t kMaxSlotsBelow = 4096;
  static constexpr size_t kMaxSlots = 256;
  static constexpr size_t kMaxLeaves = 128;
  static constexpr int64_t kMinPauseUs = 200'000;
  static constexpr int64_t kNever = INT64_MAX;

  MerkleTree Tree() const;
  int64_t PatienceUs() const { return 2 * context_->options.replica_timeout_ms * 1000; }
  LeafQueue* LeavesInHand() { return phase_ == Phase::kConfirming ? &confirm_ : &look_; }

  void GoOn(const Turn& turn);
  bool AskNext(const Turn& turn);
  void Ask(const Turn& turn, TreeLevel level, const std::deque<uint32_t>& indexes, size_t at_most,
           const Position& from);
  bool CompareInner(const TreeResponse& response);
  bool CompareLeaves(const TreeResponse& response, LeafQueue* queue);
  // A position that differs; `theirs`: the hash of what the peer has there.
  void Meet(const Position& position, std::optional<uint64_t> theirs);
  void Repair(const Turn& turn);
  bool FetchNext(const Turn& turn);

  NodeContext* context_;
  ObjectSender* sender_;
  NodeId peer_;
  State state_ = State::kRunning;
  Phase phase_ = Phase::kLooking;

  uint64_t last_request_;
  bool waits_for_answer_ = false;
  int64_t asked_us_ = 0;
  int64_t slowest_us_ = 0;  // of the answers so far
  int64_t due_us_ = kNever;
  TreeLevel asked_level_ = TreeLevel::kRoot;
  std::vector<uint32_t> asked_;

  // What was found to differ and not looked into, by level; leaves have their own.
  std::array<std::deque<uint32_t>, 3> pending_;
  LeafQueue look_;
  LeafQueue confirm_;
  std::vector<Position> suspects_;  // in order
  std::vector<Position> to_send_;
  std::deque<VersionAt> to_fetch_;
  absl::btree_map<Position, uint64_t> fetching_;  // and the hash of what the peer has there
  std::optional<uint64_t> sending_;               // the sender's job
  uint64_t keys_repaired_ = 0;
  bool complete_ = true;
};

}  // namespace cartwheel
