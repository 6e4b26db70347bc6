// Deadlines of operations in flight, at a coordinator that hears nothing but what the test says.
#include "cluster/coordinator.h"

#include <gtest/gtest.h>

#include "tests/unit/cluster/frame_reader.h"
#include "tests/unit/cluster/ring_of_three.h"

namespace cartwheel {
namespace {

constexpr int64_t kMs = 1000;

class CoordinatorTest : public testing::Test, public RingOfThree {
 protected:
  template <typename Work>
  void At(int64_t ms, Work work) {
    effects_.Clear();
    work(Turn{{ms * kMs, ms}, &effects_});
    for (Answer& answer : effects_.answers) answers_.push_back(std::move(answer));
    for (const Send& send : effects_.outbox.sends) {
      FrameReader reader(effects_.outbox.FrameOf(send));
      ReadRequest read;
      MintRequest mint;
      if (FrameType(reader.fields()) == ReadRequest::kType) {
        ASSERT_TRUE(Decode(reader.fields(), &read));
        asked_.push_back({send.to, read.request});
      } else if (FrameType(reader.fields()) == MintRequest::kType) {
        ASSERT_TRUE(Decode(reader.fields(), &mint));
        asked_.push_back({send.to, mint.request});
      }
    }
  }
  // One that has this node at that place of its preference list.
  Key KeyWhere(int place) const {
    int i = 0;
    const auto own_place = [&] {
      const Position position = PositionOf(0, std::to_string(i), Partitioner::kSlot);
      const auto list = context_.ring->PreferenceList(position.slot);
      return std::find(list.begin(), list.end(), NodeId{1}) - list.begin();
    };
    while (own_place() != place) ++i;
    return {0, std::to_string(i)};
  }
  // A SET of a key whose first two replicas are others.
  void Set(int64_t ms) {
    PutOperation put;
    put.key = KeyWhere(2);
    At(ms, [&](const Turn& turn) { coordinator_.Start(turn, 1, std::move(put)); });
  }
  void Refuse(int64_t ms) {
    At(ms, [&](const Turn& turn) {
      coordinator_.OnMintResponse(turn, asked_.back().first,
                                  MintResponse{.request = asked_.back().second,
                                               .status = MintStatus::kTooMany,
                                               .object = {},
                                               .error = "too many"});
    });
  }
  void Get(int64_t ms) {
    At(ms, [&](const Turn& turn) {
      coordinator_.Start(turn, 1, ReadOperation{.key = {0, "k"}, .r = 3});
    });
  }
  void Tick(int64_t ms) {
    At(ms, [&](const Turn& turn) { coordinator_.Tick(turn); });
  }
  void Lose(int64_t ms, NodeId peer) {
    At(ms, [&](const Turn& turn) { coordinator_.OnPeerLost(turn, peer); });
  }
  void Nothing(int64_t ms, NodeId from) {
    At(ms, [&](const Turn& turn) {
      coordinator_.OnReadResponse(turn, from,
                                  ReadResponse{.request = asked_.front().second,
                                               .status = ReadStatus::kNothing,
                                               .behind = false,
                                               .object = {}});
    });
  }
  void Value(int64_t ms, NodeId from) {
    Object object;
    Sibling sibling;
    sibling.dot = {{from, 1}, 1};
    sibling.bytes = "value";
    PutInto(&object, {}, sibling);
    std::string encoded;
    EncodeObject(object, &encoded);
    At(ms, [&](const Turn& turn) {
      coordinator_.OnReadResponse(turn, from,
                                  ReadResponse{.request = asked_.front().second,
                                               .status = ReadStatus::kObject,
                                               .behind = false,
                                               .object = encoded});
    });
  }
  bool Answered() const {
    return answers_.size() == 1 && std::holds_alternative<ReadAnswer>(answers_[0].result);
  }

