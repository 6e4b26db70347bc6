// PeerNetwork: parts of nodes that talk to each other, without membership and clients; what a Peer
// is made of, and which messages it takes, says the harness that derives from it. A network that
// takes one millisecond a message and counts them; a clock that jumps from event to event.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "cluster/merkle_tree.h"
#include "cluster/node_context.h"
#include "tests/unit/cluster/frame_reader.h"

namespace cartwheel {

// A Peer has `up`, `starts`, `engine`, NextDeadline() and Tick(turn).
template <typename Peer>
class PeerNetwork {
 public:
  static constexpr int64_t kWallMs = 1'700'000'000'000;

  virtual ~PeerNetwork() = default;
  Peer& operator[](NodeId id) { return *peers_.at(id); }

  template <typename Work>
  void Call(NodeId id, Work work) {
    Effects effects;
    work(Turn{now(), &effects});
    Answered(id, &effects);
    for (const Send& send : effects.outbox.sends) {
      EXPECT_NE(send.to, id);
      std::string frame(effects.outbox.FrameOf(send));
      ++sent[FrameType(FrameReader(frame).fields())];
      wire_bytes += frame.size();
      largest_frame = std::max(largest_frame, frame.size());
      packets_.emplace(std::pair(now_us_ + TakesUs(frame), next_packet_++),
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
  uint64_t wire_bytes = 0;
  size_t largest_frame = 0;

 protected:
  struct Packet {
    NodeId from;
    NodeId to;
    uint64_t start;  // what was under way to an earlier start never comes
    std::string frame;
  };

  virtual void Deliver(const Packet& packet) = 0;
  virtual void Answered(NodeId, Effects*) {}
  virtual int64_t TakesUs(const std::string&) { return 1000; }
  // A plain write.
  static NewVersion Plain(uint64_t operation, Kind kind, std::string bytes) {
    return {.operation = operation,
            .context = {},
            .plain = true,
            .kind = kind,
            .expires_at_ms = 0,
            .bytes = std::move(bytes)};
  }

  std::map<NodeId, std::unique_ptr<Peer>> peers_;
  int64_t now_us_ = 1'000'000;
  uint64_t operation_ = 0;

 private:
  static constexpr int64_t kMostIdleTicks = 100'000;

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
    EXPECT_LT(idle_ticks_, kMostIdleTicks) << "node " << due << " does not move its deadline";
    if (idle_ticks_ >= kMostIdleTicks) return false;
    now_us_ = std::max(now_us_, next_us);
    if (due != 0) {
      Call(due, [&](const Turn& turn) { (*this)[due].Tick(turn); });
      return true;
    }
    const Packet packet = std::move(packets_.begin()->second);
    packets_.erase(packets_.begin());
    if ((*this)[packet.to].up && packet.start == (*this)[packet.to].starts) Deliver(packet);
    return true;
  }

  std::map<std::pair<int64_t, uint64_t>, Packet> packets_;
  uint64_t next_packet_ = 0;
  int64_t idle_ticks_ = 0;
};

}  // namespace cartwheel
