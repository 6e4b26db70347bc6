// Node: one Cartwheel node as a state machine (in the manner of etcd's raft). It does no I/O and
// has no clock: Step takes an input and says what is to be sent, answered and made durable. The
// driver (the uv loop in server/, or the simulator) does that. Dynamo, section 5.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "cluster/client_op.h"
#include "cluster/cluster_state.h"
#include "cluster/effects.h"
#include "cluster/ring.h"
#include "cluster/status_counters.h"
#include "cluster/types.h"
#include "storage/engine.h"

namespace cartwheel {

struct NodeOptions {
  NodeId id = 0;
  Member self;                 // id, announced addresses, zone, weight; proposed to the ring
  std::vector<Address> seeds;  // bus addresses
  bool bootstrap = false;
  NodeId replaces = 0;  // at a first start: the member whose place it takes
  std::string cluster_name = "cartwheel";
  ClusterSettings settings;  // for a ring that this node makes
  // Which of the settings were given explicitly: a join checks these against the ring's.
  bool partitions_given = false;
  bool placement_given = false;
  bool partitioner_given = false;
  bool quorum_given = false;
  int64_t replica_timeout_ms = 500;
  int64_t hedge_delay_ms = 20;
  int64_t gossip_interval_ms = 1000;
  int64_t node_timeout_ms = 3000;
  int64_t max_clock_skew_ms = 60000;
  uint32_t siblings_warn = 25;
  uint32_t siblings_max = 100;
  uint64_t object_max_bytes = 1ULL << 30;
  uint64_t hints_max_bytes = 1ULL << 30;
  int64_t hints_max_age_ms = 10'800'000;
  int64_t tombstone_min_age_ms = 600'000;
  uint64_t max_value_bytes = 512ULL << 20;
  uint64_t repair_rate_bytes = 16ULL << 20;    // a second, for anti-entropy, and for hints
  uint64_t transfer_rate_bytes = 64ULL << 20;  // a second, for partitions that move
  uint64_t seed = 0;                           // of the node's own generator
  // Writes that this node acknowledged may be missing from the engine.
  bool may_have_lost = false;
};

// An encoded message that arrived from a peer, as the fields of its RESP array. Views live for the
// Step only.
struct FrameReceived {
  NodeId from = 0;
  std::span<const std::string_view> fields;
};
struct Tick {};
struct LinkUp {
  NodeId peer = 0;
};
struct LinkLost {
  NodeId peer = 0;
};

class Node {
 public:
  // `engine` outlives the node. `control` is the last control image that was made durable, empty at
  // a first start. The effects of the start (a new control image always among them: it reserves the
  // births of this run) go to `effects`.
  static Result<std::unique_ptr<Node>> Start(NodeOptions options, StorageEngine* engine,
                                             std::string_view control, Now now, Effects* effects);
  ~Node();

  // One input each: a client's operation, a peer's message, the time, news of a link.
  void Step(const Now& now, ClientOp&& op, Effects* effects);
  void Step(const Now& now, const FrameReceived& frame, Effects* effects);
  void Step(const Now& now, Tick tick, Effects* effects);
  void Step(const Now& now, LinkUp link, Effects* effects);
  void Step(const Now& now, LinkLost link, Effects* effects);
  // The frame that goes first on every connection this node dials, made when the other side has
  // just answered: by its stamp the other side knows what was sent before it (cluster/transit.h).
  std::string Opening(const Now& now) const;
  // When Step(Tick) is due next, in mono_us.
  int64_t NextDeadline() const;

  // False until a ring is known: data operations are answered with Loading.
  bool ready() const;
  // They are carried out: also by a node that has left its ring, until its process ends.
  bool serves() const;
  NodeId id() const;
  const ClusterState& state() const;
  const Ring& ring() const;
  bool IsAlive(NodeId id) const;  // as seen from here; itself always
  // It may lack what it acknowledged before it was started (cluster/catch_up.h).
  bool MayHaveLost() const;
  View ViewOf(uint32_t db, Now now) const;
  // For whom a ring in motion waits, as far as this node has heard: gainers that have not fetched
  // all, here those whose copies this node misses, or nodes that do not know of the switch.
  std::vector<NodeId> WaitsFor() const;
  // Slots of which this node has still copies that belong to others.
  size_t LeftOverSlots() const;
  const StatusCounters& counters() const;

  // DEBUG SET-ACTIVE-EXPIRE: whether expired values are emptied in the background.
  void SetActiveExpire(bool active);
  // Settings that CONFIG SET changes.
  void SetReplicaTimeout(int64_t ms);
  void SetHedgeDelay(int64_t ms);
  void SetMaxValueBytes(uint64_t bytes);
  void SetRepairRate(uint64_t bytes_per_second);
  void SetTransferRate(uint64_t bytes_per_second);

 private:
  struct Parts;
  explicit Node(std::unique_ptr<Parts> parts);
  template <typename Input>
  void StepInput(const Now& now, Input&& input, Effects* effects);
  std::unique_ptr<Parts> parts_;
};

}  // namespace cartwheel
