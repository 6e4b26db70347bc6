// The order of one connection's commands and replies, over a core that answers when it is told to.
#include "tests/unit/server/pipeline_fixture.h"

namespace cartwheel {
namespace {

TEST_F(PipelineTest, RepliesLeaveInTheOrderOfTheCommands) {
  Send("SET a 1\r\nECHO x\r\nSET b 2\r\nPING\r\n");
  EXPECT_EQ(core_.Waiting(), "ab");
  EXPECT_EQ(Output(), "");
  core_.Answer("b");
  EXPECT_EQ(Output(), "");
  core_.Answer("a");
  EXPECT_EQ(Output(), "+OK\r\n$1\r\nx\r\n+OK\r\n+PONG\r\n");
  EXPECT_TRUE(pipeline_->Idle());
}

TEST_F(PipelineTest, AWriteWaitsForWhateverIsInFlightOnItsKey) {
  Send("SET a 1\r\nSET a 2\r\nSET b 3\r\n");
  EXPECT_EQ(core_.Waiting(), "a");  // and b behind it, for order
  EXPECT_FALSE(pipeline_->WantsInput());
  core_.Answer("a");
  Turn();
  EXPECT_EQ(core_.Waiting(), "ab");
  EXPECT_EQ(Output(), "+OK\r\n");
  core_.AnswerAll();
  EXPECT_EQ(Output(), "+OK\r\n+OK\r\n");
  EXPECT_TRUE(pipeline_->WantsInput());
}

TEST_F(PipelineTest, AReadWaitsForAWriteButNotForARead) {
  Send("GET a\r\nGET a\r\nSET a 1\r\n");
  EXPECT_EQ(core_.Waiting(), "aa");
  core_.Fail("a", Loading{});
  Turn();
  EXPECT_EQ(core_.Waiting(), "a");
  core_.Fail("a", Loading{});
  Turn();
  EXPECT_EQ(core_.Waiting(), "a");  // now the write
  Send("");
  core_.Answer("a");
  const std::string loading = "-LOADING Cartwheel is waiting for its ring\r\n";
  EXPECT_EQ(Output(), loading + loading + "+OK\r\n");

  Send("SET a 2\r\nGET a\r\n");
  EXPECT_EQ(core_.Waiting(), "a");
  EXPECT_FALSE(pipeline_->WantsInput());
}

TEST_F(PipelineTest, KeysOfOtherDatabasesDoNotConflict) {
  Send("SET a 1\r\n");
  pipeline_->session().db = 1;
  Send("SET a 2\r\n");
  EXPECT_EQ(core_.Waiting(), "aa");
  EXPECT_TRUE(pipeline_->WantsInput());
}

TEST_F(PipelineTest, AllKeysOfACommandCount) {
  Send("DEL a b c\r\nSET c 1\r\n");
  EXPECT_EQ(core_.Waiting(), "abc");
  core_.Answer("a");
  core_.Answer("c");
  Turn();
  EXPECT_EQ(core_.Waiting(), "b");
  core_.Answer("b");
  Turn();
  EXPECT_EQ(core_.Waiting(), "c");
  core_.Answer("c");
  EXPECT_EQ(Output(), ":0\r\n+OK\r\n");
}

TEST_F(PipelineTest, ACoreThatAnswersAtOnceNeedsNoQueue) {
  core_.AnswerAtOnce();
  std::string load;
  for (int i = 0; i < 1000; ++i) load += "SET a 1\r\nDEL a\r\nDEL a\r\n";
  Send(load);
  std::string expected;
  for (int i = 0; i < 1000; ++i) expected += "+OK\r\n:1\r\n:0\r\n";
  EXPECT_EQ(Output(), expected);
  EXPECT_EQ(core_.server()->calls.in_flight(), 0u);
}

TEST_F(PipelineTest, AReplyWaitsUntilTheEngineHasStoredItsWrite) {
  Send("SET a 1\r\nPING\r\n");
  core_.Answer("a", 7);
  EXPECT_EQ(Output(6), "");
  Send("SET b 1\r\n");
  core_.Answer("b", 9);
  EXPECT_EQ(Output(6), "");
  EXPECT_EQ(Output(8), "+OK\r\n");
  EXPECT_EQ(Output(9), "+PONG\r\n+OK\r\n");
}

TEST_F(PipelineTest, AReplyFinishedBehindAnotherKeepsItsNeed) {
  Send("SET a 1\r\nSET b 1\r\n");
  core_.Answer("b", 9);
  core_.Answer("a", 0);
  EXPECT_EQ(Output(8), "");
  EXPECT_EQ(Output(9), "+OK\r\n+OK\r\n");
}

TEST_F(PipelineTest, CommandsInFlightAreBounded) {
  std::string load;
  for (size_t i = 0; i < Pipeline::kMaxCalls + 10; ++i) {
    load += "SET k" + std::to_string(i) + " 1\r\n";
  }
  Send(load);
  EXPECT_EQ(core_.server()->calls.in_flight(), Pipeline::kMaxCalls);
  EXPECT_FALSE(pipeline_->WantsInput());
  EXPECT_FALSE(pipeline_->Idle());
  core_.Answer("k0");
  Turn();
  EXPECT_EQ(core_.server()->calls.in_flight(), Pipeline::kMaxCalls);
  core_.AnswerAll();
  Turn();
  core_.AnswerAll();
  EXPECT_EQ(Output().size(), 5 * (Pipeline::kMaxCalls + 10));
  EXPECT_TRUE(pipeline_->Idle());
}

TEST_F(PipelineTest, OperationsOfAllConnectionsTogetherAreBounded) {
  Pipeline other(core_.server(), [] {});
  // A command has no more than 128 under way.
  std::string load;
  for (size_t i = 0; i < CallPool::kMaxOperations; ++i) {
    load += i % 128 == 0 ? "MSET" : "";
    load += " k" + std::to_string(i) + " 1";
    load += i % 128 == 127 ? "\r\n" : "";
  }
  for (size_t fed = 0; fed < load.size();) {
    const std::span<char> room = other.Prepare();
    const size_t bytes = std::min(room.size(), load.size() - fed);
    std::copy_n(load.data() + fed, bytes, room.data());
    other.Commit(bytes);
    fed += bytes;
  }
  other.Process();
  ASSERT_EQ(core_.server()->calls.operations(), CallPool::kMaxOperations);
  Send("SET a 1\r\n");
  pipeline_->Process();
  EXPECT_EQ(core_.server()->calls.operations(), CallPool::kMaxOperations);
  EXPECT_TRUE(pipeline_->Starved());
  EXPECT_FALSE(pipeline_->WantsInput());
  core_.AnswerAll();
  EXPECT_FALSE(pipeline_->Starved());
  pipeline_->Process();
  core_.AnswerAll();
  EXPECT_EQ(Output(), "+OK\r\n");
}

TEST_F(PipelineTest, AClientThatDoesNotReadIsNotServedOn) {
  const std::string large(1 << 20, 'x');
  const std::string echo = "*2\r\n$4\r\nECHO\r\n$1048576\r\n" + large + "\r\n";
  for (int i = 0; i < 40 && pipeline_->WantsInput(); ++i) Send(echo);
  EXPECT_FALSE(pipeline_->WantsInput());
  EXPECT_LT(pipeline_->output_bytes(), Pipeline::kMaxOutputBytes + 2 * large.size());
  Output();
  EXPECT_TRUE(pipeline_->WantsInput());
}

TEST_F(PipelineTest, BytesOfCommandsInFlightAreBounded) {
  const std::string large(1 << 20, 'x');
  for (int i = 0; i < 40 && pipeline_->WantsInput(); ++i) {
    const std::string key = "k" + std::to_string(10 + i);
    Send("*3\r\n$3\r\nSET\r\n$3\r\n" + key + "\r\n$1048576\r\n" + large + "\r\n");
  }
  EXPECT_EQ(core_.server()->calls.in_flight(), Pipeline::kMaxCallBytes / large.size());
  core_.AnswerAll();
  Turn();
  EXPECT_TRUE(pipeline_->WantsInput());
}

TEST_F(PipelineTest, NoMoreCommandsBeginThanWereGranted) {
  core_.AnswerAtOnce();
  pipeline_->Grant(3);
  std::string load;
  for (int i = 0; i < 5; ++i) load += "SET a 1\r\n";
  Send(load);
  EXPECT_EQ(Output(), "+OK\r\n+OK\r\n+OK\r\n");
  EXPECT_TRUE(pipeline_->Spent());
  EXPECT_FALSE(pipeline_->WantsInput());
  EXPECT_FALSE(pipeline_->Idle());
  pipeline_->Grant(3);
  EXPECT_FALSE(pipeline_->Spent());
  pipeline_->Process();
  EXPECT_EQ(Output(), "+OK\r\n+OK\r\n");
  EXPECT_FALSE(pipeline_->Spent());
  EXPECT_TRUE(pipeline_->Idle());
}

TEST_F(PipelineTest, AnOverloadedNodeRefusesDataCommandsAlone) {
  for (int64_t at_us = 1'000'000; at_us < 1'200'000; at_us += 50'000) {
    core_.server()->queue_age.Note(at_us, QueueAge::kOldUs);
  }
  Send("SET a 1\r\nGET a\r\nPING\r\n");
  const std::string busy = "-BUSY this node is overloaded, try again later\r\n";
  EXPECT_EQ(core_.Waiting(), "");
  EXPECT_EQ(Output(), busy + busy + "+PONG\r\n");
  EXPECT_EQ(core_.server()->counters.busy_refusals, 2u);
  core_.server()->queue_age.Note(1'210'000, 0);
  Send("SET a 1\r\n");
  EXPECT_EQ(core_.Waiting(), "a");
}

TEST_F(PipelineTest, ErrorsKeepTheirPlaceAndRedissWords) {
  Send("SET a 1\r\nnope x 'y z'\r\nGET\r\nget a b\r\n");
  core_.Answer("a");
  EXPECT_EQ(Output(),
            "+OK\r\n"
            "-ERR unknown command 'nope', with args beginning with: 'x' 'y z' \r\n"
            "-ERR wrong number of arguments for 'get' command\r\n"
            "-ERR wrong number of arguments for 'get' command\r\n");
}

TEST_F(PipelineTest, WhatAnErrorShowsEndsAtANul) {
  const std::string nul(1, '\0');
  Send("a" + nul + "b c" + nul + "d e\r\nclient x" + nul + "y\r\n");
  EXPECT_EQ(Output(),
            "-ERR unknown command 'a', with args beginning with: 'c' 'e' \r\n"
            "-ERR unknown subcommand 'x'. Try CLIENT HELP.\r\n");
}

TEST_F(PipelineTest, AProtocolErrorIsAnsweredAfterAllBeforeIt) {
  Send("SET a 1\r\n*1\r\n+x\r\n");
  EXPECT_TRUE(pipeline_->closing());
  EXPECT_FALSE(pipeline_->Idle());
  core_.Answer("a");
  EXPECT_EQ(Output(), "+OK\r\n-ERR Protocol error: expected '$', got '+'\r\n");
  EXPECT_TRUE(pipeline_->Idle());
}

TEST_F(PipelineTest, NothingIsDoneAfterQuit) {
  Send("SET a 1\r\nQUIT\r\nSET b 2\r\n");
  EXPECT_EQ(core_.Waiting(), "a");
  core_.Answer("a");
  EXPECT_EQ(Output(), "+OK\r\n+OK\r\n");
  EXPECT_TRUE(pipeline_->closing());
}

TEST_F(PipelineTest, ABrowsersRequestIsDroppedUnanswered) {
  Send("POST / HTTP/1.1\r\nSET a 1\r\n");
  EXPECT_TRUE(pipeline_->closing());
  EXPECT_EQ(Output(), "");
  EXPECT_EQ(core_.Waiting(), "");
}

TEST_F(PipelineTest, WithoutThePasswordLittleIsAnswered) {
  core_.server()->options.requirepass = "secret";
  Pipeline locked(core_.server(), [] {});
  const std::string_view bytes = "SET a 1\r\nnope\r\nGET\r\nQUIT\r\n";
  std::copy(bytes.begin(), bytes.end(), locked.Prepare().begin());
  locked.Commit(bytes.size());
  locked.Process();
  EXPECT_EQ(locked.Writable(0),
            "-NOAUTH Authentication required.\r\n"
            "-ERR unknown command 'nope', with args beginning with: \r\n"
            "-ERR wrong number of arguments for 'get' command\r\n"
            "+OK\r\n");
  EXPECT_EQ(core_.Waiting(), "");
}

TEST_F(PipelineTest, FailuresOfTheCoreHaveOneForm) {
  Send("SET a 1\r\nGET b\r\nSET c 1\r\nSET d 1\r\nDEL e f\r\n");
  core_.Fail("a", NoQuorum{'W', 2, 1});
  core_.Fail("b", NoQuorum{'R', 2, 1});
  core_.Fail("c", Status{ErrorCode::kTooMany, "100 siblings"});
  core_.Fail("d", Status{ErrorCode::kBadContext, "of another key"});
  core_.Fail("e", Unknown{});
  core_.Answer("f");
  EXPECT_EQ(Output(),
            "-NOQUORUM W=2 needed, 1 answered (the write may still take effect)\r\n"
            "-NOQUORUM R=2 needed, 1 answered\r\n"
            "-TOOMANYSIBLINGS 100 siblings\r\n"
            "-BADCONTEXT of another key\r\n"
            "-NOQUORUM the key's first node did not answer (the write may still take effect)\r\n");
}

TEST_F(PipelineTest, AnswersForAClientThatIsGoneAreLetGo) {
  Send("SET a 1\r\nPING\r\nDEL b c\r\n");
  pipeline_.reset();
  EXPECT_EQ(core_.server()->calls.in_flight(), 2u);
  core_.AnswerAll();
  EXPECT_EQ(core_.server()->calls.in_flight(), 0u);
}

}  // namespace
}  // namespace cartwheel
