#include "cluster/register.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "base/hash.h"
#include "cluster/control_messages.h"
#include "tests/unit/cluster/frame_reader.h"

namespace cartwheel {
namespace {

constexpr uint64_t kName = 42;
constexpr int64_t kTimeoutUs = 200'000;

Register::Change Constant(std::string value) {
  return [value](uint64_t) { return std::optional<std::string>(value); };
}

void Deliver(Register* to, NodeId from, std::string_view frame, Register::At at,
             Register::Output* out) {
  const FrameReader reader(frame);
  const Result<ControlMessage> message = DecodeControl(reader.fields());
  ASSERT_TRUE(message.has_value());
  if (const auto* prepare = std::get_if<Prepare>(&*message)) to->Receive(at, from, *prepare, out);
  if (const auto* promise = std::get_if<Promise>(&*message)) to->Receive(at, from, *promise, out);
  if (const auto* accept = std::get_if<Accept>(&*message)) to->Receive(at, from, *accept, out);
  if (const auto* accepted = std::get_if<Accepted>(&*message)) {
    to->Receive(at, from, *accepted, out);
  }
}

// Three registers whose messages are passed on by hand.
class RegisterTest : public testing::Test {
 protected:
  RegisterTest() {
    for (NodeId id = 1; id <= 3; ++id) {
      registers_.push_back(std::make_unique<Register>(id, kTimeoutUs, &random_));
      registers_.back()->Open(kName, 2, {1, 2, 3});
    }
  }
  Register& Of(NodeId id) { return *registers_[id - 1]; }
  // Gives the messages to those that `reached` names; what they say is returned.
  Register::Output Pass(NodeId from, const Register::Output& output, std::set<NodeId> reached) {
    Register::Output said;
    for (const Register::Send& send : output.sends) {
      if (!reached.contains(send.to)) continue;
      Register::Output one;
      Deliver(&Of(send.to), from, send.frame, {0, 100 * send.to}, &one);
      for (Register::Send& answer : one.sends) {
        sender_.push_back(send.to);
        said.sends.push_back(std::move(answer));
      }
      if (one.decision) said.decision = std::move(one.decision);
    }
    return said;
  }
  Register::Output PassAnswers(const Register::Output& output, NodeId to) {
    Register::Output said;
    for (size_t i = 0; i < output.sends.size(); ++i) {
      EXPECT_EQ(output.sends[i].to, to);
      Deliver(&Of(to), sender_[sender_.size() - output.sends.size() + i], output.sends[i].frame,
              {0, 0}, &said);
    }
    return said;
  }

