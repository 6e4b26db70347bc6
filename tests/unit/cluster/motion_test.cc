// One node's Motion, which hears nothing but what the test says: when it reports, when it takes a
// phase for over, and when it proposes that.
#include "cluster/motion.h"

#include <gtest/gtest.h>

#include "storage/memory/memory_engine.h"
#include "tests/unit/cluster/frame_reader.h"
#include "tests/unit/cluster/ring_states.h"

namespace cartwheel {
namespace {

constexpr Author kAuthor{1, 0};

// All of `first` nodes hold all; then so many join, who are to hold all as well.
ClusterState Joining(NodeId first, NodeId joiners) {
  ClusterSettings settings;
  settings.n = 5;
  ClusterState state = RingOf(first, settings);
  for (NodeId id = first + 1; id <= first + joiners; ++id) {
    state = *WithMember(state, MemberOf(id), 0, kAuthor);
  }
  return state;
}
ClusterState NextPhase(const ClusterState& state) {
  return *WithNextPhase(state, state.placement_version, kAuthor);
}

class MotionNode {
 public:
  MotionNode(NodeId self, const ClusterState& state) : context_(OptionsOf(self), &engine_, {0, 0}) {
    Adopt(state);
  }

  void Adopt(const ClusterState& state) {
    const uint64_t before = membership_.state().placement_version;
    std::string bytes;
    EncodeState(state, &bytes);
    const std::string frame = EncodeControl(StatePush{false, false, bytes});
    Call([&](const Turn& turn) {
      membership_.Receive(turn.now, 99, FrameReader(frame).fields(), turn.effects);
      context_.state = &membership_.state();
      context_.ring.emplace(*context_.state);
      context_.liveness.SetMembers(context_.state->members, now_ms_ * 1000);
      transfer_.OnPlacementChanged(turn, before);
      motion_.OnPlacementChanged(turn);
    });
    ASSERT_EQ(membership_.state(), state);
    proposals = 0;
    reports.clear();
  }
  void HearFrom(NodeId node, uint64_t placement) {
    Call([&](const Turn& turn) {
      motion_.OnReport(turn, node, {.epoch = 1, .placement = placement});
    });
  }
  void HearFrom(NodeId node) { HearFrom(node, context_.placement()); }
  void Run(int64_t ms) {
    for (const int64_t end_ms = now_ms_ + ms; now_ms_ < end_ms; now_ms_ += 10) {
      Call([&](const Turn& turn) {
        transfer_.Tick(turn);
        if (motion_.NextDeadline() <= turn.now.mono_us) motion_.Tick(turn);
      });
      AnswerTransfers();
    }
  }

  NodeContext& context() { return context_; }
  MemoryEngine& engine() { return engine_; }
  std::vector<NodeId> WaitsFor() const { return motion_.WaitsFor(); }
  bool Rests() const { return motion_.NextDeadline() == INT64_MAX; }

  bool sources_answer = false;  // that they have nothing
  int proposals = 0;            // of a change of the state
  std::vector<NodeId> reports;  // who was told that this node's part is done

 private:
  static NodeOptions OptionsOf(NodeId self) {
    NodeOptions options;
    options.id = self;
    options.self = MemberOf(self);
    return options;
  }

  template <typename Work>
  void Call(Work work) {
    Effects effects;
    work(Turn{{now_ms_ * 1000, now_ms_}, &effects});
    bool proposed = false;
    for (const Send& send : effects.outbox.sends) {
      const FrameReader reader(effects.outbox.FrameOf(send));
      const uint8_t type = FrameType(reader.fields());
      TransferRequest asked;
      if (type == Prepare::kType) proposed = true;
      if (type == MotionReport::kType) reports.push_back(send.to);
      if (type == TransferRequest::kType && Decode(reader.fields(), &asked)) {
        asked_.push_back({send.to, asked.request});
      }
    }
    proposals += proposed ? 1 : 0;
  }
  void AnswerTransfers() {
    if (!sources_answer) return;
    for (const auto& [source, request] : std::exchange(asked_, {})) {
      Call([&, from = source, id = request](const Turn& turn) {
        transfer_.OnResponse(
            turn, from,
            {.request = id, .status = TransferStatus::kGiven, .next = {}, .objects = {}});
      });
    }
    if (!asked_.empty()) AnswerTransfers();
  }

