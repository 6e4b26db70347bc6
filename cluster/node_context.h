// NodeContext: what the parts of one node share, owned by Node. Parts hold a pointer to it; a Turn
// is what one Step adds: the time and where the effects go.
#pragma once

#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "cluster/catch_up.h"
#include "cluster/cluster_state.h"
#include "cluster/effects.h"
#include "cluster/hybrid_clock.h"
#include "cluster/liveness.h"
#include "cluster/load_gauge.h"
#include "cluster/messages.h"
#include "cluster/node.h"
#include "cluster/replica.h"
#include "cluster/ring.h"
#include "cluster/status_counters.h"
#include "cluster/transit.h"

namespace cartwheel {

struct Turn {
  Now now;
  Effects* effects;

  // A message of ours; not before the engine has stored `after`.
  template <typename Message>
  void Request(NodeId to, const Message& message, uint64_t after = 0) const {
    Add(to, {.after = after}, message);
  }
  template <typename Message>
  void Respond(NodeId to, const Message& message, uint64_t after = 0) const {
    Add(to, {.after = after, .response = true}, message);
  }
  // Not before `after` is on this node's disk.
  template <typename Message>
  void RespondSynced(NodeId to, const Message& message, uint64_t after) const {
    Add(to, {.after = after, .response = true, .synced = true}, message);
  }

 private:
  template <typename Message>
  void Add(NodeId to, Send send, const Message& message) const {
    Outbox& outbox = effects->outbox;
    send.to = to;
    send.begin = outbox.frames.size();
    Encode(message, &outbox.frames);
    send.bytes = outbox.frames.size() - send.begin;
    outbox.sends.push_back(send);
  }
};

using NodeList = absl::InlinedVector<NodeId, 8>;

struct NodeContext {
  NodeContext(NodeOptions node_options, StorageEngine* engine, Births births)
      : options(std::move(node_options)),
        random(options.seed),
        liveness(options.id, options.node_timeout_ms * 1000),
        catch_up(options.id, options.may_have_lost),
        replica(options.id, engine, &clock, births,
                {options.siblings_warn, options.siblings_max, options.object_max_bytes,
                 options.max_clock_skew_ms},
                &counters) {}

  NodeOptions options;
  StatusCounters counters;
  Random random;
  HybridClock clock;
  Liveness liveness;
  CatchUp catch_up;
  Replica replica;
  Transit transit;
  LoadGauge load;
  // Set while a ring is known.
  const ClusterState* state = nullptr;
  std::optional<Ring> ring;
  // While reads switch: who has said that it knows, and is done with what it had begun before.
  std::vector<NodeId> switched;
  bool wrote_left_over =
      false;  // a copy of a slot that is not this node's, since that was looked at