  Coordinator coordinator_{&context_};
  Effects effects_;
  std::vector<Answer> answers_;
  std::vector<std::pair<NodeId, uint64_t>> asked_;  // and by which request
};

TEST_F(CoordinatorTest, ATimeoutThatIsSeenInTimeIsThePeersFault) {
  Get(1000);
  Tick(1020);
  Tick(1500);
  EXPECT_FALSE(context_.liveness.IsAlive(2));
  EXPECT_FALSE(context_.liveness.IsAlive(3));
  EXPECT_EQ(context_.counters.timeouts_widened, 0U);
}

TEST_F(CoordinatorTest, ALateTickGivesAnswersThatWereNotReadTheirTime) {
  Get(1000);
  Tick(1020);
  Tick(1700);  // was due at 1500: answers may wait in the sockets
  EXPECT_TRUE(context_.liveness.IsAlive(2));
  EXPECT_TRUE(context_.liveness.IsAlive(3));
  EXPECT_EQ(coordinator_.NextDeadline(), 1900 * kMs);
  Nothing(1701, 2);
  Nothing(1701, 3);
  EXPECT_TRUE(Answered());
  EXPECT_EQ(context_.counters.timeouts_widened, 1U);
}

TEST_F(CoordinatorTest, AReadDoesNotWaitForTheRepairOfItsOwnCopy) {
  Get(1000);
  Value(1001, 2);
  Nothing(1001, 3);
  ASSERT_TRUE(Answered());
  EXPECT_EQ(engine_.sequences().applied, 1U) << "it is repaired";
  EXPECT_EQ(answers_[0].after, 0U);
}

TEST_F(CoordinatorTest, TheSecondTimeNobodyIsForgiven) {
  Get(1000);
  Tick(1020);
  Tick(1600);
  Tick(1800);
  EXPECT_FALSE(context_.liveness.IsAlive(2));
  EXPECT_EQ(context_.counters.timeouts_widened, 1U);
}

TEST_F(CoordinatorTest, TheEndOfAnOperationIsNeverPutOff) {
  Get(1000);
  Tick(1020);
  Tick(1900);
  EXPECT_TRUE(answers_.empty());
  Tick(2000);
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<NoQuorum>(answers_[0].result));
}

TEST_F(CoordinatorTest, WhoseLinksWereLostIsAskedAgainAndNotBlamedTwice) {
  Get(1000);
  Tick(1020);
  ASSERT_EQ(asked_.size(), 2U);
  Lose(1100, 2);
  Lose(1100, 3);
  EXPECT_TRUE(answers_.empty());
  Tick(1500);
  ASSERT_EQ(asked_.size(), 4U);
  EXPECT_EQ(asked_[2], asked_[0]);
  EXPECT_EQ(asked_[3], asked_[1]);
  EXPECT_TRUE(context_.liveness.IsAlive(2));  // as it is again, by what else is heard
  Nothing(1510, 2);
  Nothing(1510, 3);
  EXPECT_TRUE(Answered());
}

TEST_F(CoordinatorTest, NobodyIsAskedAThirdTime) {
  Get(1000);
  Tick(1020);
  Lose(1100, 2);
  Lose(1100, 3);
  Tick(1500);
  Lose(1600, 2);
  Lose(1600, 3);
  EXPECT_EQ(asked_.size(), 4U);
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<NoQuorum>(answers_[0].result));
}

TEST_F(CoordinatorTest, ARefusalOfTheFirstThatIsAskedIsTheAnswer) {
  Set(1000);
  Refuse(1001);
  ASSERT_EQ(answers_.size(), 1U);
  ASSERT_TRUE(std::holds_alternative<Status>(answers_[0].result));
  EXPECT_EQ(std::get<Status>(answers_[0].result).code, ErrorCode::kTooMany);
}

TEST_F(CoordinatorTest, ARefusalAfterSomebodyMayHaveStoredItIsUnknown) {
  Set(1000);
  Lose(1100, asked_.back().first);
  ASSERT_EQ(asked_.size(), 2U);
  Refuse(1101);
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<NoQuorum>(answers_[0].result));
}

TEST_F(CoordinatorTest, ALongQueueOfUpdatesThatNeedNobodyElseIsNoDeepStack) {
  constexpr int kQueued = 30'000;
  for (int i = 0; i <= kQueued; ++i) {
    UpdateOperation increment{.key = KeyWhere(0), .update = {}, .r = 1, .w = 1};
    increment.update.kind = UpdateKind::kIncrement;
    increment.update.number = 1;
    if (i == 0) increment.r = 2;  // waits for another
    At(1000, [&](const Turn& turn) { coordinator_.Start(turn, 1, std::move(increment)); });
  }
  EXPECT_TRUE(answers_.empty());
  Nothing(1001, asked_.front().first);
  ASSERT_EQ(answers_.size(), size_t{kQueued + 1});
  EXPECT_EQ(std::get<UpdateAnswer>(answers_.back().result).result.integer, kQueued + 1);
}

TEST_F(CoordinatorTest, UpdatesOfOthersAreRefusedWhenTooMuchIsInFlight) {
  const auto ask = [&](int64_t ms, uint64_t request) {
    At(ms, [&](const Turn& turn) {
      UpdateRequest update;
      update.request = request;
      update.stamp = {1, ms * kMs};
      update.key = "k";
      coordinator_.OnUpdateRequest(turn, 2, update);
    });
  };
  ask(1000, 7);
  EXPECT_EQ(context_.counters.updates_refused, 0U);
  for (int i = 0; i < 40'000; ++i) Get(1001);
  ask(1002, 8);
  EXPECT_EQ(context_.counters.updates_refused, 1U);
  ASSERT_EQ(effects_.outbox.sends.size(), 1U);
  UpdateResponse refusal;
  FrameReader reader(effects_.outbox.FrameOf(effects_.outbox.sends[0]));
  ASSERT_TRUE(Decode(reader.fields(), &refusal));
  EXPECT_EQ(refusal.status, UpdateStatus::kNoQuorum) << refusal.result.text;
}

}  // namespace
}  // namespace cartwheel
