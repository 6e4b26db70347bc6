// The register under a hostile network: messages are lost, doubled, delayed and reordered, nodes
// crash at any point of a step and come back with what was durable, several propose at once, and
// the members change as they go. Whatever happens, each epoch has one value, each value was made
// from the one before, and once the network behaves a change is decided.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/hash.h"
#include "cluster/control_messages.h"
#include "cluster/register.h"
#include "tests/unit/cluster/frame_reader.h"

namespace cartwheel {
namespace {

constexpr uint64_t kName = 42;
constexpr NodeId kNodes = 6;
constexpr int64_t kTimeoutUs = 200'000;
constexpr int64_t kSecondUs = 1'000'000;

// What the register decides here.
struct Value {
  uint64_t epoch = 0;
  uint64_t parent = 0;  // hash of the value before
  std::vector<NodeId> members;
  uint64_t nonce = 0;  // of the proposal
};

std::string Encode(const Value& value) {
  std::string out;
  PutVarint(&out, value.epoch);
  PutFixed64(&out, value.parent);
  PutFixed64(&out, value.nonce);
  for (const NodeId member : value.members) PutFixed64(&out, member);
  return out;
}

Value Decode(std::string_view bytes) {
  Reader in(bytes);
  Value value;
  value.epoch = in.Varint();
  value.parent = in.Fixed64();
  value.nonce = in.Fixed64();
  while (!in.rest().empty()) value.members.push_back(in.Fixed64());
  return value;
}

class World {
 public:
  World(uint64_t seed, bool forget_promises) : random_(seed), forget_promises_(forget_promises) {
    Value first;
    first.epoch = 1;
    first.members = {1, 2, 3};
    decided_[1] = Encode(first);
    for (NodeId id = 1; id <= kNodes; ++id) {
      Node& node = nodes_[id];
      node.id = id;
      node.disk.value = decided_[1];
      Boot(&node);
    }
  }

  // Runs a hostile phase and a calm one; says what went wrong, if anything.
  std::optional<std::string> Run() {
    hostile_ = true;
    while (now_ < 20 * kSecondUs && !violation_) NextEvent();
    hostile_ = false;
    for (auto& [id, node] : nodes_) {
      if (!node.up) Boot(&node);
    }
    const uint64_t before = decided_.rbegin()->first;
    while (now_ < 40 * kSecondUs && !violation_) NextEvent();
    if (!violation_ && decided_.rbegin()->first < before + 3) violation_ = "no progress when calm";
    return violation_;
  }

  uint64_t epochs() const { return decided_.rbegin()->first; }
  uint64_t trace() const { return trace_; }

 private:
  struct Disk {
    std::string value;     // the state this node knows
    std::string acceptor;  // empty: none yet
  };
  struct Node {
    NodeId id = 0;
    bool up = false;
    uint64_t boots = 0;
    Disk disk;
    std::unique_ptr<Register> reg;
  };
  struct Packet {
    NodeId from;
    NodeId to;
    bool push;          // `bytes` is a value that the sender knows to be decided
    std::string bytes;  // else a frame
  };

  Value Known(const Node& node) const { return Decode(node.disk.value); }

  void Boot(Node* node) {
    node->up = true;
    node->boots += 1;
    node->reg = std::make_unique<Register>(node->id, kTimeoutUs, &random_);
    if (!node->disk.acceptor.empty() && !(forget_promises_ && node->boots > 1)) {
      AcceptorState acceptor;
      Reader reader(node->disk.acceptor);
      CHECK(DecodeAcceptor(&reader, &acceptor));
      node->reg->Restore(std::move(acceptor));
    }
    OpenNext(node);
  }

  void OpenNext(Node* node) {
    const Value value = Known(*node);
    const bool member = Contains(value.members, node->id);
    if (member) {
      node->reg->Open(kName, value.epoch + 1, value.members);
    } else {
      node->reg->Close();
    }
  }

  static bool Contains(const std::vector<NodeId>& list, NodeId id) {
    return std::find(list.begin(), list.end(), id) != list.end();
  }

  void Crash(Node* node) {
    node->up = false;
    node->reg.reset();
  }

  // One step of a node: its work, then what is durable, then what is sent; a crash may come
  // between.
  template <typename Work>
  void Step(Node* node, Work work) {
    Register::Output out;
    const Disk before = node->disk;
    work(&out);
    if (out.decision) Decide(node, out.decision->value);
    if (hostile_ && random_.Chance(1, 400)) {
      node->disk = before;
      return Crash(node);
    }
    if (node->reg->TakeDirty()) {
      node->disk.acceptor.clear();
      EncodeAcceptor(node->reg->acceptor(), &node->disk.acceptor);
    }
    // A decision counts once it can be told.
    if (out.decision) Check(out.decision->value);
    for (Register::Send& send : out.sends) {
      if (hostile_ && random_.Chance(1, 400)) return Crash(node);
      Post({node->id, send.to, false, std::move(send.frame)});
    }
    if (out.decision) PushToAll(*node);
  }

  void PushToAll(const Node& node) {
    for (NodeId id = 1; id <= kNodes; ++id) {
      if (id != node.id) Post({node.id, id, true, node.disk.value});
    }
  }

  void Decide(Node* node, const std::string& value) {
    node->disk.value = value;
    OpenNext(node);
  }