  NodeId self() const { return options.id; }
  uint64_t epoch() const { return state->epoch; }
  uint64_t placement() const { return ring->placement_version(); }
  // Data that was on its way for longer is refused; dead versions are kept for longer than that.
  int64_t OldestDataUs() const {
    return std::min<int64_t>(60'000, options.tombstone_min_age_ms / 2) * 1000;
  }

  int64_t ReplicaTimeoutUs() const { return options.replica_timeout_ms * 1000; }
  static constexpr int64_t kSyncUs = 1'000'000;  // what a disk may take to sync
  // What a large value takes on its way and into a log, allowed for besides: 64 ms a MiB.
  static int64_t TransferUs(size_t bytes) {
    return bytes < size_t{1} << 20 ? 0 : static_cast<int64_t>(bytes / 16);
  }

  Stamp StampOf(const Now& now) { return {replica.births()->era(), now.mono_us}; }

  KeyRef Locate(uint32_t db, std::string_view key) const {
    return {PositionOf(db, key, state->settings.partitioner), db, key};
  }
  View ViewOf(uint32_t db, const Now& now) const {
    return {now.wall_ms, state->flushed_before.empty() ? 0 : state->FlushedBefore(db)};
  }
  // Whether reads go to the node; and whether it holds the slot at all, in motion.
  bool Holds(uint16_t slot, NodeId node) const { return ring->Holds(slot, node); }
  // The replicas, and in motion those of the other placement.
  NodeList HoldersOf(uint16_t slot) const {
    const auto replicas = ring->Replicas(slot);
    NodeList holders(replicas.begin(), replicas.end());
    for (const NodeId node : ring->OtherReplicas(slot)) {
      if (!Contains(replicas, node)) holders.push_back(node);
    }
    return holders;
  }
  // Whether W of the slot's nodes, of either placement, are so.
  template <typename Is>
  bool HasQuorum(uint16_t slot, const Is& is) const {
    const auto has = [&](std::span<const NodeId> replicas) {
      const auto count = static_cast<size_t>(std::count_if(replicas.begin(), replicas.end(), is));
      return count >= std::min<size_t>(ring->w(), replicas.size());
    };
    return has(ring->Replicas(slot)) && has(ring->OtherReplicas(slot));
  }
  bool Replicates(uint16_t slot, NodeId node) const { return Contains(ring->Replicas(slot), node); }
  // This node's answer does not count towards R.
  bool IsBehind(uint16_t slot) const {
    return catch_up.IsBehind(ring->Replicas(slot), WWithoutRemoved(slot));
  }
  bool MintsPlain(uint16_t slot) const {
    return catch_up.MintsPlain(ring->Replicas(slot), WWithoutRemoved(slot), liveness);
  }
  // The first live node of the key's preference list, fallbacks after the replicas (the first of
  // all when none is live).
  NodeId FirstLive(uint16_t slot) const {
    const auto list = ring->PreferenceList(slot);
    for (const NodeId node : list) {
      if (liveness.IsAlive(node)) return node;
    }
    return list.front();
  }
  // While reads switch: the node that carried out the key's updates until now and has not said that
  // it has stopped; 0: none that lives.
  NodeId FirstBefore(uint16_t slot) const {
    if (ring->phase() != Phase::kSwitch) return 0;
    for (const NodeId node : ring->OtherReplicas(slot)) {
      if (!liveness.IsAlive(node)) continue;
      return Contains(switched, node) ? 0 : node;
    }
    return 0;
  }
  // For whom a fallback works when it acts in the place of a replica: the first that is down.
  NodeId FirstDown(uint16_t slot) const {
    const auto replicas = ring->Replicas(slot);
    for (const NodeId node : replicas) {
      if (!liveness.IsAlive(node)) return node;
    }
    return replicas.front();
  }

  // Mints on this node's own copy, or on the one that it keeps for key.hint_for.
  Result<Minted> MintAt(KeyRef key, NewVersion&& version, const Now& now) {
    const View view = ViewOf(key.db, now);
    if (!IsKept(&key)) return replica.Mint(key, std::move(version), view);
    if (auto room = RoomForHint(); !room) return tl::unexpected(room.error());
    return replica.MintKept(key, ring->Replicas(key.position.slot), std::move(version), view);
  }
  Result<Minted> MintSiblingsAt(KeyRef key, NewSiblings&& siblings, const Now& now) {
    if (IsKept(&key)) {
      if (auto room = RoomForHint(); !room) return tl::unexpected(room.error());
    }
    return replica.MintSiblings(key, std::move(siblings), ViewOf(key.db, now));
  }
  Result<VersionHead> MergeAt(KeyRef key, Object&& object, const Now& now) {
    if (IsKept(&key)) {
      if (auto room = RoomForHint(); !room) return tl::unexpected(room.error());
    }
    const bool has_value =
        std::any_of(object.siblings.begin(), object.siblings.end(),
                    [](const Sibling& sibling) { return sibling.kind == Kind::kValue; });
    if (has_value && replica.engine()->Full()) {
      ++counters.disk_full_refusals;
      return Error(ErrorCode::kFull, "no room for values on this node");
    }
    return replica.Merge(key, std::move(object), ViewOf(key.db, now));
  }

 private:
  // Of the W that stored a write, so many at least are not among those that were removed.
  size_t WWithoutRemoved(uint16_t slot) const {
    return ring->w() - std::min<size_t>(ring->w(), ring->RemovedOf(slot));
  }
  // A hint for a key that this node replicates itself by now is no hint.
  bool IsKept(KeyRef* key) {
    if (key->hint_for == 0) {
      // From somebody who knows another ring.
      if (!Holds(key->position.slot, self())) wrote_left_over = true;
      return false;
    }
    if (Holds(key->position.slot, self())) key->hint_for = 0;
    return key->hint_for != 0;
  }
  Result<void> RoomForHint() {
    if (replica.hints().bytes() >= options.hints_max_bytes) {
      ++counters.hints_refused;
      return Error(ErrorCode::kFull, "hints-max-bytes is reached");
    }
    ++counters.hints_stored;
    return {};
  }
};

}  // namespace cartwheel
