// Small clusters of Membership in memory: a network that delays and loses, a clock that jumps from
// event to event, disks that keep what was durable before anything left.
#include "cluster/membership.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "tests/unit/cluster/frame_reader.h"

namespace cartwheel {
namespace {

constexpr int64_t kWallBase = 1'700'000'000'000;

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
    node.membership->SetHasData(node.has_data);
    Call(id, [this](Membership* m, Effects* effects) { m->Start(now(), effects); });
  }
  void Crash(NodeId id) { nodes_.at(id).up = false; }

  template <typename Work>
  void Call(NodeId id, Work work) {
    Node& node = nodes_.at(id);
    Effects effects;
    work(node.membership.get(), &effects);
    CarryOut(id, std::move(effects));
  }
  void Join(NodeId id, uint64_t op, const Address& peer) {
    Call(id, [&](Membership* m, Effects* effects) { m->Join(now(), op, peer, effects); });
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
    for (const Send& send : effects.sends) {
      // Our own link is dialled at the address that our state has for the peer.
      if (!send.response) {
        const Member* member = node.state().Find(send.to);
        EXPECT_NE(member, nullptr) << "a request to a node whose address is not known";
        if (member == nullptr || !nodes_.contains(send.to)) continue;
        if (nodes_.at(send.to).options.self.bus_port != member->bus_port) continue;
      }
      Post({id, send.to, std::string(effects.FrameOf(send))});
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

std::string ErrorOf(Cluster& cluster, NodeId id, uint64_t op) {
  const auto at = cluster[id].answers.find(op);
  if (at == cluster[id].answers.end()) return "no answer";
  const Status* status = std::get_if<Status>(&at->second.result);
  return status != nullptr ? status->message : "no error";
}

// Three nodes in one ring, seeded by all three.
void MakeThree(Cluster& cluster) {
  for (NodeId id = 1; id <= 3; ++id) cluster.Add(id, {1, 2, 3});
  for (NodeId id = 1; id <= 3; ++id) cluster.Boot(id);
  cluster.Run(10'000);
  ASSERT_TRUE(cluster.OneRing({1, 2, 3}));
}

// --- start ---

TEST(MembershipStart, WithoutSeedsANodeMakesARingOfOneAtOnce) {
  Cluster cluster;
  cluster.Add(1, {});
  cluster.Boot(1);
  EXPECT_TRUE(cluster.OneRing({1}));
  EXPECT_TRUE(cluster[1].Logged("made a ring of one"));
}

TEST(MembershipStart, AloneInItsListANodeMakesARingOfOneAtOnce) {
  Cluster cluster;
  cluster.Add(1, {1});
  cluster.Boot(1);
  EXPECT_TRUE(cluster.OneRing({1}));
}

TEST(MembershipStart, ASeedThatIsTheNodeUnderAnotherNameIsRecognised) {
  Cluster cluster;
  Cluster::Node& node = cluster.Add(1, {});
  node.options.seeds = {{"localhost", 17001}};
  node.aliases = node.options.seeds;
  cluster.Boot(1);
  EXPECT_FALSE(cluster[1].membership->ready());
  cluster.Run(1'000);
  EXPECT_TRUE(cluster.OneRing({1}));
}

TEST(MembershipStart, ThreeAtOnceMakeOneRing) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Cluster cluster(seed);
    cluster.SetLossPercent(seed % 4 * 10);
    MakeThree(cluster);
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed;
    EXPECT_EQ(cluster[1].state().history.back().proposer, 1U);  // the first seed made it
  }
}

TEST(MembershipStart, ThreeAtOnceAreThereWithinASecond) {
  Cluster cluster;
  for (NodeId id = 1; id <= 3; ++id) cluster.Add(id, {1, 2, 3});
  for (NodeId id = 1; id <= 3; ++id) cluster.Boot(id);
  cluster.Run(1'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
}

TEST(MembershipStart, InAnyOrderTheyMakeOneRing) {
  std::vector<NodeId> order = {1, 2, 3};
  do {
    Cluster cluster;
    for (NodeId id = 1; id <= 3; ++id) cluster.Add(id, {1, 2, 3});
    for (const NodeId id : order) {
      cluster.Boot(id);
      cluster.Run(4'000);
    }
    cluster.Run(5'000);
    EXPECT_TRUE(cluster.OneRing({1, 2, 3})) << order[0] << order[1] << order[2];
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(MembershipStart, WhileTheFirstSeedIsDownTheOthersWaitAndSayForWhom) {
  Cluster cluster;
  for (NodeId id = 1; id <= 3; ++id) cluster.Add(id, {1, 2, 3});
  cluster.Boot(2);
  cluster.Boot(3);
  cluster.Run(60'000);
  for (const NodeId id : {2, 3}) {
    EXPECT_FALSE(cluster[id].membership->ready());
    EXPECT_TRUE(cluster[id].Logged("waiting for a ring: 10.0.0.1:17001 (no answer)"));
    EXPECT_LE(cluster[id].Count("waiting"), 6);
  }
  cluster.Boot(1);
  cluster.Run(5'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
}

TEST(MembershipStart, TheFirstWaitsUntilAllOthersHaveAnswered) {
  Cluster cluster;
  for (NodeId id = 1; id <= 3; ++id) cluster.Add(id, {1, 2, 3});
  cluster.Boot(1);
  cluster.Boot(2);
  cluster.Run(30'000);
  EXPECT_FALSE(cluster[1].membership->ready());
  cluster.Boot(3);
  cluster.Run(5'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
}

TEST(MembershipStart, EachFirstInItsOwnListTheyStillMakeOneRing) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Cluster cluster(seed);
    cluster.Add(1, {1, 2, 3});
    cluster.Add(2, {2, 3, 1});
    cluster.Add(3, {3, 1, 2});
    for (NodeId id = 1; id <= 3; ++id) cluster.Boot(id);
    cluster.Run(20'000);
    EXPECT_TRUE(cluster.OneRing({1, 2, 3})) << "seed " << seed;
  }
}

TEST(MembershipStart, BootstrapMakesARingWhateverTheSeedsSay) {
  Cluster cluster;
  cluster.Add(2, {1, 2}).options.bootstrap = true;
  cluster.Boot(2);
  EXPECT_TRUE(cluster.OneRing({2}));
}

TEST(MembershipStart, AManyAtOnceAreAllTaken) {
  Cluster cluster(3);
  cluster.SetLossPercent(10);
  std::vector<NodeId> ids;
  for (NodeId id = 1; id <= 8; ++id) {
    cluster.Add(id, {1, 2});
    ids.push_back(id);
  }
  for (const NodeId id : ids) cluster.Boot(id);
  cluster.Run(30'000);
  EXPECT_TRUE(cluster.OneRing(ids));
  EXPECT_EQ(cluster[1].state().epoch, 8U);  // one change each, none twice
}

TEST(MembershipStart, SettingsGivenAndDifferentEndTheStart) {
  Cluster cluster;
  cluster.Add(1, {});
  cluster.Boot(1);
  Cluster::Node& other = cluster.Add(2, {1});
  other.options.settings.partitions = 64;
  other.options.partitions_given = true;
  cluster.Boot(2);
  cluster.Run(2'000);
  ASSERT_TRUE(cluster[2].stopped.has_value());
  EXPECT_NE(cluster[2].stopped->find("partitions is 64 here and 256 in the ring"),
            std::string::npos);
  EXPECT_EQ(cluster[1].state().members.size(), 1U);
}

TEST(MembershipStart, AQuorumGivenAndDifferentIsALogLine) {
  Cluster cluster;
  cluster.Add(1, {});
  cluster.Boot(1);
  Cluster::Node& other = cluster.Add(2, {1});
  other.options.settings.w = 3;
  other.options.quorum_given = true;
  cluster.Boot(2);
  cluster.Run(2'000);
  EXPECT_TRUE(cluster.OneRing({1, 2}));
  EXPECT_EQ(cluster[2].Count("the ring's n=3 r=2 w=2 hold"), 1);
  EXPECT_EQ(cluster[2].state().settings.w, 2);
}

TEST(MembershipStart, JoiningARingWithDataSaysHowItIsFilled) {
  Cluster cluster;
  cluster.Add(1, {}).has_data = true;
  cluster.Boot(1);
  cluster.Add(2, {1});
  cluster.Boot(2);
  cluster.Run(2'000);
  EXPECT_TRUE(cluster.OneRing({1, 2}));
  EXPECT_TRUE(cluster[2].Logged("read repair only"));
}

// --- restarts ---

TEST(MembershipRestart, AMemberComesBackToItsRing) {
  Cluster cluster;
  MakeThree(cluster);
  const uint64_t ring = cluster[1].state().ring_id;
  for (NodeId id = 1; id <= 3; ++id) cluster.Crash(id);
  cluster.Run(1'000);
  cluster.Boot(2);
  EXPECT_TRUE(cluster[2].membership->ready());  // without asking anybody
  cluster.Boot(1);
  cluster.Boot(3);
  cluster.Run(5'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
  EXPECT_EQ(cluster[1].state().ring_id, ring);
  EXPECT_EQ(cluster[1].state().epoch, 3U);
}

TEST(MembershipRestart, ANewAddressIsToldToTheRing) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Crash(3);
  cluster.Run(1'000);
  cluster[3].options.self.bus_port = 18003;
  cluster[3].options.self.zone = "b";
  cluster.Boot(3);
  cluster.Run(5'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
  EXPECT_EQ(cluster[1].state().Find(3)->bus_port, 18003);
  EXPECT_EQ(cluster[1].state().Find(3)->zone, "b");
}

TEST(MembershipRestart, AJoinerThatCrashedBeforeItKnewIsFoundByItsRing) {
  for (int64_t after_ms = 0; after_ms < 40; after_ms += 2) {
    Cluster cluster;
    cluster.Add(1, {});
    cluster.Boot(1);
    cluster.Add(2, {1});
    cluster.Boot(2);
    cluster.Run(after_ms);
    cluster.Crash(2);
    cluster.Run(500);
    cluster.Boot(2);
    cluster.Run(5'000);
    EXPECT_TRUE(cluster.OneRing({1, 2})) << after_ms;
    EXPECT_EQ(cluster[1].state().epoch, 2U);
  }
}

TEST(MembershipRestart, DamagedDurableStateIsAnError) {
  Cluster cluster;
  MakeThree(cluster);
  const std::string& disk = cluster[1].disk;
  Random random(1);
  HybridClock clock;
  for (size_t length = 1; length < disk.size(); ++length) {
    Membership membership(cluster[1].options, &random, &clock);
    EXPECT_FALSE(membership.Restore(disk.substr(0, length)).has_value()) << length;
  }
}

TEST(MembershipRestart, ANodeThatWasRemovedStopsAndDoesNotStartAgain) {
  Cluster cluster;
  MakeThree(cluster);
  ClusterState without = cluster[1].state();
  without.epoch += 1;
  without.members.pop_back();
  for (NodeId& owner : without.owners) owner = owner == 3 ? 1 : owner;
  std::string bytes;
  EncodeState(without, &bytes);
  const std::string frame = EncodeControl(StatePush{false, false, false, bytes});
  cluster.Call(3, [&](Membership* m, Effects* effects) {
    m->Receive(cluster.now(), 1, FrameReader(frame).fields(), effects);
  });
  ASSERT_TRUE(cluster[3].stopped.has_value());
  EXPECT_NE(cluster[3].stopped->find("was removed"), std::string::npos);
  EXPECT_FALSE(cluster[3].membership->ready());
  Random random(1);
  HybridClock clock;
  Membership again(cluster[3].options, &random, &clock);
  EXPECT_FALSE(again.Restore(cluster[3].disk).has_value());
}

TEST(MembershipRestart, AFreshNodeAtAMembersAddressIsToldToReplaceIt) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Crash(3);
  Cluster::Node& wiped = cluster.Add(4, {1, 2});
  wiped.options.self.bus_port = Cluster::AddressOf(3).port;
  cluster.Boot(4);
  cluster.Run(25'000);
  EXPECT_FALSE(cluster[4].membership->ready());
  EXPECT_TRUE(cluster[4].Logged("DYN.REPLACE"));
  EXPECT_LE(cluster[4].Count("DYN.REPLACE"), 3);
  EXPECT_EQ(cluster[1].state().members.size(), 3U);
}

// --- rings that meet ---

TEST(MembershipMeeting, OfTwoEmptyRingsOfOneTheLargerIdYields) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed);
    cluster.Add(1, {});
    cluster.Add(2, {1}).options.bootstrap = true;
    cluster.Boot(1);
    cluster.Boot(2);
    const uint64_t smaller = std::min(cluster[1].state().ring_id, cluster[2].state().ring_id);
    cluster.Run(10'000);
    EXPECT_TRUE(cluster.OneRing({1, 2})) << seed;
    EXPECT_EQ(cluster[1].state().ring_id, smaller);
  }
}

TEST(MembershipMeeting, AnEmptyRingOfOneJoinsTheRingThatHoldsData) {
  for (const NodeId full : {1, 2}) {
    Cluster cluster;
    cluster.Add(1, {});
    cluster.Add(2, {1}).options.bootstrap = true;
    cluster[full].has_data = true;
    cluster.Boot(1);
    cluster.Boot(2);
    const uint64_t kept = cluster[full].state().ring_id;
    cluster.Run(10'000);
    EXPECT_TRUE(cluster.OneRing({1, 2}));
    EXPECT_EQ(cluster[1].state().ring_id, kept);
  }
}

TEST(MembershipMeeting, RingsThatBothHoldDataNeverMixAndSaySo) {
  Cluster cluster;
  cluster.Add(1, {}).has_data = true;
  Cluster::Node& other = cluster.Add(2, {1});
  other.options.bootstrap = true;
  other.has_data = true;
  cluster.Boot(1);
  cluster.Boot(2);
  cluster.Run(30'000);
  EXPECT_TRUE(cluster.OneRing({1}));
  EXPECT_TRUE(cluster.OneRing({2}));
  EXPECT_EQ(cluster[2].Count("not mixed"), 1);
}

TEST(MembershipMeeting, ANodeThatCrashesWhileItYieldsIsTakenLater) {
  for (int64_t after_ms = 0; after_ms < 1'500; after_ms += 50) {
    Cluster cluster;
    cluster.Add(1, {}).has_data = true;
    cluster.Add(2, {1}).options.bootstrap = true;
    cluster.Boot(1);
    cluster.Boot(2);
    cluster.Run(after_ms);
    cluster.Crash(2);
    cluster.Run(1'000);
    cluster[2].options.bootstrap = false;
    cluster.Boot(2);
    cluster.Run(10'000);
    EXPECT_TRUE(cluster.OneRing({1, 2})) << after_ms;
  }
}

// --- DYN.JOIN ---

TEST(MembershipJoin, AnEmptyRingOfOneJoinsAndIsAnswered) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed);
    cluster.Add(1, {});
    cluster.Add(2, {});
    cluster.Boot(1);
    cluster.Boot(2);
    cluster.Join(2, 7, Cluster::AddressOf(1));
    cluster.Run(1'100);
    EXPECT_TRUE(AnsweredWith<Done>(cluster, 2, 7)) << ErrorOf(cluster, 2, 7);
    EXPECT_TRUE(cluster.OneRing({1, 2}));
  }
}

TEST(MembershipJoin, ManyAtOnceThroughDifferentMembersAllCome) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Cluster cluster(seed);
    MakeThree(cluster);
    for (NodeId id = 4; id <= 8; ++id) {
      cluster.Add(id, {});
      cluster.Boot(id);
    }
    for (NodeId id = 4; id <= 8; ++id) cluster.Join(id, 1, Cluster::AddressOf(1 + id % 3));
    cluster.Run(10'000);
    EXPECT_TRUE(cluster.OneRing({1, 2, 3, 4, 5, 6, 7, 8})) << seed;
    EXPECT_EQ(cluster[1].state().epoch, 8U);
  }
}

TEST(MembershipJoin, TwoThatJoinEachOtherEndInOneRing) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed);
    cluster.Add(1, {2});
    cluster.Add(2, {1});
    for (const NodeId id : {1, 2}) {
      cluster[id].options.bootstrap = true;
      cluster.Boot(id);
    }
    cluster.Join(1, 1, Cluster::AddressOf(2));
    cluster.Join(2, 1, Cluster::AddressOf(1));
    cluster.Run(20'000);
    // Both give their ring up for the other's; one of them must come back with a new one.
    EXPECT_EQ(cluster[1].answers.size() + cluster[2].answers.size(), 2U);
    EXPECT_TRUE(cluster.OneRing({1, 2})) << seed;
  }
}

TEST(MembershipJoin, IsRefusedWithAReason) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Join(1, 1, Cluster::AddressOf(2));
  EXPECT_NE(ErrorOf(cluster, 1, 1).find("ring of 3 already"), std::string::npos);

  cluster.Add(4, {}).has_data = true;
  cluster.Boot(4);
  cluster.Join(4, 1, Cluster::AddressOf(1));
  EXPECT_NE(ErrorOf(cluster, 4, 1).find("holds data"), std::string::npos);

  Cluster::Node& other = cluster.Add(5, {});
  other.options.settings.partitioner = Partitioner::kMd5;
  other.options.partitioner_given = true;
  cluster.Boot(5);
  cluster.Join(5, 1, Cluster::AddressOf(1));
  cluster.Join(5, 2, Cluster::AddressOf(1));
  EXPECT_NE(ErrorOf(cluster, 5, 2).find("under way"), std::string::npos);
  cluster.Run(500);
  EXPECT_NE(ErrorOf(cluster, 5, 1).find("partitioner is md5 here and slot"), std::string::npos);
  cluster.Join(5, 3, Cluster::AddressOf(5));
  cluster.Run(500);
  EXPECT_NE(ErrorOf(cluster, 5, 3).find("this node itself"), std::string::npos);
  cluster.Join(5, 4, Cluster::AddressOf(99));
  cluster.Run(1'000);
  EXPECT_NE(ErrorOf(cluster, 5, 4).find("10.0.0.1:17099"), std::string::npos);
  EXPECT_TRUE(cluster.OneRing({5}));  // it kept its own

  cluster.Crash(3);
  Cluster::Node& wiped = cluster.Add(6, {});
  wiped.options.self.bus_port = Cluster::AddressOf(3).port;
  cluster.Boot(6);
  cluster.Join(6, 1, Cluster::AddressOf(1));
  cluster.Run(500);
  EXPECT_NE(ErrorOf(cluster, 6, 1).find("DYN.REPLACE"), std::string::npos);
  EXPECT_TRUE(cluster.OneRing({6}));
}

// --- FLUSH ---

TEST(MembershipFlush, IsAnsweredWhenAllKnowIt) {
  Cluster cluster;
  MakeThree(cluster);
  const uint64_t before = cluster[2].clock->last();
  cluster.Flush(1, 5, 3);
  cluster.Run(100);
  ASSERT_TRUE(AnsweredWith<Done>(cluster, 1, 5));
  for (NodeId id = 1; id <= 3; ++id) {
    const uint64_t time = cluster[id].state().FlushedBefore(3);
    EXPECT_GT(time, before);
    EXPECT_GT(cluster[id].clock->last(), time);
    EXPECT_EQ(cluster[id].state().FlushedBefore(0), 0U);
  }
}

TEST(MembershipFlush, WhoWasAwayLearnsOfItOnReturn) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Crash(3);
  for (const NodeId id : {1, 2}) {
    cluster.Call(id, [](Membership* m, Effects*) { m->SetAlive(3, false); });
  }
  cluster.Flush(2, 5, std::nullopt);
  cluster.Run(100);
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 2, 5));
  cluster.Run(10'000);
  cluster.Boot(3);
  EXPECT_EQ(cluster[3].state().FlushedBefore(0), 0U);
  cluster.Run(3'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
  EXPECT_GT(cluster[3].state().FlushedBefore(0), 0U);
  EXPECT_GT(cluster[3].clock->last(), cluster[3].state().FlushedBefore(0));
}

TEST(MembershipFlush, AMemberThatIsSilentDelaysTheAnswerNoLongerThanAReplicaMay) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Crash(3);
  cluster.Flush(1, 5, std::nullopt);
  cluster.Run(400);
  EXPECT_FALSE(cluster[1].answers.contains(5));
  cluster.Run(200);
  EXPECT_TRUE(AnsweredWith<Done>(cluster, 1, 5));
}

TEST(MembershipFlush, WithoutAMajorityThereIsNoQuorum) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Cut(1, 2);
  cluster.Cut(1, 3);
  cluster.Flush(1, 5, std::nullopt);
  cluster.Run(1'100);
  ASSERT_TRUE(AnsweredWith<NoQuorum>(cluster, 1, 5));
  const NoQuorum& answer = std::get<NoQuorum>(cluster[1].answers[5].result);
  EXPECT_EQ(answer.needed, 2);
  EXPECT_EQ(answer.answered, 1);
  cluster.Heal();
  cluster.Run(5'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
}

TEST(MembershipFlush, ManyAtOnceThroughAllNodesAreAllDecided) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed);
    MakeThree(cluster);
    cluster.SetLossPercent(seed % 2 * 10);
    for (NodeId id = 1; id <= 3; ++id) cluster.Flush(id, 5, static_cast<uint32_t>(id));
    cluster.Run(10'000);
    EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
    for (NodeId id = 1; id <= 3; ++id) {
      ASSERT_TRUE(cluster[id].answers.contains(5));
      if (!AnsweredWith<Done>(cluster, id, 5)) continue;
      EXPECT_GT(cluster[1].state().FlushedBefore(static_cast<uint32_t>(id)), 0U) << seed;
    }
  }
}

TEST(MembershipFlush, AClockFarAheadDoesNotFlushTheFuture) {
  Cluster cluster;
  MakeThree(cluster);
  cluster[2].clock->TickAbove(HybridClock::FromWall(kWallBase * 2), 0);
  cluster.Flush(1, 5, std::nullopt);
  cluster.Run(1'000);
  ASSERT_TRUE(AnsweredWith<Done>(cluster, 1, 5));
  EXPECT_LE(HybridClock::ToWall(cluster[1].state().FlushedBefore(0)),
            cluster.now().wall_ms + cluster[1].options.max_clock_skew_ms);
}

// --- all of it at once ---

TEST(MembershipChaos, CrashesCutsLossAndChangesLeaveOneRing) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Cluster cluster(seed);
    Random random(seed * 77);
    const std::vector<NodeId> ids = {1, 2, 3, 4, 5};
    for (const NodeId id : ids) cluster.Add(id, {1, 2});
    for (const NodeId id : ids) cluster.Boot(id);
    cluster.SetLossPercent(random.Below(20));
    uint64_t operation = 1;
    for (int turn = 0; turn < 120; ++turn) {
      const NodeId id = 1 + random.Below(ids.size());
      Cluster::Node& node = cluster[id];
      switch (random.Below(6)) {
        case 0:
          if (node.up) cluster.Crash(id);
          break;
        case 1:
          if (!node.up) node.options.self.zone = std::to_string(random.Below(3));
          [[fallthrough]];
        case 2:
          if (!node.up) cluster.Boot(id);
          break;
        case 3: cluster.Cut(id, 1 + random.Below(ids.size())); break;
        case 4: cluster.Heal(); break;
        case 5:
          if (node.up) cluster.Flush(id, operation++, static_cast<uint32_t>(random.Below(4)));
          break;
      }
      cluster.Run(static_cast<int64_t>(random.Below(1000)));
      ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed;
    }
    cluster.Heal();
    cluster.SetLossPercent(0);
    for (const NodeId id : ids) {
      if (!cluster[id].up) cluster.Boot(id);
    }
    cluster.Run(20'000);
    ASSERT_TRUE(cluster.OneRing(ids)) << "seed " << seed;
    for (const NodeId id : ids) {
      EXPECT_EQ(cluster[1].state().Find(id)->zone, cluster[id].options.self.zone);
    }
  }
}

// --- spreading ---

TEST(MembershipGossip, WhoIsBehindAsksWhenADataMessageSaysSo) {
  Cluster cluster;
  MakeThree(cluster);
  cluster.Cut(1, 3);
  cluster.Cut(2, 3);
  cluster.Flush(1, 5, 0);
  cluster.Run(2'000);
  ASSERT_LT(cluster[3].state().epoch, cluster[1].state().epoch);
  cluster.Heal();
  const uint64_t epoch = cluster[1].state().epoch;
  cluster.Call(
      3, [&](Membership* m, Effects* effects) { m->SawEpoch(cluster.now(), 1, epoch, effects); });
  cluster.Run(20);
  EXPECT_EQ(cluster[3].state().epoch, epoch);
}

TEST(MembershipGossip, WhoIsAheadPushesButNotForEveryMessage) {
  Cluster cluster;
  MakeThree(cluster);
  int pushes = 0;
  for (int i = 0; i < 50; ++i) {
    cluster.Call(1, [&](Membership* m, Effects* effects) {
      m->SawEpoch(cluster.now(), 2, 1, effects);
      pushes += static_cast<int>(effects->sends.size());
    });
  }
  EXPECT_EQ(pushes, 1);
}

TEST(MembershipGossip, HostileFramesAreIgnored) {
  Cluster cluster;
  MakeThree(cluster);
  Random random(4);
  const std::string good = EncodeControl(Promise{1, 2, {3, 4}, true, {5, 6}, {7, 8}, 9, "value"});
  for (int i = 0; i < 20'000; ++i) {
    const FrameReader reader(good);
    std::string head(reader.fields()[0]);
    head[0] = static_cast<char>(30 + random.Below(12));
    head.resize(random.Below(head.size() + 1));
    for (char& byte : head) {
      if (&byte != head.data() && random.Chance(1, 4)) byte = static_cast<char>(random.Next());
    }
    const std::vector<std::string_view> fields = {head, "abc"};
    cluster.Call(1, [&](Membership* m, Effects* effects) {
      m->Receive(cluster.now(), 2 + random.Below(3), fields, effects);
      effects->ClearSends();
      effects->sends_to_address.clear();
    });
  }
  cluster.Run(5'000);
  EXPECT_TRUE(cluster.OneRing({1, 2, 3}));
}

}  // namespace
}  // namespace cartwheel
