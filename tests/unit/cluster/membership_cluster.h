// Small clusters of Membership in memory: a network that delays and loses, a clock that jumps from
// event to event, disks that keep what was durable before anything left.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "cluster/membership.h"
#include "tests/unit/cluster/frame_reader.h"

namespace cartwheel {

inline constexpr int64_t kWallBase = 1'700'000'000'000;

class Cluster {
 public:
  struct Node {
    NodeOptions options;
    std::vector<Address> aliases;  // other names of its address
    std::string disk;
    bool up = false;
    bool has_data = false;
    std::unique_ptr<Random> random;
    std::unique_ptr<HybridClock> clock;
    std::unique_ptr<Membership> membership;
    std::vector<std::string> log;
    std::map<uint64_t, Answer> answers;
    std::optional<std::string> stopped;
    bool departed = false;

    const ClusterState& state() const { return membership->state(); }
    Address address() const { return {options.self.host, options.self.bus_port}; }
    bool Logged(std::string_view part) const { return Count(part) > 0; }
    int64_t Count(std::string_view part) const {
      return std::count_if(log.begin(), log.end(), [part](const std::string& line) {
        return line.find(part) != std::string::npos;
      });
    }
  };

  explicit Cluster(uint64_t seed = 1) : random_(seed) {}

  static Address AddressOf(NodeId id) { return {"10.0.0.1", static_cast<uint16_t>(17000 + id)}; }

  // A node that is not started yet. Its seeds are the addresses of those ids.
  Node& Add(NodeId id, const std::vector<NodeId>& seeds) {
    Node& node = nodes_[id];
    node.options.id = id;
    node.options.self.id = id;
    node.options.self.host = AddressOf(id).host;
    node.options.self.port = static_cast<uint16_t>(7000 + id);
    node.options.self.bus_port = AddressOf(id).port;
    for (const NodeId seed : seeds) node.options.seeds.push_back(AddressOf(seed));
    return node;
  }
  Node& operator[](NodeId id) { return nodes_.at(id); }

  void Boot(NodeId id) {
    Node& node = nodes_.at(id);
    node.random = std::make_unique<Random>(random_.Next());
    node.clock = std::make_unique<HybridClock>();
    node.membership =
        std::make_unique<Membership>(node.options, node.random.get(), node.clock.get());
    ASSERT_TRUE(node.membership->Restore(node.disk).has_value());
    node.up = true;
    node.stopped.reset();
    node.departed = false;
    node.membership->SetHasData(node.has_data);
    Call(id, [this](Membership* m, Effects* effects) { m->Start(now(), effects); });
  }
  void Crash(NodeId id) { nodes_.at(id).up = false; }
  // It crashes, and the others notice.
  void Lose(NodeId id) {
    Crash(id);
    for (const auto& [other, node] : nodes_) Notice(other, id, false);
  }
  void Notice(NodeId at, NodeId peer, bool alive) {
    Node& node = nodes_.at(at);
    if (node.up && at != peer) node.membership->SetAlive(peer, alive);
  }

  template <typename Work>
  void Call(NodeId id, Work work) {
    Node& node = nodes_.at(id);
    Effects effects;
    work(node.membership.get(), &effects);
    CarryOut(id, std::move(effects));
  }
  void Join(NodeId id, uint64_t op, const Address& peer, NodeId replaces = 0) {
    Call(id, [&](Membership* m, Effects* effects) {
      m->Join(now(), op, {peer, replaces}, effects);
    });
  }
  void Leave(NodeId id, uint64_t op) {
    Call(id, [&](Membership* m, Effects* effects) { m->Leave(now(), op, effects); });
  }
  void Remove(NodeId id, uint64_t op, const std::vector<NodeId>& gone, bool force = false) {
    Call(id, [&](Membership* m, Effects* effects) {
      m->Remove(now(), op, {gone, force}, effects);
    });
  }
  void Set(NodeId id, uint64_t op, const QuorumSettings& settings) {
    Call(id, [&](Membership* m, Effects* effects) { m->Set(now(), op, settings, effects); });
  }
  // As its Motion and that of nobody else: every phase ends once it is known here.
  void MoveOn(NodeId id, int64_t ms = 2'000) {
    for (int64_t passed = 0; passed < ms && nodes_.at(id).state().in_motion(); passed += 100) {
      Call(id, [&](Membership* m, Effects* effects) {
        m->EndPhase(now(), m->state().placement_version, effects);
      });
      Run(100);
    }
  }
  void Flush(NodeId id, uint64_t op, std::optional<uint32_t> db) {
    Call(id, [&](Membership* m, Effects* effects) { m->Flush(now(), op, db, effects); });
  }

  // Nothing passes between these two, either way.
  void Cut(NodeId a, NodeId b) { cuts_.insert({std::min(a, b), std::max(a, b)}); }
  void Heal() { cuts_.clear(); }
  void SetLossPercent(uint64_t percent) { loss_percent_ = percent; }

  void Run(int64_t ms) {
    const int64_t end = now_us_ + ms * 1000;
    int64_t idle_ticks = 0;
    while (true) {
      int64_t next = packets_.empty() ? INT64_MAX : packets_.begin()->first.first;
      NodeId due = 0;
      for (const auto& [id, node] : nodes_) {
        if (!node.up || node.membership->NextDeadline() >= next) continue;
        next = node.membership->NextDeadline();
        due = id;
      }
      if (next > end) break;
      // A deadline that a Tick does not move would be a busy loop in the server.
      idle_ticks = next <= now_us_ ? idle_ticks + 1 : 0;
      ASSERT_LT(idle_ticks, 1000) << "node " << due << " does not move its deadline";
      now_us_ = std::max(now_us_, next);
      if (due != 0) {
        Call(due, [this](Membership* m, Effects* effects) { m->Tick(now(), effects); });
      } else {
        const Packet packet = std::move(packets_.begin()->second);
        packets_.erase(packets_.begin());
        Deliver(packet);
      }
    }
    now_us_ = end;
  }

