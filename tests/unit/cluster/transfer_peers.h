// TransferPeers: nodes that fetch from each other what a ring in motion gives them, and give up
// what it took from them, without membership and clients: each has an engine in memory, its
// Transfer and its Handoff. A network that takes one millisecond a message, or as long as its bytes
// do, and counts them; a clock that jumps from event to event.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cluster/handoff.h"
#include "cluster/merkle_tree.h"
#include "cluster/replica_service.h"
#include "cluster/transfer.h"
#include "tests/unit/cluster/fragile_engine.h"
#include "tests/unit/cluster/frame_reader.h"
#include "tests/unit/cluster/ring_states.h"

namespace cartwheel {

class TransferPeers {
 public:
  static constexpr int64_t kWallMs = 1'700'000'000'000;

  struct Peer {
    explicit Peer(NodeId node) : id(node) { Start(); }
    void Start() {
      NodeOptions options;
      options.id = id;
      options.seed = ++starts * 100 + id;
      options.transfer_rate_bytes = 0;
      context = std::make_unique<NodeContext>(std::move(options), &engine, Births(0, kWallMs));
      transfer = std::make_unique<Transfer>(context.get());
      handoff = std::make_unique<Handoff>(context.get());
      service = std::make_unique<ReplicaService>(context.get());
    }
    int64_t NextDeadline() const {
      if (!hands_over) return transfer->NextDeadline();
      return std::min(transfer->NextDeadline(), handoff->NextDeadline());
    }
    void Tick(const Turn& turn) {
      transfer->Tick(turn);
      if (hands_over) handoff->Tick(turn);
    }
    NodeId id;
    uint64_t starts = 0;
    bool up = true;
    bool hands_over = false;
    ClusterState state;
    FragileEngine engine;  // survives restarts
    std::unique_ptr<NodeContext> context;
    std::unique_ptr<Transfer> transfer;
    std::unique_ptr<Handoff> handoff;
    std::unique_ptr<ReplicaService> service;

    const StatusCounters& counters() const { return context->counters; }
  };

  // Its members, of whom those with sources in it gain.
  explicit TransferPeers(const ClusterState& state) {
    for (const Member& member : state.members) {
      peers_[member.id] = std::make_unique<Peer>(member.id);
    }
    for (const auto& [id, peer] : peers_) Adopt(id, state);
  }
  Peer& operator[](NodeId id) { return *peers_.at(id); }

  // The node knows this state from now on.
  void Adopt(NodeId id, const ClusterState& state) {
    Peer& peer = *peers_.at(id);
    const uint64_t before = std::exchange(peer.state, state).placement_version;
    peer.context->state = &peer.state;
    peer.context->ring.emplace(peer.state);
    peer.context->liveness.SetMembers(peer.state.members, now_us_);
    Call(id, [&](const Turn& turn) { peer.transfer->OnPlacementChanged(turn, before); });
    peer.handoff->OnPlacementChanged(now());
  }
  void Restart(NodeId id) {
    Lose(id);
    Peer& peer = *peers_.at(id);
    peer.Start();
    Adopt(id, ClusterState(peer.state));
    Return(id);
  }
  // Its links break, and all notice.
  void Lose(NodeId id) {
    peers_.at(id)->up = false;
    for (const auto& [other, peer] : peers_) {
      if (other == id) continue;
      peer->context->liveness.Suspect(id);
      Transfer* const transfer = peer->transfer.get();
      Call(other, [&, node = id](const Turn& turn) { transfer->OnPeerLost(turn, node); });
    }
  }
  void Return(NodeId id) {
    peers_.at(id)->up = true;
    for (const auto& [other, peer] : peers_) peer->context->liveness.Answered(id, now_us_);
  }

  template <typename Work>
  void Call(NodeId id, Work work) {
    Effects effects;
    work(Turn{now(), &effects});
    for (const Send& send : effects.outbox.sends) {
      std::string frame(effects.outbox.FrameOf(send));
      ++sent[FrameType(FrameReader(frame).fields())];
      const auto bytes = static_cast<int64_t>(frame.size());
      const int64_t takes_us = 1000 + (bytes_per_us > 0 ? bytes / bytes_per_us : 0);
      packets_.emplace(std::pair(now_us_ + takes_us, next_packet_++),
                       Packet{id, send.to, peers_.at(send.to)->starts, std::move(frame)});
    }
  }
  void Run(int64_t ms) {
    const int64_t end_us = now_us_ + ms * 1000;
    while (Step(end_us)) {
    }
    now_us_ = end_us;
  }
  // False when it is not so within that time.
  template <typename Is>
  bool RunUntil(int64_t ms, Is is) {
    const int64_t end_us = now_us_ + ms * 1000;
    while (!is()) {
      if (!Step(end_us)) return false;
    }
    return true;
  }
  bool Completes(NodeId id, int64_t ms = 10'000) {
    return RunUntil(ms, [&] { return (*this)[id].transfer->complete(); });
  }

