// Reads of a ring in motion of which members were removed, so that fewer than R serve a key.
#include <gtest/gtest.h>

#include "tests/unit/cluster/frame_reader.h"
#include "tests/unit/cluster/lone_coordinator.h"

namespace cartwheel {
namespace {

constexpr Author kAuthor{1, 0};

class CoordinatorMotionReadTest : public LoneCoordinator {
 protected:
  CoordinatorMotionReadTest() : LoneCoordinator(1) {}

  void SetUp() override {
    // Two join three, of whom two die: node 1 alone serves, and all are to.
    const ClusterState joining =
        *WithMember(*WithMember(RingOf(3), MemberOf(4), 0, kAuthor), MemberOf(5), 0, kAuthor);
    Know(*WithRemoved(joining, std::vector<NodeId>{2, 3}, kAuthor));
    const uint16_t slot = PositionOf(0, "key", Partitioner::kSlot).slot;
    ASSERT_EQ(context_.ring->Replicas(slot).size(), 1U);
    ASSERT_EQ(context_.ring->OtherReplicas(slot).size(), 3U);
  }

  template <typename Work>
  void Call(Work work) {
    Effects effects;
    work(Turn{{1000, 1000}, &effects});
    for (Answer& answer : effects.answers) answer_ = std::move(answer);
    for (const Send& send : effects.outbox.sends) {
      const FrameReader reader(effects.outbox.FrameOf(send));
      ReadRequest read;
      if (FrameType(reader.fields()) != ReadRequest::kType) continue;
      ASSERT_TRUE(Decode(reader.fields(), &read));
      EXPECT_TRUE(read.fallback);
      asked_.emplace_back(send.to, read.request);
    }
  }
  void Get() {
    ReadOperation read;
    read.key = {0, "key"};
    Call([&](const Turn& turn) { coordinator_.Start(turn, 1, std::move(read)); });
  }
  void Respond(const ReadResponse& response) {
    ASSERT_EQ(asked_.size(), 1U);
    Call([&](const Turn& turn) {
      coordinator_.OnReadResponse(turn, asked_.front().first, response);
    });
  }

  std::vector<std::pair<NodeId, uint64_t>> asked_;
  std::optional<Answer> answer_;
};

TEST_F(CoordinatorMotionReadTest, WhatWasWrittenSinceIsReadWhereItIsToServe) {
  Get();
  EXPECT_FALSE(answer_) << "that is one copy";
  ASSERT_EQ(asked_.size(), 1U);
  EXPECT_TRUE(asked_.front().first == 4 || asked_.front().first == 5);

  // The only copy that serves was damaged, and is not there any more.
  Object object;
  object.context.Add({{4, 1}, 1});
  object.siblings.emplace_back().dot = {{4, 1}, 1};
  object.siblings.back().operation = 1;
  std::string bytes;
  EncodeObject(object, &bytes);
  Respond({.request = asked_.front().second,
           .status = ReadStatus::kObject,
           .behind = false,
           .placement = context_.placement(),
           .object = bytes});
  ASSERT_TRUE(answer_);
  EXPECT_EQ(std::get<ReadAnswer>(answer_->result).object.siblings.size(), 1U);
}

TEST_F(CoordinatorMotionReadTest, WhoHasFetchedNothingYetIsEnough) {
  Get();
  Respond({.request = asked_.front().second,
           .status = ReadStatus::kNothing,
           .behind = false,
           .placement = context_.placement(),
           .object = {}});
  ASSERT_TRUE(answer_);
  EXPECT_TRUE(std::get<ReadAnswer>(answer_->result).object.siblings.empty());
  EXPECT_EQ(context_.counters.sloppy_reads, 0U);
}

}  // namespace
}  // namespace cartwheel
