// AntiEntropy: keeps replicas equal in the background (Dynamo, section 4.7). Begins comparisons
// with peers, one at a time: with those that a client's DYN.REPAIR wants, with those that were just
// met (a start, a peer that lives again, another ring; once their hints are handed over), and in
// turn with every live one. Answers the comparisons that others begin, though only one that finds
// differences at a time. How one runs is cluster/comparison.h.
#pragma once

#include <absl/container/btree_map.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "cluster/comparison.h"
#include "cluster/messages.h"
#include "cluster/node_context.h"
#include "cluster/object_sender.h"

namespace cartwheel {

class AntiEntropy {
 public:
  explicit AntiEntropy(NodeContext* context) : context_(context), sender_(context) {}

  void SetRate(uint64_t bytes_per_second) { sender_.SetRate(bytes_per_second); }

  // DYN.REPAIR: answered when all live peers were compared with.
  void StartRepair(const Turn& turn, uint64_t client);

  void OnTreeRequest(const Turn& turn, NodeId from, const TreeRequest& request);
  void OnTreeResponse(const Turn& turn, NodeId from, const TreeResponse& response);
  void OnFetchRequest(const Turn& turn, NodeId from, const FetchRequest& request);
  // An object of the peer's was merged into this node's copy.
  void OnMerged(const Turn& turn, NodeId from, const MergeRequest& request);
  // False when it answers nothing that was sent from here.
  bool OnMergeResponse(const Turn& turn, const MergeResponse& response);

  void OnAlive(const Turn& turn, NodeId peer);
  void OnPeerLost(const Turn& turn, NodeId peer);
  void OnPlacementChanged(const Turn& turn);
  // This node lost something: all that live are compared with anew.
  void CompareAll(const Turn& turn);

  void Tick(const Turn& turn);
  int64_t NextDeadline() const;  // in mono_us

 private:
  // What clients that asked at about the same time wait for.
  struct RepairRun {
    std::vector<uint64_t> clients;
    std::vector<NodeId> peers;  // left to compare with
    uint64_t keys = 0;
    int refusals = 0;
    int64_t next_us = 0;
  };
  // A peer to compare with out of turn.
  struct Soon {
    NodeId peer = 0;
    int64_t due_us = 0;
  };
  // A peer of which nothing is missing here, once what came from it is on the disk.
  struct Equal {
    NodeId peer = 0;
    uint64_t sequence = 0;
  };
  // What a peer asked for, on its way to it.
  struct Fetch {
    NodeId from = 0;
    uint64_t request = 0;
  };

  // A round with a peer that is equal costs a few bytes and the sums of all common partitions.
  static constexpr int64_t kGossipIntervalsBetween = 3;
  static constexpr uint64_t kJitterUs = 100'000;
  static constexpr int64_t kHintsPauseUs = 300'000;
  static constexpr int64_t kGuestStaysUs = 2'000'000;  // after it last asked
  static constexpr int64_t kSyncPollUs = 5'000;
  static constexpr int kMaxRefusals = 5;
  static constexpr int64_t kNever = INT64_MAX;

  int64_t GossipIntervalUs() const { return context_->options.gossip_interval_ms * 1000; }
  std::string GroupsBelow(const MerkleTree& tree, const TreeRequest& request, bool* understood,
                          TreeResponse* response) const;
  // The earlier of two times is kept.
  void CompareSoon(NodeId peer, int64_t when_us);
  std::vector<Soon>::iterator FindSoon(NodeId peer);
  bool LetsIn(const Turn& turn, NodeId peer, bool catching_up);
  void NoteGuest(const Turn& turn, NodeId peer);
  // Deals with whatever has ended, and begins what is due.
  void GoOn(const Turn& turn);
  void EndFetches(const Turn& turn);
  void NoteEqual(const Turn& turn, NodeId peer);
  void NoteSynced(const Turn& turn);
  void Conclude(const Turn& turn);
  bool ContinueRepair(const Turn& turn);
  void BeginDue(const Turn& turn);
  void Begin(const Turn& turn, NodeId peer, bool for_repair);
  NodeId NextInTurn() const;

  NodeContext* context_;
  ObjectSender sender_;
  std::optional<Comparison> comparison_;
  bool for_repair_ = false;               // the comparison
  std::vector<uint64_t> repair_clients_;  // who wait for the next run
  std::optional<RepairRun> repair_;
  std::vector<Soon> soon_;
  int64_t round_us_ = kNever;          // no ring is known
  int64_t hinted_us_ = INT64_MIN / 2;  // when this node was last handed a hint
  std::vector<Equal> unsynced_;
  int64_t unsynced_us_ = kNever;  // when it is looked at again
  NodeId last_in_turn_ = 0;
  NodeId guest_ = 0;  // whose comparison found differences here
  int64_t guest_us_ = INT64_MIN / 2;
  absl::btree_map<uint64_t, Fetch> fetches_;  // by the sender's job
};

}  // namespace cartwheel
