// How many copies a write needs, at rest and in motion, at a coordinator that mints it itself and
// hears nothing but what the test says.
#include <gtest/gtest.h>

#include "tests/unit/cluster/frame_reader.h"
#include "tests/unit/cluster/lone_coordinator.h"

namespace cartwheel {
namespace {

constexpr Author kAuthor{1, 0};

class CoordinatorWriteTest : public LoneCoordinator {
 protected:
  CoordinatorWriteTest() : LoneCoordinator(1) {}

  // A fourth node joins, and takes the place of one of the three for some keys.
  void Join() { Know(*WithMember(RingOf(3), MemberOf(4), 0, kAuthor)); }

  template <typename Work>
  void Call(Work work) {
    Effects effects;
    work(Turn{{1000, 1000}, &effects});
    for (const Answer& answer : effects.answers) {
      done_ = done_ || std::holds_alternative<PutAnswer>(answer.result);
    }
    for (const Send& send : effects.outbox.sends) {
      const FrameReader reader(effects.outbox.FrameOf(send));
      MergeRequest merge;
      if (FrameType(reader.fields()) != MergeRequest::kType) continue;
      ASSERT_TRUE(Decode(reader.fields(), &merge));
      requests_[send.to] = merge.request;
    }
  }
  // With a context, so that it is minted here; node 1 stays a replica by either placement.
  void Put() {
    int i = 0;
    const auto moves = [&] {
      const uint16_t slot = PositionOf(0, std::to_string(i), Partitioner::kSlot).slot;
      const auto others = context_.ring->OtherReplicas(slot);
      return std::find(others.begin(), others.end(), NodeId{1}) != others.end();
    };
    while (context_.ring->in_motion() && !moves()) ++i;
    PutOperation put;
    put.key = {0, std::to_string(i)};
    put.context = CausalContext();
    slot_ = PositionOf(0, put.key.bytes, Partitioner::kSlot).slot;
    Call([&](const Turn& turn) { coordinator_.Start(turn, 1, std::move(put)); });
  }
  void Store(NodeId node, uint64_t placement = 0) {
    ASSERT_TRUE(requests_.contains(node)) << node;
    Call([&](const Turn& turn) {
      coordinator_.OnMergeResponse(
          turn, node, {.request = requests_[node], .stored = true, .placement = placement});
    });
  }
  // The one of nodes 2 and 3 that loses the key to node 4, and the one that keeps it.
  NodeId Loser() const { return Contains(context_.ring->OtherReplicas(slot_), 2) ? 3 : 2; }
  NodeId Keeper() const { return 5 - Loser(); }

  uint16_t slot_ = 0;
  bool done_ = false;
  std::map<NodeId, uint64_t> requests_;
};

TEST_F(CoordinatorWriteTest, AtRestWCopiesAreEnoughAndOneLessIsNot) {
  Know(RingOf(3));
  Put();
  EXPECT_FALSE(done_);
  Store(2);
  EXPECT_TRUE(done_);
}

TEST_F(CoordinatorWriteTest, InMotionItGoesToBothPlacementsAndNeedsWOfEach) {
  Join();
  Put();
  EXPECT_EQ(requests_.size(), 3U);
  Store(Loser());
  EXPECT_FALSE(done_) << "of the target only this node has it";
  Store(4);
  EXPECT_TRUE(done_);
}

TEST_F(CoordinatorWriteTest, InMotionTheGainerAloneIsNotEnough) {
  Join();
  Put();
  Store(4);
  EXPECT_FALSE(done_) << "of those who serve only this node has it";
  Store(Keeper());
  EXPECT_TRUE(done_);
}

TEST_F(CoordinatorWriteTest, WhoIsInBothCountsForBoth) {
  Join();
  Put();
  Store(Keeper());
  EXPECT_TRUE(done_);
}

TEST_F(CoordinatorWriteTest, AnAnswerOfALaterPlacementHoldsItUntilThatIsKnown) {
  const ClusterState settled = RingOf(3);
  const ClusterState moving = *WithMember(settled, MemberOf(4), 0, kAuthor);
  Know(moving);
  Put();  // finds a key that is going to move
  const NodeId loser = Loser();
  const NodeId keeper = Keeper();
  requests_.clear();
  done_ = false;

  Know(settled);
  PutOperation put;
  for (int i = 0;; ++i) {
    put.key = {0, std::to_string(i)};
    if (PositionOf(0, put.key.bytes, Partitioner::kSlot).slot == slot_) break;
  }
  put.context = CausalContext();
  Call([&](const Turn& turn) { coordinator_.Start(turn, 2, std::move(put)); });
  EXPECT_FALSE(requests_.contains(4));
  Store(loser, moving.placement_version);
  EXPECT_FALSE(done_) << "there are W, but not by the placement that node knows";
  Know(moving);
  Call([&](const Turn& turn) { coordinator_.OnPlacementChanged(turn); });
  EXPECT_FALSE(done_);
  EXPECT_TRUE(requests_.contains(4)) << "the gainer is given it";
  Store(keeper, moving.placement_version);
  EXPECT_TRUE(done_);
}

// What serves is a ring of one: its own copy alone would be acknowledged by both placements, and be
// met by no read of the two others.
TEST_F(CoordinatorWriteTest, AsARingGrowsTheTargetNeedsItsOwnW) {
  ClusterState state = *WithMember(RingOf(1), MemberOf(2), 0, kAuthor);
  Know(*WithMember(state, MemberOf(3), 0, kAuthor));
  Put();
  EXPECT_FALSE(done_);
  Store(3);
  EXPECT_TRUE(done_);
}

TEST_F(CoordinatorWriteTest, OneCopyIsNotTwoBecauseAJoinerIsSuspected) {
  Know(*WithMember(RingOf(1), MemberOf(2), 0, kAuthor));
  context_.liveness.Suspect(2);
  Put();
  EXPECT_FALSE(done_);
}

}  // namespace
}  // namespace cartwheel
