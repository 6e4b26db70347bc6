// NodeContext: what the parts of one node share, owned by Node. Parts hold a pointer to it; a Turn
// is what one Step adds: the time and where the effects go.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/random.h"
#include "cluster/cluster_state.h"
#include "cluster/effects.h"
#include "cluster/hybrid_clock.h"
#include "cluster/liveness.h"
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
    Add(to, false, after, message);
  }
  template <typename Message>
  void Respond(NodeId to, const Message& message, uint64_t after = 0) const {
    Add(to, true, after, message);
  }

 private:
  template <typename Message>
  void Add(NodeId to, bool response, uint64_t after, const Message& message) const {
    Outbox& outbox = effects->outbox;
    const size_t begin = outbox.frames.size();
    Encode(message, &outbox.frames);
    outbox.sends.push_back({to, after, response, begin, outbox.frames.size() - begin});
  }
};

struct NodeContext {
  NodeContext(NodeOptions node_options, StorageEngine* engine, Births births)
      : options(std::move(node_options)),
        random(options.seed),
        liveness(options.id, options.node_timeout_ms * 1000),
        replica(options.id, engine, &clock, births,
                {options.siblings_max, options.object_max_bytes, options.max_clock_skew_ms},
                &counters) {}

  NodeOptions options;
  StatusCounters counters;
  Random random;
  HybridClock clock;
  Liveness liveness;
  Replica replica;
  Transit transit;
  // Set while a ring is known.
  const ClusterState* state = nullptr;
  std::optional<Ring> ring;

  NodeId self() const { return options.id; }
  uint64_t epoch() const { return state->epoch; }

  Stamp StampOf(const Turn& turn) { return {replica.births()->era(), turn.now.mono_us}; }

  KeyRef Locate(uint32_t db, std::string_view key) const {
    return {PositionOf(db, key, state->settings.partitioner), db, key};
  }
  View ViewOf(uint32_t db, const Now& now) const {
    return {now.wall_ms, state->flushed_before.empty() ? 0 : state->FlushedBefore(db)};
  }
  bool Replicates(uint16_t slot, NodeId node) const {
    const auto replicas = ring->Replicas(slot);
    return std::find(replicas.begin(), replicas.end(), node) != replicas.end();
  }
  // The first live node of the key's replicas (the first of all when none is live).
  NodeId FirstLive(uint16_t slot) const {
    const auto replicas = ring->Replicas(slot);
    for (const NodeId node : replicas) {
      if (liveness.IsAlive(node)) return node;
    }
    return replicas.front();
  }
};

}  // namespace cartwheel
