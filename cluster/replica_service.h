// ReplicaService: answers what peers ask of this node as a replica: read, compare, mint, merge,
// scan, count. Stateless: each request is answered in the Step that brings it (Dynamo, section 5).
#pragma once

#include "cluster/messages.h"
#include "cluster/node_context.h"

namespace cartwheel {

class ReplicaService {
 public:
  explicit ReplicaService(NodeContext* context) : context_(context) {}

  void OnRead(const Turn& turn, NodeId from, const ReadRequest& request);
  void OnCompare(const Turn& turn, const CompareRequest& request);
  void OnMint(const Turn& turn, NodeId from, const MintRequest& request);
  // False when it could not be merged.
  bool OnMerge(const Turn& turn, NodeId from, const MergeRequest& request);
  void OnHolds(const Turn& turn, NodeId from, const HoldsRequest& request);
  void OnLeaves(const Turn& turn, NodeId from, const LeavesRequest& request);
  void OnScan(const Turn& turn, NodeId from, const ScanRequest& request);
  void OnCount(const Turn& turn, NodeId from, const CountRequest& request);

 private:
  void OnReadKept(const Turn& turn, NodeId from, const ReadRequest& request);

  NodeContext* context_;
};

// One page of this node's own keys: at most about `count` records of the db from a cursor to the
// end of last_slot, objects without bytes. `next` is the cursor before which everything was listed.
struct LocalPage {
  struct Entry {
    std::string key;
    Object object;
  };
  bool failed = false;
  uint64_t next = 0;
  std::vector<Entry> entries;
};
LocalPage ScanLocally(const StorageEngine& engine, uint32_t db, uint64_t cursor, uint16_t last_slot,
                      uint32_t count);

// Values of the db in the partition, as stored here.
uint64_t CountLocally(const StorageEngine& engine, const Ring& ring, uint32_t db,
                      uint32_t partition);

}  // namespace cartwheel