  void Check(const std::string& bytes) {
    const Value value = Decode(bytes);
    trace_ = Hash64(bytes, trace_);
    const auto [at, is_new] = decided_.try_emplace(value.epoch, bytes);
    if (at->second != bytes) violation_ = "two values of one epoch";
    const auto parent = decided_.find(value.epoch - 1);
    if (parent == decided_.end()) {
      violation_ = "a gap between epochs";
    } else if (Hash64(parent->second) != value.parent) {
      violation_ = "a value that was not made from the one before";
    }
  }

  void Post(Packet packet) {
    // What is decided is learnt late, so that others decide about the same epoch.
    const uint64_t loss_percent = packet.push ? 70 : 15;
    int copies = 1;
    if (hostile_) copies = random_.Chance(loss_percent, 100) ? 0 : random_.Chance(1, 10) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      const uint64_t most = hostile_ && random_.Chance(1, 10) ? 600'000 : 20'000;
      const int64_t delay = 1 + static_cast<int64_t>(random_.Below(most));
      packets_.emplace(std::pair(now_ + delay, next_packet_++), packet);
    }
  }

  void Receive(const Packet& packet) {
    Node* node = &nodes_[packet.to];
    if (!node->up) return;
    const Value known = Known(*node);
    if (packet.push) {
      if (Decode(packet.bytes).epoch <= known.epoch) return;
      Step(node, [&](Register::Output*) { Decide(node, packet.bytes); });
      return;
    }
    const FrameReader reader(packet.bytes);
    const Result<ControlMessage> message = DecodeControl(reader.fields());
    CHECK(message.has_value());
    const Register::At at{now_, static_cast<uint64_t>(now_)};
    std::visit(
        [&](const auto& m) {
          using Message = std::decay_t<decltype(m)>;
          if constexpr (std::is_same_v<Message, Prepare> || std::is_same_v<Message, Accept>) {
            if (m.epoch <= known.epoch) {
              return Post({node->id, packet.from, true, node->disk.value});
            }
          }
          if constexpr (requires(Register::Output * out) { node->reg->Receive(at, 1, m, out); }) {
            Step(node, [&](Register::Output* out) { node->reg->Receive(at, packet.from, m, out); });
          }
        },
        *message);
  }

  void Propose(Node* node) {
    const Value known = Known(*node);
    if (node->reg->proposing() || !Contains(known.members, node->id)) return;
    Value next = known;
    next.epoch += 1;
    next.parent = Hash64(node->disk.value);
    next.nonce = random_.Next();
    const NodeId other = 1 + random_.Below(kNodes);
    if (!Contains(next.members, other)) {
      next.members.push_back(other);
    } else if (next.members.size() > 2 && random_.Chance(1, 2)) {
      std::erase(next.members, other);
    }
    const std::string bytes = Encode(next);
    Step(node, [&](Register::Output* out) {
      node->reg->Propose(
          {now_, static_cast<uint64_t>(now_)}, [bytes](uint64_t) { return std::optional(bytes); },
          out);
    });
  }

  // Timers are looked at every 5 ms, and something may happen to some node then.
  void NextEvent() {
    if (!packets_.empty() && packets_.begin()->first.first < next_timer_) {
      now_ = packets_.begin()->first.first;
      const Packet packet = packets_.begin()->second;
      packets_.erase(packets_.begin());
      return Receive(packet);
    }
    now_ = next_timer_;
    next_timer_ += 5'000;
    for (auto& [id, node] : nodes_) {
      if (node.up && node.reg->NextDeadline() <= now_) {
        Step(&node, [&, n = &node](Register::Output* out) {
          n->reg->Tick({now_, static_cast<uint64_t>(now_)}, out);
        });
      }
    }
    Node* node = &nodes_[1 + random_.Below(kNodes)];
    if (!node->up) {
      if (random_.Chance(1, 3)) Boot(node);
      return;
    }
    if (hostile_ && random_.Chance(1, 50)) return Crash(node);
    if (random_.Chance(1, 15)) Propose(node);
    if (node->up && random_.Chance(1, 20)) {
      Post({node->id, 1 + random_.Below(kNodes), true, node->disk.value});
    }
  }

  Random random_;
  const bool forget_promises_;
  bool hostile_ = true;
  int64_t now_ = 0;
  int64_t next_timer_ = 0;
  uint64_t next_packet_ = 0;
  uint64_t trace_ = 0;
  std::map<NodeId, Node> nodes_;
  std::map<std::pair<int64_t, uint64_t>, Packet> packets_;
  std::map<uint64_t, std::string> decided_;
  std::optional<std::string> violation_;
};

TEST(RegisterSimulation, EveryEpochHasOneValueMadeFromTheOneBefore) {
  uint64_t epochs = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    World world(seed, false);
    const std::optional<std::string> violation = world.Run();
    ASSERT_FALSE(violation.has_value()) << "seed " << seed << ": " << *violation;
    epochs += world.epochs();
  }
  EXPECT_GT(epochs, 150U * 20);  // something happened
}

TEST(RegisterSimulation, AForgottenPromiseIsFound) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    const std::optional<std::string> violation = World(seed, true).Run();
    if (violation && *violation != "no progress when calm") return;
  }
  FAIL() << "nodes that forget what they promised were not noticed";
}

TEST(RegisterSimulation, TheSameSeedGivesTheSameRun) {
  World one(5, false);
  World two(5, false);
  one.Run();
  two.Run();
  EXPECT_EQ(one.trace(), two.trace());
  EXPECT_NE(one.trace(), 0U);
}

}  // namespace
}  // namespace cartwheel
