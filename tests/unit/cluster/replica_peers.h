// ReplicaPeers: nodes that compare what they hold, without membership and clients: each has an
// engine in memory, the service that peers ask and its anti-entropy. A network that takes one
// millisecond a message and counts bytes; a clock that jumps from event to event.
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
#include "tests/unit/cluster/frame_reader.h"
#include "tests/unit/cluster/ring_states.h"

namespace cartwheel {

inline constexpr int64_t kWallBase = 1'700'000'000'000;

class ReplicaPeers {
 public:
  struct Peer {
    Peer(NodeOptions options, const ClusterState& ring_state)
        : state(ring_state),
          context(std::move(options), &engine, Births(0, kWallBase)),
          service(&context),
          anti_entropy(&context) {
      context.state = &state;
      context.ring.emplace(state);
    }
    ClusterState state;
    FragileEngine engine;
    NodeContext context;
    ReplicaService service;
    AntiEntropy anti_entropy;
    bool up = true;
    std::map<uint64_t, Answer> answers;

    const StatusCounters& counters() const { return context.counters; }
  };

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
  Peer& operator[](NodeId id) { return *peers_.at(id); }

  // Every node knows the ring from now on.
  void Begin() {
    for (const auto& [id, peer] : peers_) {
      AntiEntropy* const anti_entropy = &peer->anti_entropy;  // clang 14 captures no bindings
      Call(id, [&](const Turn& turn) { anti_entropy->OnPlacementChanged(turn); });
    }
  }
  template <typename Work>
  void Call(NodeId id, Work work) {
    Effects effects;
    work(Turn{now(), &effects});
    Peer& peer = *peers_.at(id);
    for (Answer& answer : effects.answers) {
      EXPECT_FALSE(peer.answers.contains(answer.id)) << "answered twice";
      peer.answers[answer.id] = std::move(answer);
    }
    for (const Send& send : effects.outbox.sends) {
      EXPECT_NE(send.to, id);
      std::string frame(effects.outbox.FrameOf(send));
      wire_bytes += frame.size();
      largest_frame = std::max(largest_frame, frame.size());
      const uint8_t type = FrameType(FrameReader(frame).fields());
      ++sent[type];
      packets_.emplace(std::pair(now_us_ + 1000, next_packet_++),
                       Packet{id, send.to, std::move(frame)});
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

  void Run(int64_t ms) {
    const int64_t end_us = now_us_ + ms * 1000;
    int idle_ticks = 0;
    while (true) {
      int64_t next_us = packets_.empty() ? INT64_MAX : packets_.begin()->first.first;
      NodeId due = 0;
      for (const auto& [id, peer] : peers_) {
        const int64_t deadline_us = peer->anti_entropy.NextDeadline();
        if (!peer->up || deadline_us >= next_us) continue;
        next_us = deadline_us;
        due = id;
      }
      if (next_us > end_us) break;
      idle_ticks = next_us <= now_us_ ? idle_ticks + 1 : 0;
      ASSERT_LT(idle_ticks, 100000) << "node " << due << " does not move its deadline";
      now_us_ = std::max(now_us_, next_us);
      if (due != 0) {
        Call(due, [&](const Turn& turn) { (*this)[due].anti_entropy.Tick(turn); });
        continue;
      }
      const Packet packet = std::move(packets_.begin()->second);
      packets_.erase(packets_.begin());
      Deliver(packet);
    }
    now_us_ = end_us;
  }

  // A plain SET at one replica alone.
  Object Set(NodeId id, const std::string& key, std::string bytes, int64_t expires_at_ms = 0) {
    Peer& peer = (*this)[id];
    NewVersion version{.operation = ++operation_,
                       .context = {},
                       .plain = true,
                       .kind = Kind::kValue,
                       .expires_at_ms = expires_at_ms,
                       .bytes = std::move(bytes)};
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
    for (uint32_t leaf = 0; leaf < kLeafCount; ++leaf) {
      for (const auto& [id, peer] : peers_) {
        if (peer->engine.LeafSum(leaf) != peers_.begin()->second->engine.LeafSum(leaf))
          return false;
      }
    }
    return true;
  }

  static KeyRef At(const std::string& key) {
    return {PositionOf(0, key, Partitioner::kSlot), 0, key};
  }
  Now now() const { return {now_us_, kWallBase + now_us_ / 1000}; }
  void ForgetTraffic() {
    wire_bytes = 0;
    largest_frame = 0;
    sent.clear();
  }

  uint64_t wire_bytes = 0;
  size_t largest_frame = 0;
  std::map<uint8_t, uint64_t> sent;  // messages by type
  // When set, messages of this type vanish.
  std::optional<uint8_t> swallowed;
  // When set, what is done to the last field of every tree message on its way.
  std::function<void(std::string*)> damage;

 private:
  struct Packet {
    NodeId from;
    NodeId to;
    std::string frame;
  };

  void Deliver(const Packet& packet) {
    Peer& peer = (*this)[packet.to];
    const FrameReader reader(packet.frame);
    const uint8_t type = FrameType(reader.fields());
    if (!peer.up || swallowed == type) return;
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

  std::map<NodeId, std::unique_ptr<Peer>> peers_;
  std::map<std::pair<int64_t, uint64_t>, Packet> packets_;
  uint64_t next_packet_ = 0;
  int64_t now_us_ = 1'000'000;
  uint64_t operation_ = 0;
};

}  // namespace cartwheel
