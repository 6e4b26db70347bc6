// Transfer: a ring in motion gives this node partitions, and it fetches them (docs/architecture.md,
// "A ring in motion"). Anti-entropy from nothing: source by source, batch by batch of slots, this
// node says what the leaves of a slot sum to here, and the source gives all objects of the leaves
// that differ, tombstones included. So what is here already is not sent again, whoever crashed in
// between, and the comparison with a second source costs the sums and what differs. A partition is
// fetched when it was compared with as many sources as its ring demands (Ring::SourcesOf), and all
// of them are when the objects are on the disk.
//
// At a rate (transfer-rate), as the asker and as the source, and below what clients need: while
// they wait for long, only a trickle moves (Dynamo, section 6.5, admission control).
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "cluster/messages.h"
#include "cluster/node_context.h"
#include "cluster/rate_limit.h"

namespace cartwheel {

class Transfer {
 public:
  explicit Transfer(NodeContext* context)
      : context_(context),
        asking_(context->options.transfer_rate_bytes),
        giving_(context->options.transfer_rate_bytes),
        last_request_(context->random.Below(uint64_t{1} << 62)) {}

  void SetRate(uint64_t bytes_per_second);

  // `before`: the version that this node knew until now. What was compared stays so only while no
  // version was missed, in which the ring may have meant this node to hold nothing.
  void OnPlacementChanged(const Turn& turn, uint64_t before);
  void OnRequest(const Turn& turn, NodeId from, const TransferRequest& request);
  void OnResponse(const Turn& turn, NodeId from, const TransferResponse& response);
  void OnPeerLost(const Turn& turn, NodeId peer);
  void Tick(const Turn& turn);
  int64_t NextDeadline() const;  // in mono_us

  // All that the ring gives this node by now is here, on the disk.
  bool complete() const;
  size_t partitions_left() const;
  // Without whom it does not end: who is down, cannot read, or is behind itself.
  std::vector<NodeId> WaitsFor() const;

 private:
  using Partition = uint32_t;

  struct Gain {
    absl::InlinedVector<NodeId, 4> compared;
    NodeId busy = 0;  // the source that is asked for it now
  };
  // What is asked of one source: a batch of partitions, from a position on.
  struct Flow {
    std::vector<Partition> batch;  // none: nothing is asked
    Position from;
    uint64_t request = 0;
    bool waits = false;  // for an answer
    bool counts = true;  // no answer said that the source is behind
    bool gives = true;   // what it was asked for last: else its turns are for all
    int patience = 0;    // how often the time for an answer was doubled
    int64_t due_us = 0;  // to give up, or to ask
  };

  static constexpr uint32_t kBatchSlots = 64;
  static constexpr size_t kBatchBytes = 1 << 20;
  static constexpr size_t kBusyBytes = 16 << 10;
  static constexpr int64_t kRetryUs = 300'000;
  static constexpr int64_t kYieldUs = 20'000;
  static constexpr int64_t kSyncPollUs = 5'000;
  static constexpr int kMostPatience = 5;

  size_t Needed(Partition partition, const Gain& gain) const;
  bool IsFetched(Partition partition, const Gain& gain) const;
  void Advance(const Turn& turn, NodeId source, Flow* flow);
  void ChooseBatch(NodeId source, Flow* flow);
  void Ask(const Turn& turn, NodeId source, Flow* flow);
  void EndBatch(NodeId source, Flow* flow, bool compared);
  bool Store(const Turn& turn, std::string_view objects);
  void NoteFetched();
  void Give(const std::vector<uint16_t>& slots, const std::vector<uint64_t>& sums,
            const TransferRequest& request, size_t most_here, TransferResponse* response,
            std::string* objects) const;
  size_t MostBytes(const Turn& turn);

  NodeContext* context_;
  RateLimit asking_;
  RateLimit giving_;
  absl::btree_map<Partition, Gain> gains_;
  absl::btree_map<NodeId, Flow> flows_;  // by source
  uint64_t last_request_;  // begins anywhere: answers to an earlier start must not fit
  std::optional<uint64_t> synced_after_;  // all is fetched once this sequence is on the disk
  int64_t next_us_ = 0;
};

}  // namespace cartwheel
