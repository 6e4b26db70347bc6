// RangeCoordinator: operations over many keys of the whole ring, SCAN's pages and DBSIZE's counts,
// asked of the nodes that hold them and put together. Few are in flight at a time.
#pragma once

#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cluster/client_op.h"
#include "cluster/messages.h"
#include "cluster/node_context.h"
#include "cluster/replica_service.h"

namespace cartwheel {

class RangeCoordinator {
 public:
  explicit RangeCoordinator(NodeContext* context)
      : context_(context), next_id_(1 + context->random.Below(uint64_t{1} << 48)) {}

  void Start(const Turn& turn, uint64_t client, const ScanOperation& operation);
  void Start(const Turn& turn, uint64_t client, const CountOperation& operation);

  void OnScanResponse(const Turn& turn, NodeId from, const ScanResponse& response);
  void OnCountResponse(const Turn& turn, NodeId from, const CountResponse& response);
  void OnPeerLost(const Turn& turn, NodeId peer);
  void OnPlacementChanged(const Turn& turn);
  void Tick(const Turn& turn);
  int64_t NextDeadline() const;

 private:
  // One page: a run of slots that R live replicas share, asked of R of them; then the next run
  // until the page is full.
  struct Scan {
    uint64_t client = 0;
    uint32_t db = 0;
    uint64_t cursor = 0;
    uint32_t count = 0;
    uint8_t r = 0;
    int64_t retry_us = 0;  // when the run is asked again of others
    int64_t final_us = 0;
    uint64_t round = 0;  // the request id of the run under way
    uint16_t last_slot = 0;
    size_t needed = 1;  // pages of this run
    size_t asked = 0;
    std::vector<std::pair<NodeId, LocalPage>> pages;
    std::vector<std::string> keys;
  };
  struct Count {
    uint64_t client = 0;
    uint32_t db = 0;
    int64_t final_us = 0;
    // By partition, what each of its replicas says.
    std::vector<absl::InlinedVector<uint64_t, 3>> said;
    std::map<NodeId, std::vector<uint32_t>> waits_for;  // and for which partitions
  };

  void AskRun(const Turn& turn, Scan* scan);
  std::vector<NodeId> ChooseRun(Scan* scan) const;
  void Begin(const Turn& turn, Count count);
  // True when it has heard of every partition: answers with what is there.
  bool Conclude(const Turn& turn, Count* count);
  // True when the scan is answered (and may be erased).
  bool Advance(const Turn& turn, Scan* scan);
  void MergePages(const Turn& turn, Scan* scan);

  NodeContext* context_;
  uint64_t next_id_;                  // begins anywhere: answers to an earlier start must not fit
  std::map<uint64_t, Scan> scans_;    // by round
  std::map<uint64_t, Count> counts_;  // by request id
};

}  // namespace cartwheel
