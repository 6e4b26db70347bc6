// GossipRing: the Memberships of one settled ring of any size, in memory, and a network that delays
// what they send. It counts what passes, and when each node came to know of an epoch. Small rings
// that form, lose and decide are in membership_cluster.h.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "cluster/membership.h"
#include "protocol/request_parser.h"

namespace cartwheel {

class GossipRing {
 public:
  struct Traffic {
    uint64_t messages = 0;
    uint64_t bytes = 0;
    uint64_t states = 0;  // messages that carry a whole state
  };

  // Every node knows `state`; its first three members are everybody's seeds.
  GossipRing(const ClusterState& state, uint64_t seed) : random_(seed), state_(state) {
    for (size_t i = 0; i < state.members.size(); ++i) AddNode(i);
    for (size_t i = 0; i < nodes_.size(); ++i) {
      // They were not all started at one moment.
      Schedule(i, 1 + static_cast<int64_t>(random_.Below(1'000'000)));
    }
    Run(2000);
  }

  size_t size() const { return nodes_.size(); }
  const ClusterState& state(size_t node) const { return nodes_[node]->membership.state(); }
  int64_t now_us() const { return now_us_; }
  const Traffic& traffic() const { return traffic_; }
  // The longest that one call of a member has taken, by that clock; 0 without one.
  void SetProcessorClock(double (*ms)()) { processor_ms_ = ms; }
  double longest_ms() const { return longest_ms_; }
  // That members have logged.
  uint64_t warnings() const { return warnings_; }

  // The node alone learns of a newer state, as if its decider had reached nobody else.
  void Tell(size_t node, const ClusterState& state) {
    std::string bytes;
    EncodeState(state, &bytes);
    const NodeId from = state_.members[node == 0 ? 1 : 0].id;
    Deliver({from, node, EncodeControl(StatePush{false, false, bytes})});
  }
  // The node has a FLUSHALL decided, and pushes it to all.
  void Flush(size_t node) {
    Call(node,
         [this](Membership* m, Effects* effects) { m->Flush(Time(), 1, std::nullopt, effects); });
  }
  // Of the pushes and everything else that is sent.
  void SetLossPercent(uint64_t percent) { loss_percent_ = percent; }

  void Run(int64_t ms) {
    const int64_t end = now_us_ + ms * 1000;
    while (true) {
      const int64_t packet = packets_.empty() ? INT64_MAX : packets_.begin()->first.first;
      const int64_t deadline = deadlines_.begin()->first;
      if (std::min(packet, deadline) > end) break;
      now_us_ = std::max(now_us_, std::min(packet, deadline));
      if (packet <= deadline) {
        Deliver(packets_.extract(packets_.begin()).mapped());
      } else {
        Tick(deadlines_.begin()->second);
      }
    }
    now_us_ = end;
  }

  size_t CountAware(uint64_t epoch) const {
    return static_cast<size_t>(
        std::count_if(nodes_.begin(), nodes_.end(), [epoch](const std::unique_ptr<Node>& node) {
          return node->membership.state().epoch >= epoch;
        }));
  }
  // When the last node came to know what it knows.
  int64_t last_learnt_us() const { return last_learnt_us_; }

 private:
  struct Node {
    Node(const NodeOptions& what, uint64_t seed)
        : options(what), random(seed), membership(options, &random, &clock) {}

    const NodeOptions options;
    Random random;
    HybridClock clock;
    Membership membership;
    bool started = false;
    int64_t deadline_us = 0;
    uint64_t epoch = 0;
  };
  struct Packet {
    NodeId from;
    size_t to;
    std::string frame;
  };

  void AddNode(size_t index) {
    const Member& self = state_.members[index];
    NodeOptions options;
    options.id = self.id;
    options.self = self;
    for (size_t i = 0; i < std::min<size_t>(3, state_.members.size()); ++i) {
      options.seeds.push_back(AddressOf(i));
    }
    nodes_.push_back(std::make_unique<Node>(options, random_.Next()));
    indices_[self.id] = index;
  }