  Random random_{1};
  std::vector<std::unique_ptr<Register>> registers_;
  std::vector<NodeId> sender_;
};

TEST_F(RegisterTest, AloneDecidesAtOnce) {
  Register alone(7, kTimeoutUs, &random_);
  alone.Open(kName, 5, {7});
  Register::Output out;
  alone.Propose(
      {0, 123}, [](uint64_t clock) { return std::to_string(clock); }, &out);
  ASSERT_TRUE(out.decision.has_value());
  EXPECT_EQ(out.decision->value, "123");
  EXPECT_TRUE(out.decision->own);
  EXPECT_TRUE(out.sends.empty());
  EXPECT_TRUE(alone.TakeDirty());
}

TEST_F(RegisterTest, AMajorityDecidesAndTheHighestClockReachesTheChange) {
  Register::Output out;
  Of(1).Propose(
      {0, 50}, [](uint64_t clock) { return std::to_string(clock); }, &out);
  EXPECT_EQ(out.sends.size(), 2U);
  const Register::Output promises = Pass(1, out, {3});
  EXPECT_TRUE(Of(3).TakeDirty());
  const Register::Output accepts = PassAnswers(promises, 1);
  const Register::Output accepted = Pass(1, accepts, {3});
  EXPECT_TRUE(Of(3).TakeDirty());
  const Register::Output last = PassAnswers(accepted, 1);
  ASSERT_TRUE(last.decision.has_value());
  EXPECT_EQ(last.decision->value, "300");
}

TEST_F(RegisterTest, OneOfThreeDecidesNothing) {
  Register::Output out;
  Of(1).Propose({0, 0}, Constant("v"), &out);
  EXPECT_FALSE(out.decision.has_value());
  EXPECT_TRUE(Of(1).proposing());
  EXPECT_EQ(Of(1).answered(), 1U);
  EXPECT_EQ(Of(1).majority(), 2U);
}

TEST_F(RegisterTest, AnAcceptedValueIsFinishedBeforeOnesOwn) {
  Register::Output out;
  Of(1).Propose({0, 0}, Constant("first"), &out);
  const Register::Output accepts = PassAnswers(Pass(1, out, {2}), 1);
  Pass(1, accepts, {2});  // 2 has accepted it, 1 never hears so
  Register::Output other;
  Of(3).Propose({0, 0}, Constant("second"), &other);
  const Register::Output finish = PassAnswers(Pass(3, other, {2}), 3);
  // The first ballot of 3 is above that of 1 only by its node id: counters are equal.
  const Register::Output decided = PassAnswers(Pass(3, finish, {2}), 3);
  ASSERT_TRUE(decided.decision.has_value());
  EXPECT_EQ(decided.decision->value, "first");
  EXPECT_FALSE(decided.decision->own);
}

TEST_F(RegisterTest, ALowerBallotIsRefusedAndGoesHigherAfterAWhile) {
  Register::Output high;
  Of(3).Propose({0, 0}, Constant("three"), &high);
  Pass(3, high, {1, 2});
  Register::Output low;
  Of(2).Cancel();
  // 2 has promised to 3, so its own next ballot is above; force a low one with a fresh register.
  Register late(1, kTimeoutUs, &random_);
  late.Open(kName, 2, {1, 2, 3});
  late.Propose({0, 0}, Constant("one"), &low);
  Register::Output said = Pass(1, low, {2, 3});
  Register::Output none;
  for (size_t i = 0; i < said.sends.size(); ++i) {
    Deliver(&late, NodeId{2} + i, said.sends[i].frame, {0, 0}, &none);
  }
  EXPECT_TRUE(none.sends.empty());
  EXPECT_TRUE(late.proposing());
  EXPECT_LT(late.NextDeadline(), kTimeoutUs);  // backs off, sooner than the time-out
  Register::Output again;
  late.Tick({late.NextDeadline(), 0}, &again);
  EXPECT_EQ(again.sends.size(), 2U);
  EXPECT_EQ(PassAnswers(Pass(1, again, {2}), 1).sends.size(), 0U);  // 1 itself knows nothing of it
  EXPECT_GT(late.acceptor().promised, Of(3).acceptor().accepted);
}

TEST_F(RegisterTest, OtherRegistersOtherEpochsAndStrangersAreIgnored) {
  Register::Output out;
  Of(1).Receive({0, 0}, 9, Prepare{kName, 2, {1, 9}}, &out);
  Of(1).Receive({0, 0}, 2, Prepare{kName + 1, 2, {1, 2}}, &out);
  Of(1).Receive({0, 0}, 2, Prepare{kName, 3, {1, 2}}, &out);
  Of(1).Receive({0, 0}, 2, Accept{kName, 1, {1, 2}, "v"}, &out);
  EXPECT_TRUE(out.sends.empty());
  EXPECT_EQ(Of(1).acceptor().promised, Ballot{});
}

TEST_F(RegisterTest, APromiseSurvivesARestart) {
  Register::Output out;
  Of(1).Receive({0, 0}, 3, Accept{kName, 2, {8, 3}, "kept"}, &out);
  ASSERT_TRUE(Of(1).TakeDirty());
  std::string bytes;
  EncodeAcceptor(Of(1).acceptor(), &bytes);
  AcceptorState state;
  Reader reader(bytes);
  ASSERT_TRUE(DecodeAcceptor(&reader, &state));
  Register again(1, kTimeoutUs, &random_);
  again.Restore(state);
  again.Open(kName, 2, {1, 2, 3});
  EXPECT_EQ(again.acceptor().promised, (Ballot{8, 3}));
  EXPECT_EQ(again.acceptor().value, "kept");
  again.Open(kName, 3, {1, 2, 3});  // decided: of no further use
  EXPECT_EQ(again.acceptor().accepted, Ballot{});
}

TEST_F(RegisterTest, AValueWhoseProposerWentAwayIsFinishedByAnAcceptor) {
  Register::Output out;
  Of(1).Propose({0, 0}, Constant("orphan"), &out);
  Pass(1, PassAnswers(Pass(1, out, {2}), 1), {2});
  const int64_t due = Of(2).NextDeadline();
  EXPECT_LE(due, 4'000'000);
  Register::Output finish;
  Of(2).Tick({due, 0}, &finish);
  ASSERT_EQ(finish.sends.size(), 2U);
  const Register::Output decided =
      PassAnswers(Pass(2, PassAnswers(Pass(2, finish, {3}), 2), {3}), 2);
  ASSERT_TRUE(decided.decision.has_value());
  EXPECT_EQ(decided.decision->value, "orphan");
}

TEST_F(RegisterTest, AChangeThatWantsNothingEndsTheProposal) {
  Register alone(7, kTimeoutUs, &random_);
  alone.Open(kName, 5, {7});
  Register::Output out;
  alone.Propose(
      {0, 0}, [](uint64_t) { return std::nullopt; }, &out);
  EXPECT_FALSE(out.decision.has_value());
  EXPECT_FALSE(alone.proposing());
}

}  // namespace
}  // namespace cartwheel