  int64_t now_ms_ = 1000;
  MemoryEngine engine_;
  NodeContext context_;
  Membership membership_{context_.options, &context_.random, &context_.clock};
  Transfer transfer_{&context_};
  Coordinator coordinator_{&context_};
  Motion motion_{&context_, &membership_, &transfer_, &coordinator_};
  std::vector<std::pair<NodeId, uint64_t>> asked_;
};

TEST(MotionTest, FetchingEndsOnceEveryGainerHasReported) {
  MotionNode node(1, Joining(3, 2));
  EXPECT_EQ(node.WaitsFor(), (std::vector<NodeId>{4, 5}));
  node.HearFrom(4);
  node.HearFrom(4);
  node.Run(5'000);
  EXPECT_EQ(node.WaitsFor(), std::vector<NodeId>{5});
  EXPECT_EQ(node.proposals, 0);
  node.HearFrom(5);
  node.Run(100);
  EXPECT_EQ(node.WaitsFor(), std::vector<NodeId>());
  EXPECT_EQ(node.proposals, 1);
  EXPECT_TRUE(node.reports.empty()) << "it gains nothing, and has nothing to say";
}

TEST(MotionTest, AReportOfAnotherPlacementCountsForNothing) {
  const ClusterState state = Joining(3, 1);
  MotionNode node(1, state);
  node.HearFrom(4, state.placement_version - 1);
  node.HearFrom(4, state.placement_version + 1);
  node.Run(1'000);
  EXPECT_EQ(node.proposals, 0);
}

TEST(MotionTest, AnotherPlacementBeginsAnew) {
  const ClusterState state = Joining(3, 1);
  MotionNode node(1, state);
  node.HearFrom(4);
  node.Adopt(*WithMember(state, MemberOf(5), 0, kAuthor));
  node.HearFrom(5);
  node.Run(1'000);
  EXPECT_EQ(node.WaitsFor(), std::vector<NodeId>{4});
  EXPECT_EQ(node.proposals, 0);
}

TEST(MotionTest, AGainerReportsWhenItHasAllAndAgainUntilThePhaseIsOver) {
  MotionNode node(4, Joining(3, 2));
  node.Run(3'000);
  EXPECT_TRUE(node.reports.empty());
  node.sources_answer = true;
  node.Run(2'000);
  const std::vector<NodeId> others = {1, 2, 3, 5};
  ASSERT_GE(node.reports.size(), 4U);
  EXPECT_EQ(std::vector<NodeId>(node.reports.begin(), node.reports.begin() + 4), others);
  const size_t before = node.reports.size();
  node.Run(3'000);
  EXPECT_GE(node.reports.size(), before + 8) << "whoever did not hear it hears it again";
  EXPECT_LE(node.reports.size(), before + 16) << "but not all the time";
  EXPECT_EQ(node.WaitsFor(), std::vector<NodeId>{5});
  EXPECT_EQ(node.proposals, 0);
  node.Adopt(Settled(Joining(3, 2)));
  node.Run(3'000);
  EXPECT_TRUE(node.reports.empty());
  EXPECT_TRUE(node.Rests());
}

TEST(MotionTest, TheFirstWhoLivesProposes) {
  for (const NodeId self : {1, 2, 3}) {
    MotionNode node(self, Joining(3, 1));
    node.HearFrom(4);
    node.Run((static_cast<int64_t>(self) - 1) * 300);
    EXPECT_EQ(node.proposals, 0) << "it is the turn of those before node " << self;
    node.Run(100);
    EXPECT_EQ(node.proposals, 1) << self;
  }
  MotionNode node(3, Joining(3, 1));
  node.context().liveness.Suspect(1);
  node.context().liveness.Suspect(2);
  node.HearFrom(4);
  node.Run(100);
  EXPECT_EQ(node.proposals, 1);
}

TEST(MotionTest, NobodyReportsToTheDead) {
  MotionNode node(4, Joining(3, 1));
  node.context().liveness.Suspect(2);
  node.sources_answer = true;
  node.Run(900);
  EXPECT_EQ(node.reports, (std::vector<NodeId>{1, 3}));
}

TEST(MotionTest, SwitchingNeedsSoManyOfWhoServedThatNoReadMissesThem) {
  MotionNode node(1, NextPhase(Joining(3, 2)));
  node.Run(1'000);
  EXPECT_FALSE(node.reports.empty()) << "it is one of them";
  EXPECT_EQ(node.proposals, 0);
  node.HearFrom(4);
  node.HearFrom(5);
  node.Run(1'000);
  EXPECT_EQ(node.proposals, 0) << "they did not serve";
  node.HearFrom(3);
  node.Run(100);
  EXPECT_EQ(node.proposals, 1) << "with R 2 two of three";
}

TEST(MotionTest, AtRestThereIsNothingToDo) {
  MotionNode node(1, RingOf(3));
  node.HearFrom(2);
  node.Run(3'000);
  EXPECT_TRUE(node.Rests());
  EXPECT_TRUE(node.reports.empty());
  EXPECT_EQ(node.proposals, 0);
  EXPECT_EQ(node.WaitsFor(), std::vector<NodeId>());
}

// --- departing ---

TEST(MotionTest, WhoLeavesDepartsWhenItHoldsNothingAndTheRingRests) {
  const ClusterState leaving = *WithLeaving(RingOf(4), 4, kAuthor);
  MotionNode node(4, leaving);
  node.Run(3'000);
  EXPECT_EQ(node.proposals, 0) << "the ring moves";

  Object object;
  PutInto(&object, {}, {.dot = {{1, 1}, 1}, .bytes = "v"});
  KeyRef key = node.context().Locate(0, "k");
  ASSERT_TRUE(node.context().replica.Merge(key, std::move(object), {0, 0}));
  node.Adopt(Settled(leaving));
  node.Run(3'000);
  EXPECT_EQ(node.proposals, 0) << "it holds a copy";
  ASSERT_TRUE(node.context().replica.Drop(key, node.context().replica.Head(key)->hash));
  node.Run(100);
  EXPECT_EQ(node.proposals, 1);
}

TEST(MotionTest, WhoStaysNeverDeparts) {
  MotionNode node(1, Settled(*WithLeaving(RingOf(4), 4, kAuthor)));
  node.Run(3'000);
  EXPECT_EQ(node.proposals, 0);
}

}  // namespace
}  // namespace cartwheel
