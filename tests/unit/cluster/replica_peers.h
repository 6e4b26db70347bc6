// ReplicaPeers: nodes that compare what they hold: each has an engine in memory, the service that
// peers ask and its anti-entropy.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/anti_entropy.h"
#include "cluster/replica_service.h"
#include "storage/record.h"
#include "tests/unit/cluster/fragile_engine.h"
#include "tests/unit/cluster/peer_network.h"
#include "tests/unit/cluster/ring_states.h"

namespace cartwheel {

struct ReplicaPeer {
  ReplicaPeer(NodeOptions options, const ClusterState& ring_state)
      : state(ring_state),
        context(std::move(options), &engine, Births(0, PeerNetwork<ReplicaPeer>::kWallMs)),
        service(&context),
        anti_entropy(&context) {
    context.state = &state;
    context.ring.emplace(state);
  }
  int64_t NextDeadline() const { return anti_entropy.NextDeadline(); }
  void Tick(const Turn& turn) { anti_entropy.Tick(turn); }

  ClusterState state;
  FragileEngine engine;
  NodeContext context;
  ReplicaService service;
  AntiEntropy anti_entropy;
  uint64_t starts = 1;
  bool up = true;
  std::map<uint64_t, Answer> answers;

  const StatusCounters& counters() const { return context.counters; }
};

class ReplicaPeers : public PeerNetwork<ReplicaPeer> {
 public:
  using Peer = ReplicaPeer;

  // Nodes 1 to `count`, all of which replicate all.
  explicit ReplicaPeers(NodeId count = 2, uint32_t partitions = 256,
                        const std::function<void(NodeOptions*)>& adjust = {}) {
    ClusterSettings settings;
    settings.partitions = partitions;
    const ClusterState state = RingOf(count, settings);
    for (NodeId id = 1; id <= count; ++id) {
      NodeOptions options;
      options.id = id;
      options.seed = id;
      if (adjust) adjust(&options);
      auto& peer = peers_[id] = std::make_unique<Peer>(std::move(options), state);
      peer->context.liveness.SetMembers(state.members, now_us_);
    }
  }

  // Every node knows the ring from now on.
  void Begin() {
    for (const auto& [id, peer] : peers_) {
      AntiEntropy* const anti_entropy = &peer->anti_entropy;  // clang 14 captures no bindings
      Call(id, [&](const Turn& turn) { anti_entropy->OnPlacementChanged(turn); });
    }
  }
  void Repair(NodeId id, uint64_t client) {
    Call(id, [&](const Turn& turn) { (*this)[id].anti_entropy.StartRepair(turn, client); });
  }
  // The keys that the answer says were repaired.
  std::optional<uint64_t> Repaired(NodeId id, uint64_t client) {
    const auto at = (*this)[id].answers.find(client);
    if (at == (*this)[id].answers.end()) return std::nullopt;
    return std::get<RepairAnswer>(at->second.result).keys;
  }

  // A plain SET at one replica alone.
  Object Set(NodeId id, const std::string& key, std::string bytes, int64_t expires_at_ms = 0) {
    Peer& peer = (*this)[id];
    NewVersion version = Plain(++operation_, Kind::kValue, std::move(bytes));
    version.expires_at_ms = expires_at_ms;
    auto minted = peer.context.replica.Mint(At(key), std::move(version), {now().wall_ms, 0});
    EXPECT_TRUE(minted.has_value());
    return std::move(minted->delta);
  }
  // The same object at every node.
  void SetAll(const std::string& key, std::string bytes, int64_t expires_at_ms = 0) {
    const Object object = Set(1, key, std::move(bytes), expires_at_ms);
    for (const auto& [id, peer] : peers_) Merge(id, key, object);
  }
  void Merge(NodeId id, const std::string& key, const Object& object) {
    EXPECT_TRUE((*this)[id].context.replica.Merge(At(key), Object(object), {now().wall_ms, 0}));
  }
  // "a", "a b" with siblings, "" for nothing.
  std::string Get(NodeId id, const std::string& key) {
    StoredVersion version;
    EXPECT_TRUE((*this)[id].context.replica.Load(At(key), &version).has_value());
    std::vector<std::string> values;
    for (const Sibling& sibling : version.object.siblings) values.push_back(sibling.bytes);
    std::sort(values.begin(), values.end());
    std::string text;
    for (const std::string& value : values) text += (text.empty() ? "" : " ") + value;
    return text;
  }
  bool Equal() {
    return std::all_of(peers_.begin(), peers_.end(), [this](const auto& peer) {
      return HoldTheSame(peers_.begin()->first, peer.first);
    });
  }

  void ForgetTraffic() {
    wire_bytes = 0;
    largest_frame = 0;
    sent.clear();
  }

  // When set, messages of this type vanish.
  std::optional<uint8_t> swallowed;
  // When set, what is done to the last field of every tree message on its way.
  std::function<void(std::string*)> damage;

 private:
  void Answered(NodeId id, Effects* effects) override {
    for (Answer& answer : effects->answers) {
      EXPECT_FALSE((*this)[id].answers.contains(answer.id)) << "answered twice";
      (*this)[id].answers[answer.id] = std::move(answer);
    }
  }
  void Deliver(const Packet& packet) override {
    Peer& peer = (*this)[packet.to];
    const FrameReader reader(packet.frame);
    const uint8_t type = FrameType(reader.fields());
    if (swallowed == type) return;
    std::vector<std::string_view> fields(reader.fields().begin(), reader.fields().end());
    std::string last(fields.back());
    if (damage && type >= TreeRequest::kType && type <= FetchRequest::kType) damage(&last);
    fields.back() = last;
    Call(packet.to, [&](const Turn& turn) {
      const auto on = [&](const auto& message) { On(turn, &peer, packet.from, message); };
      EXPECT_EQ(DecodeData(fields, on), Decoding::kDone);
    });
  }
  static void On(const Turn& turn, Peer* peer, NodeId from, const MergeRequest& m) {
    if (peer->service.OnMerge(turn, from, m)) peer->anti_entropy.OnMerged(turn, from, m);
  }
  static void On(const Turn& turn, Peer* peer, NodeId, const MergeResponse& m) {
    EXPECT_TRUE(peer->anti_entropy.OnMergeResponse(turn, m));
  }
  static void On(const Turn& turn, Peer* peer, NodeId from, const TreeRequest& m) {
    peer->anti_entropy.OnTreeRequest(turn, from, m);
  }
  static void On(const Turn& turn, Peer* peer, NodeId from, const TreeResponse& m) {
    peer->anti_entropy.OnTreeResponse(turn, from, m);
  }
  static void On(const Turn& turn, Peer* peer, NodeId from, const FetchRequest& m) {
    peer->anti_entropy.OnFetchRequest(turn, from, m);
  }
  template <typename Other>
  static void On(const Turn&, Peer*, NodeId, const Other&) {
    ADD_FAILURE() << "a message of type " << static_cast<int>(Other::kType);
  }
};

}  // namespace cartwheel