  // Every one of these nodes holds the same new version of the key.
  void Set(const std::vector<NodeId>& nodes, const std::string& key, const std::string& bytes,
           Kind kind = Kind::kValue) {
    NewVersion version{.operation = ++operation_,
                       .context = {},
                       .plain = true,
                       .kind = kind,
                       .expires_at_ms = 0,
                       .bytes = bytes};
    const View view{now().wall_ms, 0};
    auto minted = (*this)[nodes.front()].context->replica.Mint(At(key), std::move(version), view);
    ASSERT_TRUE(minted.has_value());
    for (const NodeId node : nodes) {
      Object object = minted->delta;
      ASSERT_TRUE((*this)[node].context->replica.Merge(At(key), std::move(object), view));
    }
  }
  bool Has(NodeId id, const std::string& key) {
    StoredVersion version;
    EXPECT_TRUE((*this)[id].context->replica.Load(At(key), &version).has_value());
    return !version.object.siblings.empty();
  }
  bool HoldTheSame(NodeId a, NodeId b) {
    for (uint32_t leaf = 0; leaf < kLeafCount; ++leaf) {
      if ((*this)[a].engine.LeafSum(leaf) != (*this)[b].engine.LeafSum(leaf)) return false;
    }
    return true;
  }
  static KeyRef At(const std::string& key) {
    return {PositionOf(0, key, Partitioner::kSlot), 0, key};
  }
  Now now() const { return {now_us_, kWallMs + now_us_ / 1000}; }

  std::map<uint8_t, uint64_t> sent;  // messages by type
  int64_t bytes_per_us = 0;          // 0: a message takes no longer when it is large
  // When set, messages between these two vanish though both live.
  std::pair<NodeId, NodeId> swallowed;

 private:
  struct Packet {
    NodeId from;
    NodeId to;
    uint64_t start;  // what was under way to an earlier start never comes
    std::string frame;
  };

  bool Step(int64_t end_us) {
    int64_t next_us = packets_.empty() ? INT64_MAX : packets_.begin()->first.first;
    NodeId due = 0;
    for (const auto& [id, peer] : peers_) {
      const int64_t deadline_us = peer->NextDeadline();
      if (!peer->up || deadline_us >= next_us) continue;
      next_us = deadline_us;
      due = id;
    }
    if (next_us > end_us) return false;
    idle_ticks_ = next_us <= now_us_ ? idle_ticks_ + 1 : 0;
    EXPECT_LT(idle_ticks_, 10000) << "node " << due << " does not move its deadline";
    if (idle_ticks_ >= 10000) return false;
    now_us_ = std::max(now_us_, next_us);
    if (due != 0) {
      Call(due, [&](const Turn& turn) { (*this)[due].Tick(turn); });
      return true;
    }
    const Packet packet = std::move(packets_.begin()->second);
    packets_.erase(packets_.begin());
    Deliver(packet);
    return true;
  }
  void Deliver(const Packet& packet) {
    Peer& peer = (*this)[packet.to];
    if (!peer.up || !(*this)[packet.from].up || packet.start != peer.starts) return;
    if (swallowed == std::pair(packet.from, packet.to)) return;
    const FrameReader reader(packet.frame);
    Call(packet.to, [&](const Turn& turn) {
      const auto on = [&](const auto& message) { On(turn, &peer, packet.from, message); };
      EXPECT_EQ(DecodeData(reader.fields(), on), Decoding::kDone);
    });
  }
  static void On(const Turn& turn, Peer* peer, NodeId from, const TransferRequest& m) {
    peer->transfer->OnRequest(turn, from, m);
  }
  static void On(const Turn& turn, Peer* peer, NodeId from, const TransferResponse& m) {
    peer->transfer->OnResponse(turn, from, m);
  }
  static void On(const Turn& turn, Peer* peer, NodeId from, const LeavesRequest& m) {
    peer->service->OnLeaves(turn, from, m);
  }
  static void On(const Turn&, Peer* peer, NodeId from, const LeavesResponse& m) {
    peer->handoff->OnLeavesResponse(from, m);
  }
  static void On(const Turn& turn, Peer* peer, NodeId from, const HoldsRequest& m) {
    peer->service->OnHolds(turn, from, m);
  }
  static void On(const Turn& turn, Peer* peer, NodeId from, const HoldsResponse& m) {
    peer->handoff->OnHoldsResponse(turn, from, m);
  }
  static void On(const Turn& turn, Peer* peer, NodeId from, const MergeRequest& m) {
    peer->service->OnMerge(turn, from, m);
  }
  static void On(const Turn&, Peer* peer, NodeId from, const MergeResponse& m) {
    EXPECT_TRUE(peer->handoff->OnMergeResponse(from, m));
  }
  template <typename Other>
  static void On(const Turn&, Peer*, NodeId, const Other&) {
    ADD_FAILURE() << "a message of type " << static_cast<int>(Other::kType);
  }

  std::map<NodeId, std::unique_ptr<Peer>> peers_;
  std::map<std::pair<int64_t, uint64_t>, Packet> packets_;
  uint64_t next_packet_ = 0;
  int64_t now_us_ = 1'000'000;
  int64_t idle_ticks_ = 0;
  uint64_t operation_ = 0;
};

}  // namespace cartwheel
