// Updates of a key whose first node changes: at node 4, which joins, while reads switch.
#include <gtest/gtest.h>

#include "tests/unit/cluster/frame_reader.h"
#include "tests/unit/cluster/lone_coordinator.h"

namespace cartwheel {
namespace {

constexpr Author kAuthor{1, 0};
constexpr NodeId kSelf = 4;

class CoordinatorHandoverTest : public LoneCoordinator {
 protected:
  CoordinatorHandoverTest() : LoneCoordinator(kSelf) {}

  struct Asked {
    NodeId node;
    uint64_t request;
  };

  void SetUp() override {
    const ClusterState fetches = *WithMember(RingOf(3), MemberOf(kSelf), 0, kAuthor);
    Know(*WithNextPhase(fetches, fetches.placement_version, kAuthor));
    TakeKey(0);  // this node is the first of it now
  }
  // A key that moves, and whose list has this node there.
  void TakeKey(size_t place) {
    while (context_.ring->PreferenceList(SlotOf(key_))[place] != kSelf ||
           context_.ring->OtherReplicas(SlotOf(key_)).empty()) {
      key_ = std::to_string(++number_);
    }
    before_ = context_.ring->OtherReplicas(SlotOf(key_)).front();
  }
  static uint16_t SlotOf(const std::string& key) {
    return PositionOf(0, key, Partitioner::kSlot).slot;
  }

  template <typename Work>
  void Call(int64_t now_us, Work work) {
    Effects effects;
    work(Turn{{now_us, 1000}, &effects});
    for (const Send& send : effects.outbox.sends) {
      const FrameReader reader(effects.outbox.FrameOf(send));
      UpdateRequest update;
      if (FrameType(reader.fields()) == UpdateRequest::kType) {
        ASSERT_TRUE(Decode(reader.fields(), &update));
        asked_.push_back({send.to, update.request});
      }
      UpdateResponse answer;
      if (FrameType(reader.fields()) == UpdateResponse::kType) {
        ASSERT_TRUE(Decode(reader.fields(), &answer));
        answers_.push_back(answer.status);
      }
      reads_ = reads_ || FrameType(reader.fields()) == ReadRequest::kType;
    }
  }
  void Increment() {
    UpdateOperation update;
    update.key = {0, key_};
    update.update.kind = UpdateKind::kIncrement;
    update.update.number = 1;
    Call(1000, [&](const Turn& turn) { coordinator_.Start(turn, 1, std::move(update)); });
  }
  // Another node passes one on to this one.
  void PassOn(NodeId from, uint64_t request) {
    Update update;
    update.kind = UpdateKind::kIncrement;
    update.number = 1;
    const UpdateRequest passed{.request = request,
                               .epoch = context_.epoch(),
                               .r = 2,
                               .w = 2,
                               .db = 0,
                               .stamp = {},
                               .update = std::move(update),
                               .key = key_};
    Call(1000, [&](const Turn& turn) { coordinator_.OnUpdateRequest(turn, from, passed); });
  }
  void Refuse(const Asked& asked) {
    UpdateResponse response;
    response.request = asked.request;
    response.status = UpdateStatus::kElsewhere;
    response.placement = context_.placement();
    Call(2000,
         [&](const Turn& turn) { coordinator_.OnUpdateResponse(turn, asked.node, response); });
  }

  std::string key_ = "0";
  int number_ = 0;
  NodeId before_ = 0;
  std::vector<Asked> asked_;
  std::vector<UpdateStatus> answers_;
  bool reads_ = false;
};

TEST_F(CoordinatorHandoverTest, TheFirstNodeOfBeforeIsAskedUntilItHasStopped) {
  Increment();
  ASSERT_EQ(asked_.size(), 1U);
  EXPECT_EQ(asked_[0].node, before_);
  EXPECT_FALSE(reads_);
}

TEST_F(CoordinatorHandoverTest, OnceItRefusesThisNodeActsAndAsksNobodyElse) {
  Increment();
  ASSERT_EQ(asked_.size(), 1U);
  Refuse(asked_[0]);
  EXPECT_TRUE(reads_);
  for (int64_t now_us = 10'000; now_us < 400'000; now_us += 10'000) {
    Call(now_us, [&](const Turn& turn) { coordinator_.Tick(turn); });
  }
  EXPECT_EQ(asked_.size(), 1U);
}

TEST_F(CoordinatorHandoverTest, WhoHasSaidThatItHasStoppedIsNotAsked) {
  context_.switched.push_back(before_);
  Increment();
  EXPECT_TRUE(asked_.empty());
  EXPECT_TRUE(reads_);
}

TEST_F(CoordinatorHandoverTest, ARefusalThatComesAgainIsNotTakenForOneOfNow) {
  Increment();
  Refuse(asked_[0]);
  Refuse(asked_[0]);
  EXPECT_EQ(asked_.size(), 1U);
}

// Who asks may take another node for the first, or know an older ring: two nodes would act at once.
TEST_F(CoordinatorHandoverTest, OnlyTheFirstNodeTakesAnUpdateOfAKeyThatMoves) {
  PassOn(1, 1);
  EXPECT_TRUE(answers_.empty());
  ASSERT_EQ(asked_.size(), 1U);
  EXPECT_EQ(asked_[0].node, before_);

  TakeKey(1);
  PassOn(1, 2);
  EXPECT_EQ(answers_, std::vector{UpdateStatus::kElsewhere});
  EXPECT_EQ(asked_.size(), 1U);
  EXPECT_FALSE(reads_);
}

}  // namespace
}  // namespace cartwheel