  Address AddressOf(size_t index) const {
    return {state_.members[index].host, state_.members[index].bus_port};
  }
  Now Time() const { return {now_us_, 1'700'000'000'000 + now_us_ / 1000}; }

  // A fresh node that a member tells at once that it is one, too.
  void Start(size_t index) {
    nodes_[index]->started = true;
    Call(index, [this](Membership* m, Effects* effects) { m->Start(Time(), effects); });
    Tell(index, state_);
    CHECK(state(index) == state_);
  }

  void Tick(size_t index) {
    if (!nodes_[index]->started) return Start(index);
    Call(index, [this](Membership* m, Effects* effects) { m->Tick(Time(), effects); });
  }

  template <typename Work>
  void Call(size_t index, Work work) {
    Node& node = *nodes_[index];
    Effects effects;
    const double begun_ms = processor_ms_ == nullptr ? 0 : processor_ms_();
    work(&node.membership, &effects);
    if (processor_ms_ != nullptr) longest_ms_ = std::max(longest_ms_, processor_ms_() - begun_ms);
    if (node.membership.TakeDirty()) (void)node.membership.Durable();
    CHECK(!effects.stop && !node.membership.removed());
    for (const LogLine& line : effects.log) {
      warnings_ += line.level == LogLevel::kWarning ? 1 : 0;
    }
    if (const uint64_t epoch = node.membership.state().epoch; epoch != node.epoch) {
      node.epoch = epoch;
      last_learnt_us_ = now_us_;
    }
    for (const struct Send& send : effects.outbox.sends) {
      Post({node.options.id, indices_.at(send.to), std::string(effects.outbox.FrameOf(send))});
    }
    for (SendToAddress& send : effects.sends_to_address) {
      for (size_t i = 0; i < std::min<size_t>(3, nodes_.size()); ++i) {
        if (AddressOf(i) == send.to) Post({node.options.id, i, std::move(send.frame)});
      }
    }
    Schedule(index, node.membership.NextDeadline());
  }

  void Schedule(size_t index, int64_t deadline_us) {
    Node& node = *nodes_[index];
    deadlines_.erase({node.deadline_us, index});
    node.deadline_us = deadline_us;
    deadlines_.insert({deadline_us, index});
  }

  void Post(Packet packet) {
    constexpr size_t kLeastOfState = 1000;  // bytes
    traffic_.messages += 1;
    traffic_.bytes += packet.frame.size();
    traffic_.states += packet.frame.size() >= kLeastOfState ? 1 : 0;
    if (random_.Chance(loss_percent_, 100)) return;
    const int64_t delay = 500 + static_cast<int64_t>(random_.Below(3000));
    packets_.emplace(std::pair(now_us_ + delay, next_packet_++), std::move(packet));
  }

  void Deliver(const Packet& packet) {
    if (!nodes_[packet.to]->started) return;
    RequestParser parser{ParserLimits{}};
    std::string_view rest = packet.frame;
    while (!rest.empty()) {
      const std::span<char> space = parser.Prepare();
      const size_t bytes = std::min(space.size(), rest.size());
      std::copy_n(rest.begin(), bytes, space.begin());
      parser.Commit(bytes);
      rest.remove_prefix(bytes);
      CHECK((parser.Next() == RequestParser::Outcome::kCommand) == rest.empty());
    }
    Call(packet.to, [&](Membership* m, Effects* effects) {
      m->Receive(Time(), packet.from, parser.arguments(), effects);
    });
  }

  Random random_;
  const ClusterState state_;
  int64_t now_us_ = 0;
  int64_t last_learnt_us_ = 0;
  uint64_t next_packet_ = 0;
  uint64_t loss_percent_ = 0;
  uint64_t warnings_ = 0;
  double (*processor_ms_)() = nullptr;
  double longest_ms_ = 0;
  Traffic traffic_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::map<NodeId, size_t> indices_;
  std::set<std::pair<int64_t, size_t>> deadlines_;
  std::map<std::pair<int64_t, uint64_t>, Packet> packets_;
};

}  // namespace cartwheel
