// Transactions, pushes, CLIENT REPLY and CLIENT PAUSE, as a pipeline carries them.
#include "tests/unit/server/pipeline_fixture.h"

namespace cartwheel {
namespace {

TEST_F(PipelineTest, ExecAnswersWithAnArrayOfTheQueuedCommands) {
  Send("MULTI\r\nSET a 1\r\nECHO x\r\nDEL a\r\n");
  EXPECT_EQ(core_.Waiting(), "");
  EXPECT_EQ(Output(), "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
  Send("EXEC\r\nPING\r\n");
  EXPECT_EQ(core_.Waiting(), "a");  // the DEL waits for it
  core_.Answer("a");
  Turn();
  core_.Answer("a");
  EXPECT_EQ(Output(), "*3\r\n+OK\r\n$1\r\nx\r\n:1\r\n+PONG\r\n");
  EXPECT_TRUE(pipeline_->Idle());
}

TEST_F(PipelineTest, ACommandThatCannotBeQueuedAbortsTheTransaction) {
  Send("MULTI\r\nSET a 1\r\nGET\r\nEXEC\r\nPING\r\n");
  EXPECT_EQ(core_.Waiting(), "");
  EXPECT_EQ(Output(),
            "+OK\r\n+QUEUED\r\n-ERR wrong number of arguments for 'get' command\r\n"
            "-EXECABORT Transaction discarded because of previous errors.\r\n+PONG\r\n");
  // An error outside of a transaction is none of the next one's.
  Send("GET\r\nMULTI\r\nEXEC\r\n");
  EXPECT_EQ(Output(), "-ERR wrong number of arguments for 'get' command\r\n+OK\r\n*0\r\n");
}

TEST_F(PipelineTest, DiscardForgetsWhatWasQueued) {
  Send("MULTI\r\nSET a 1\r\nDISCARD\r\nEXEC\r\n");
  EXPECT_EQ(core_.Waiting(), "");
  EXPECT_EQ(Output(), "+OK\r\n+QUEUED\r\n+OK\r\n-ERR EXEC without MULTI\r\n");
}

TEST_F(PipelineTest, CommandsOfATransactionAreGrantedLikeOthers) {
  core_.AnswerAtOnce();
  Send("MULTI\r\nSET a 1\r\nSET b 1\r\nSET c 1\r\n");
  Output();
  pipeline_->Grant(3);
  Send("EXEC\r\nPING\r\n");
  EXPECT_EQ(Output(), "*3\r\n+OK\r\n+OK\r\n");
  EXPECT_TRUE(pipeline_->Spent());
  pipeline_->Grant(3);
  pipeline_->Process();
  EXPECT_EQ(Output(), "+OK\r\n+PONG\r\n");
}

TEST_F(PipelineTest, AnExecWhoseClientIsGoneRunsOut) {
  Send("MULTI\r\nSET a 1\r\nSET a 2\r\nSET b 1\r\nEXEC\r\nSET c 1\r\n");
  EXPECT_EQ(core_.Waiting(), "a");
  EXPECT_TRUE(pipeline_->Replaying());
  pipeline_->RunOut();
  core_.Answer("a");
  Turn();
  EXPECT_EQ(core_.Waiting(), "ab");
  EXPECT_FALSE(pipeline_->Replaying());
  core_.AnswerAll();
  Turn();
  EXPECT_EQ(core_.Waiting(), "");  // what came behind the EXEC does not begin
}

TEST_F(PipelineTest, PushesGoBetweenReplies) {
  const std::string_view words[] = {"message", "c", "m"};
  const std::string push = "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n";
  pipeline_->Push(words);
  EXPECT_EQ(Output(), push);
  Send("SET a 1\r\nSET b 1\r\n");
  pipeline_->Push(words);
  core_.Answer("b");
  EXPECT_EQ(Output(), "");
  core_.Answer("a");
  EXPECT_EQ(Output(), "+OK\r\n" + push + "+OK\r\n");
}

TEST_F(PipelineTest, NothingIsPushedIntoTheArrayOfExec) {
  const std::string_view words[] = {"m"};
  Send("MULTI\r\nSET a 1\r\nSET b 1\r\nEXEC\r\n");
  Output();
  core_.Answer("a");
  pipeline_->Push(words);
  EXPECT_EQ(Output(), "+OK\r\n");
  core_.Answer("b");
  EXPECT_EQ(Output(), "+OK\r\n*1\r\n$1\r\nm\r\n");
}

TEST_F(PipelineTest, RepliesThatAreOffAreNotSent) {
  Send("CLIENT REPLY SKIP\r\nSET a 1\r\nPING\r\n");
  EXPECT_EQ(Output(), "");
  core_.Answer("a");
  EXPECT_EQ(Output(), "+PONG\r\n");
  Send("CLIENT REPLY OFF\r\nSET a 1\r\nPING\r\nGET\r\nCLIENT REPLY ON\r\nPING\r\n");
  core_.Answer("a");
  EXPECT_EQ(Output(), "+OK\r\n+PONG\r\n");
}

TEST_F(PipelineTest, APauseHoldsCommandsUpUntilItEnds) {
  Pipeline other(core_.server(), [] {});
  Send("CLIENT PAUSE 1000 WRITE\r\nPING\r\nSET a 1\r\nPING\r\n");
  EXPECT_EQ(Output(), "+OK\r\n+PONG\r\n");
  EXPECT_EQ(core_.Waiting(), "");
  // More may come, for that a client has gone is read as well; but not without bound.
  EXPECT_TRUE(pipeline_->HeldUp());
  EXPECT_TRUE(pipeline_->WantsInput());
  std::string more;
  for (size_t i = 0; i < Pipeline::kMaxHeldInputBytes / 6; ++i) more += "PING\r\n";
  Send(more);
  EXPECT_EQ(Output(), "");
  EXPECT_FALSE(pipeline_->WantsInput());
  EXPECT_EQ(core_.server()->timers.NextDue(), 1'000'000);
  core_.server()->timers.RunDue(999'999);
  EXPECT_EQ(woken_, 0);
  core_.server()->timers.RunDue(1'000'000);
  EXPECT_EQ(core_.server()->timers.size(), 0u);
  Turn();
  core_.Answer("a");
  EXPECT_TRUE(Output().starts_with("+OK\r\n+PONG\r\n+PONG\r\n"));
  EXPECT_FALSE(pipeline_->HeldUp());
}

TEST_F(PipelineTest, OneTimerIsEnoughForAnyNumberOfPauses) {
  for (int i = 0; i < 100; ++i) Send("CLIENT PAUSE 1000000\r\nCLIENT UNPAUSE\r\n");
  EXPECT_EQ(core_.server()->timers.size(), 0u);
  for (int i = 0; i < 100; ++i) Send("CLIENT PAUSE 0 WRITE\r\n");
  EXPECT_LE(core_.server()->timers.size(), 1u);
}

TEST_F(PipelineTest, WhoIsToldOfAWriteFindsIt) {
  Send("SET a 1\r\nPUBLISH c a\r\n");
  EXPECT_EQ(core_.Waiting(), "a");
  EXPECT_FALSE(pipeline_->WantsInput());  // the message waits for the write
}

TEST_F(PipelineTest, NothingIsPushedIntoTheArraysOfPipelinedTransactions) {
  const std::string_view words[] = {"m"};
  Send("MULTI\r\nSET a 1\r\nEXEC\r\nMULTI\r\nSET b 1\r\nSET c 1\r\nEXEC\r\nMULTI\r\nEXEC\r\n");
  core_.Answer("a");
  core_.Answer("b");
  pipeline_->Push(words);
  Output();
  core_.Answer("c");
  EXPECT_EQ(Output(), "+OK\r\n*1\r\n$1\r\nm\r\n+OK\r\n*0\r\n");
}

TEST_F(PipelineTest, APauseWithinATransactionBeginsBehindIt) {
  Send("MULTI\r\nCLIENT PAUSE 1000 WRITE\r\nSET a 1\r\nEXEC\r\nSET b 1\r\n");
  EXPECT_EQ(core_.Waiting(), "a");
  core_.Answer("a");
  EXPECT_EQ(Output(), "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n");
  EXPECT_EQ(core_.Waiting(), "");
  core_.server()->timers.RunDue(1'000'000);
  Turn();
  EXPECT_EQ(core_.Waiting(), "b");
}

TEST_F(PipelineTest, ACommandThatIsABarrierWaitsForAllAndHoldsUpAll) {
  Send("SET a 1\r\nSUBSCRIBE c\r\n");
  EXPECT_FALSE(pipeline_->WantsInput());
  core_.Answer("a");
  EXPECT_EQ(Output(), "+OK\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
  EXPECT_EQ(core_.server()->pubsub.Publish(false, "c", "m"), 1);
  EXPECT_EQ(Output(), "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
  pipeline_.reset();
  EXPECT_EQ(core_.server()->pubsub.Publish(false, "c", "m"), 0);
}

TEST_F(PipelineTest, MonitorsSeeWhatIsAskedButNoPasswords) {
  Pipeline monitor(core_.server(), [] {});
  core_.server()->monitors.insert(&monitor);
  Send("PING \"a\\n\"\r\nAUTH default secret\r\nCONFIG GET port\r\n");
  const std::string seen(monitor.Writable(0));
  EXPECT_NE(seen.find("\"PING\" \"a\\n\"\r\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("\"AUTH\" \"(redacted)\" \"(redacted)\"\r\n"), std::string::npos) << seen;
  EXPECT_EQ(seen.find("port"), std::string::npos) << seen;  // administration is not shown
}

}  // namespace
}  // namespace cartwheel