  Now now() const { return {now_us_, kWallBase + now_us_ / 1000}; }

  // All these nodes, and nobody else, are in one ring and know the same state of it.
  testing::AssertionResult OneRing(const std::vector<NodeId>& ids) {
    const ClusterState& first = nodes_.at(ids.front()).state();
    for (const NodeId id : ids) {
      Node& node = nodes_.at(id);
      if (!node.membership->ready()) return testing::AssertionFailure() << id << " has no ring";
      if (node.state() != first) {
        return testing::AssertionFailure()
               << id << " has ring " << node.state().ring_id << " epoch " << node.state().epoch
               << ", not " << first.ring_id << " epoch " << first.epoch;
      }
      if (first.Find(id) == nullptr) return testing::AssertionFailure() << id << " is no member";
    }
    if (first.members.size() != ids.size()) {
      return testing::AssertionFailure() << first.members.size() << " members";
    }
    return testing::AssertionSuccess();
  }

 private:
  struct Packet {
    NodeId from;
    NodeId to;
    std::string frame;
  };

  void CarryOut(NodeId id, Effects effects) {
    Node& node = nodes_.at(id);
    if (node.membership->TakeDirty()) node.disk = node.membership->Durable();
    const ClusterState& state = node.state();
    if (state.ring_id != 0) {
      const auto at = states_.try_emplace({state.ring_id, state.epoch}, state).first;
      ASSERT_EQ(at->second, state) << "two states of one epoch";
    }
    for (LogLine& line : effects.log) node.log.push_back(std::move(line.text));
    for (Answer& answer : effects.answers) {
      EXPECT_FALSE(node.answers.contains(answer.id)) << "answered twice";
      node.answers[answer.id] = std::move(answer);
    }
    for (const Send& send : effects.outbox.sends) {
      // Our own link is dialled at the address that our state has for the peer.
      if (!send.response) {
        const Member* member = node.state().Find(send.to);
        // The link to who was a member is still up.
        EXPECT_TRUE(member != nullptr || node.state().WasRemoved(send.to))
            << "a request to a node whose address is not known";
        if (!nodes_.contains(send.to)) continue;
        const uint16_t port = nodes_.at(send.to).options.self.bus_port;
        if (member != nullptr && port != member->bus_port) continue;
      }
      Post({id, send.to, std::string(effects.outbox.FrameOf(send))});
    }
    for (SendToAddress& send : effects.sends_to_address) {
      for (const auto& [to, peer] : nodes_) {
        const bool alias =
            std::find(peer.aliases.begin(), peer.aliases.end(), send.to) != peer.aliases.end();
        if (peer.up && (alias || peer.address() == send.to)) Post({id, to, send.frame});
      }
    }
    if (effects.stop) {
      node.stopped = effects.stop;
      node.up = false;
    }
    if (effects.departed) {
      node.departed = true;
      node.up = false;
    }
  }

  void Post(Packet packet) {
    if (random_.Chance(loss_percent_, 100)) return;
    const int64_t delay = 500 + static_cast<int64_t>(random_.Below(3000));
    packets_.emplace(std::pair(now_us_ + delay, next_packet_++), std::move(packet));
  }

  void Deliver(const Packet& packet) {
    Node& node = nodes_.at(packet.to);
    if (!node.up ||
        cuts_.contains({std::min(packet.from, packet.to), std::max(packet.from, packet.to)})) {
      return;
    }
    const FrameReader reader(packet.frame);
    Call(packet.to, [&](Membership* m, Effects* effects) {
      m->Receive(now(), packet.from, reader.fields(), effects);
    });
  }

  Random random_;
  int64_t now_us_ = 1'000'000;
  uint64_t next_packet_ = 0;
  uint64_t loss_percent_ = 0;
  std::map<NodeId, Node> nodes_;
  std::map<std::pair<int64_t, uint64_t>, Packet> packets_;
  std::set<std::pair<NodeId, NodeId>> cuts_;
  std::map<std::pair<uint64_t, uint64_t>, ClusterState> states_;  // all that anybody ever had
};

template <typename T>
bool AnsweredWith(Cluster& cluster, NodeId id, uint64_t op) {
  const auto at = cluster[id].answers.find(op);
  return at != cluster[id].answers.end() && std::holds_alternative<T>(at->second.result);
}

inline std::string ErrorOf(Cluster& cluster, NodeId id, uint64_t op) {
  const auto at = cluster[id].answers.find(op);
  if (at == cluster[id].answers.end()) return "no answer";
  const Status* status = std::get_if<Status>(&at->second.result);
  return status != nullptr ? status->message : "no error";
}

// Three nodes in one ring, seeded by all three.
inline void MakeThree(Cluster& cluster) {
  for (NodeId id = 1; id <= 3; ++id) cluster.Add(id, {1, 2, 3});
  for (NodeId id = 1; id <= 3; ++id) cluster.Boot(id);
  cluster.Run(10'000);
  ASSERT_TRUE(cluster.OneRing({1, 2, 3}));
}

}  // namespace cartwheel
