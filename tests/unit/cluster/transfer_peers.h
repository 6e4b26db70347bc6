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
#include "tests/unit/cluster/peer_network.h"
#include "tests/unit/cluster/ring_states.h"

namespace cartwheel {

struct TransferPeer {
  explicit TransferPeer(NodeId node) : id(node) { Start(); }
  void Start() {
    NodeOptions options;
    options.id = id;
    options.seed = ++starts * 100 + id;
    options.transfer_rate_bytes = 0;
    context = std::make_unique<NodeContext>(std::move(options), &engine,
                                            Births(0, PeerNetwork<TransferPeer>::kWallMs));
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

class TransferPeers : public PeerNetwork<TransferPeer> {
 public:
  using Peer = TransferPeer;

  // Its members, of whom those with sources in it gain.
  explicit TransferPeers(const ClusterState& state) {
    for (const Member& member : state.members) {
      peers_[member.id] = std::make_unique<Peer>(member.id);
    }
    for (const auto& [id, peer] : peers_) Adopt(id, state);
  }

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

  bool Completes(NodeId id, int64_t ms = 10'000) {
    return RunUntil(ms, [&] { return (*this)[id].transfer->complete(); });
  }

  // Every one of these nodes holds the same new version of the key.
  void Set(const std::vector<NodeId>& nodes, const std::string& key, const std::string& bytes,
           Kind kind = Kind::kValue) {
    const View view{now().wall_ms, 0};
    auto minted = (*this)[nodes.front()].context->replica.Mint(
        At(key), Plain(++operation_, kind, bytes), view);
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
  int64_t bytes_per_us = 0;  // 0: a message takes no longer when it is large
  // When set, messages between these two vanish though both live.
  std::pair<NodeId, NodeId> swallowed;

 private:
  int64_t TakesUs(const std::string& frame) override {
    const auto bytes = static_cast<int64_t>(frame.size());
    return 1000 + (bytes_per_us > 0 ? bytes / bytes_per_us : 0);
  }
  void Deliver(const Packet& packet) override {
    Peer& peer = (*this)[packet.to];
    if (!(*this)[packet.from].up) return;
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
};

}  // namespace cartwheel
