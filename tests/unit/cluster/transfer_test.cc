#include "cluster/transfer.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/unit/cluster/transfer_peers.h"

namespace cartwheel {
namespace {

constexpr Author kAuthor{1, 0};
constexpr size_t kBatch = 1 << 20;

// Node 2 joins node 1, and gains all from it.
ClusterState OneSource() { return *WithMember(RingOf(1), MemberOf(2), 0, kAuthor); }
// Node 4 joins nodes 1 to 3, all of which hold all, and compares with two of them.
ClusterState ThreeSources() {
  ClusterSettings settings;
  settings.n = 4;
  return *WithMember(RingOf(3, settings), MemberOf(4), 0, kAuthor);
}
std::string Key(int i) { return "key:" + std::to_string(i); }

// So many keys of 8 KiB at these nodes.
uint64_t Fill(TransferPeers* peers, const std::vector<NodeId>& nodes, int keys) {
  for (int i = 0; i < keys; ++i) peers->Set(nodes, Key(i), std::string(8192, 'v'));
  return static_cast<uint64_t>(keys) * 8192;
}

TEST(TransferTest, EverythingComesTombstonesIncluded) {
  TransferPeers peers(OneSource());
  for (int i = 0; i < 300; ++i) peers.Set({1}, Key(i), "value");
  for (int i = 200; i < 300; ++i) peers.Set({1}, Key(i), "", Kind::kTombstone);
  EXPECT_FALSE(peers[2].transfer->complete());
  EXPECT_EQ(peers[2].transfer->partitions_left(), 256U);
  EXPECT_TRUE(peers.Completes(2));
  EXPECT_EQ(peers[2].transfer->partitions_left(), 0U);
  EXPECT_TRUE(peers.HoldTheSame(1, 2));
  EXPECT_EQ(peers[2].counters().transfer_keys, 300U);
  EXPECT_TRUE(peers[1].transfer->complete()) << "it gains nothing";
}

TEST(TransferTest, WhatIsKeptForOthersStays) {
  TransferPeers peers(OneSource());
  const std::string key = "k";
  KeyRef hint = TransferPeers::At(key);
  hint.hint_for = 9;
  Object object;
  PutInto(&object, {}, {.dot = {{1, 1}, 1}, .bytes = "v"});
  ASSERT_TRUE(peers[1].context->replica.Merge(hint, std::move(object), {peers.now().wall_ms, 0}));
  EXPECT_TRUE(peers.Completes(2));
  EXPECT_EQ(peers[2].engine.stats().records, 0U);
}

TEST(TransferTest, AnEmptyRingCostsSumsOnly) {
  TransferPeers peers(OneSource());
  EXPECT_TRUE(peers.Completes(2, 1000));
  EXPECT_EQ(peers[2].counters().transfer_bytes_received, 0U);
}

TEST(TransferTest, WhatIsHereAlreadyIsNotSentAgain) {
  TransferPeers peers(OneSource());
  Fill(&peers, {1, 2}, 50);
  peers.Set({1}, "missing", "v");
  EXPECT_TRUE(peers.Completes(2));
  EXPECT_TRUE(peers.HoldTheSame(1, 2));
  EXPECT_LT(peers[2].counters().transfer_bytes_received, 8192U);
}

TEST(TransferTest, ARestartOfEitherSideGoesOnWhereItWas) {
  for (const NodeId restarted : {1, 2}) {
    TransferPeers peers(OneSource());
    const uint64_t bytes = Fill(&peers, {1}, 1000);
    ASSERT_TRUE(peers.RunUntil(
        10'000, [&] { return peers[2].counters().transfer_bytes_received > bytes / 2; }));
    const uint64_t before = peers[2].counters().transfer_bytes_received;
    ASSERT_FALSE(peers[2].transfer->complete());
    peers.Restart(restarted);
    EXPECT_TRUE(peers.Completes(2));
    EXPECT_TRUE(peers.HoldTheSame(1, 2));
    const uint64_t received = peers[2].counters().transfer_bytes_received;
    const uint64_t in_all = restarted == 2 ? before + received : received;
    EXPECT_LT(in_all, bytes + 2 * kBatch) << "node " << restarted << " was restarted";
  }
}

TEST(TransferTest, TheSecondSourceCostsSumsOnly) {
  TransferPeers peers(ThreeSources());
  const uint64_t bytes = Fill(&peers, {1, 2, 3}, 300);
  EXPECT_TRUE(peers.Completes(4));
  EXPECT_TRUE(peers.HoldTheSame(1, 4));
  EXPECT_LT(peers[4].counters().transfer_bytes_received, bytes * 11 / 10);
  for (const NodeId source : {1, 2, 3}) {
    EXPECT_GT(peers[source].counters().transfer_bytes_sent, bytes / 5) << "each gives its share";
  }
}

TEST(TransferTest, WhatAnyWriteQuorumHasComes) {
  TransferPeers peers(ThreeSources());
  const std::vector<std::vector<NodeId>> quorums = {{1, 2}, {1, 3}, {2, 3}};
  for (int i = 0; i < 300; ++i) peers.Set(quorums[i % 3], Key(i), "value");
  EXPECT_TRUE(peers.Completes(4));
  for (int i = 0; i < 300; ++i) EXPECT_TRUE(peers.Has(4, Key(i))) << i;
}

// --- sources that do not give ---

TEST(TransferTest, ASourceThatKnowsAnotherPlacementIsAskedAgain) {
  const ClusterState state = OneSource();
  TransferPeers peers(state);
  peers.Set({1}, "k", "v");
  ClusterState older = state;
  older.placement_version -= 1;
  peers.Adopt(1, older);
  peers.Run(3'000);
  EXPECT_FALSE(peers.Has(2, "k"));
  EXPECT_FALSE(peers[2].transfer->complete());
  EXPECT_LT(peers.sent[TransferRequest::kType], 20U) << "not all the time";
  peers.Adopt(1, state);
  EXPECT_TRUE(peers.Completes(2));
  EXPECT_TRUE(peers.Has(2, "k"));
}

TEST(TransferTest, ASourceThatCannotReadIsDoneWithout) {
  for (const NodeId broken : {1, 2, 3}) {
    TransferPeers peers(ThreeSources());
    for (int i = 0; i < 300; ++i) peers.Set({1, 2, 3}, Key(i), "value");
    peers[broken].engine.fails = true;
    EXPECT_TRUE(peers.Completes(4, 60'000)) << broken;
    EXPECT_TRUE(peers.HoldTheSame(4, broken % 3 + 1));
  }
}

TEST(TransferTest, ASourceThatNeverAnswersIsDoneWithout) {
  for (const NodeId silent : {1, 2, 3}) {
    TransferPeers peers(ThreeSources());
    for (int i = 0; i < 300; ++i) peers.Set({1, 2, 3}, Key(i), "value");
    peers.swallowed = {4, silent};
    EXPECT_TRUE(peers.Completes(4, 120'000)) << silent;
  }
}

TEST(TransferTest, ASourceThatIsBehindGivesButDoesNotCount) {
  TransferPeers peers(ThreeSources());
  peers.Set({1, 2, 3}, "k", "v");
  peers[1].context->catch_up.Lose();
  peers.Lose(2);
  peers.Run(5'000);
  EXPECT_TRUE(peers.Has(4, "k"));
  EXPECT_FALSE(peers[4].transfer->complete());
  EXPECT_EQ(peers[4].transfer->WaitsFor(), (std::vector<NodeId>{1, 2}));
  peers.Return(2);
  EXPECT_TRUE(peers.Completes(4)) << "with 2 and 3";
  EXPECT_EQ(peers[4].transfer->WaitsFor(), std::vector<NodeId>());
}

TEST(TransferTest, ASourceThatIsLostIsDoneWithoutOrWaitedFor) {
  TransferPeers peers(ThreeSources());
  const uint64_t bytes = Fill(&peers, {1, 2, 3}, 1000);
  ASSERT_TRUE(peers.RunUntil(
      10'000, [&] { return peers[4].counters().transfer_bytes_received > bytes / 2; }));
  peers.Lose(1);
  peers.Lose(2);
  peers.Run(5'000);
  EXPECT_FALSE(peers[4].transfer->complete());
  EXPECT_EQ(peers[4].transfer->WaitsFor().size(), 2U);
  peers.Return(1);
  EXPECT_TRUE(peers.Completes(4));
  EXPECT_TRUE(peers.HoldTheSame(3, 4));
}

TEST(TransferTest, ASourceThatWasRemovedIsNotNeededAnyMore) {
  const ClusterState state = ThreeSources();
  TransferPeers peers(state);
  peers.Set({1, 2, 3}, "k", "v");
  peers.Lose(1);
  peers.Lose(2);
  peers.Run(2'000);
  const std::vector<NodeId> gone = {1, 2};
  for (const NodeId id : {3, 4}) peers.Adopt(id, *WithRemoved(state, gone, kAuthor));
  EXPECT_TRUE(peers.Completes(4));
  EXPECT_TRUE(peers.Has(4, "k"));
}

// --- rates and sizes ---

TEST(TransferTest, TheRateIsKeptOnEitherSide) {
  for (const NodeId limited : {1, 2}) {
    TransferPeers peers(OneSource());
    const uint64_t bytes = Fill(&peers, {1}, 1000);
    peers[limited].transfer->SetRate(2'000'000);
    const int64_t begin_us = peers.now().mono_us;
    EXPECT_TRUE(peers.Completes(2, 20'000));
    const int64_t took_ms = (peers.now().mono_us - begin_us) / 1000;
    const auto wanted_ms = static_cast<int64_t>(bytes / 2'000);
    EXPECT_GT(took_ms, wanted_ms * 3 / 4) << limited;
    EXPECT_LT(took_ms, wanted_ms * 3 / 2) << limited;
    EXPECT_LT(peers[2].counters().transfer_bytes_received, bytes * 11 / 10);
  }
}

TEST(TransferTest, AnObjectLargerThanABatchComes) {
  TransferPeers peers(OneSource());
  peers.Set({1}, "large", std::string(5 * kBatch, 'v'));
  for (int i = 0; i < 100; ++i) peers.Set({1}, Key(i), "value");
  EXPECT_TRUE(peers.Completes(2));
  EXPECT_TRUE(peers.HoldTheSame(1, 2));
}

// As slow as a large value may be on its way to a replica (NodeContext::TransferUs).
TEST(TransferTest, AnObjectThatIsLongOnItsWayComes) {
  TransferPeers peers(OneSource());
  peers.Set({1}, "large", std::string(24 * kBatch, 'v'));
  peers.bytes_per_us = 16;
  EXPECT_TRUE(peers.Completes(2, 60'000));
  EXPECT_TRUE(peers.HoldTheSame(1, 2));
}

TEST(TransferTest, ALeafOfManyBatchesComes) {
  TransferPeers peers(OneSource());
  // One slot; 16 leaves.
  for (int i = 0; i < 600; ++i) {
    peers.Set({1}, "{tag}" + std::to_string(i), std::string(40'000, 'v'));
  }
  EXPECT_TRUE(peers.Completes(2));
  EXPECT_TRUE(peers.HoldTheSame(1, 2));
  EXPECT_LT(peers[2].counters().transfer_bytes_received, 600U * 41'000);
}

// --- the disk, and other placements ---

TEST(TransferTest, IsCompleteOnlyOnceAllIsOnTheDisk) {
  TransferPeers peers(OneSource());
  peers.Set({1}, "k", "v");
  peers[2].engine.disk_is_late = true;
  peers.Run(3'000);
  EXPECT_EQ(peers[2].transfer->partitions_left(), 0U);
  EXPECT_FALSE(peers[2].transfer->complete());
  peers[2].engine.disk_is_late = false;
  EXPECT_TRUE(peers[2].transfer->complete());
}

TEST(TransferTest, WhatWasComparedCountsInTheNextVersionAndInNoLaterOne) {
  const ClusterState first = ThreeSources();
  TransferPeers peers(first);
  for (int i = 0; i < 50; ++i) peers.Set({1, 2, 3}, Key(i), "value");
  ASSERT_TRUE(peers.Completes(4));
  ClusterState next = first;
  next.placement_version += 1;
  peers.sent.clear();
  for (const NodeId id : {1, 2, 3, 4}) peers.Adopt(id, next);
  EXPECT_TRUE(peers.Completes(4, 1'000));
  EXPECT_EQ(peers.sent[TransferRequest::kType], 0U);

  next.placement_version += 2;
  for (const NodeId id : {1, 2, 3, 4}) peers.Adopt(id, next);
  EXPECT_FALSE(peers[4].transfer->complete());
  EXPECT_TRUE(peers.Completes(4));
  EXPECT_GT(peers.sent[TransferRequest::kType], 0U);
}

TEST(TransferTest, AnAnswerOfAnEarlierPlacementIsNoAnswer) {
  const ClusterState first = OneSource();
  TransferPeers peers(first);
  peers.Set({1}, "k", "v");
  peers.Run(0);  // it has asked
  ASSERT_EQ(peers.sent[TransferRequest::kType], 1U);
  ClusterState next = first;
  next.placement_version += 2;
  peers.RunUntil(10, [&] { return peers.sent[TransferResponse::kType] == 1; });
  peers.Adopt(2, next);  // the other does not know it
  peers.Run(200);
  EXPECT_EQ(peers[2].transfer->partitions_left(), 256U);
}

TEST(TransferTest, NothingIsFetchedOnceReadsSwitch) {
  const ClusterState fetch = OneSource();
  TransferPeers peers(fetch);
  const ClusterState switching = *WithNextPhase(fetch, fetch.placement_version, kAuthor);
  for (const NodeId id : {1, 2}) peers.Adopt(id, switching);
  EXPECT_TRUE(peers[2].transfer->complete());
  EXPECT_EQ(peers[2].transfer->NextDeadline(), INT64_MAX);
}

// --- what is damaged ---

TEST(TransferTest, MalformedObjectsAreCountedAndTheSourceIsAskedAgain) {
  TransferPeers peers(OneSource());
  peers.Set({1}, "k", "v");
  for (const std::string_view objects :
       {std::string_view("\x80"), std::string_view("\0\1k\5hello", 9)}) {
    const uint64_t bad = peers[2].counters().messages_bad;
    peers.Lose(1);
    peers.Return(1);
    uint64_t request = 0;
    peers.Run(400);
    peers.Call(2, [&](const Turn& turn) {
      Effects effects;
      peers[2].transfer->OnPlacementChanged({turn.now, &effects}, 0);
      peers[2].transfer->Tick({turn.now, &effects});
      ASSERT_EQ(effects.outbox.sends.size(), 1U);
      const FrameReader reader(effects.outbox.FrameOf(effects.outbox.sends[0]));
      TransferRequest asked;
      ASSERT_TRUE(Decode(reader.fields(), &asked));
      request = asked.request;
      TransferResponse response{
          .request = request, .status = TransferStatus::kGiven, .next = {}, .objects = objects};
      peers[2].transfer->OnResponse(turn, 1, response);
    });
    EXPECT_EQ(peers[2].counters().messages_bad, bad + 1);
    EXPECT_EQ(peers[2].transfer->partitions_left(), 256U);
  }
  EXPECT_TRUE(peers.Completes(2));
  EXPECT_TRUE(peers.Has(2, "k"));
}

TEST(TransferTest, MalformedRequestsAreCountedAndNotAnswered) {
  TransferPeers peers(OneSource());
  Random random(1);
  uint64_t bad = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string slots;
    for (uint64_t i = random.Below(300); i > 0; --i) {
      slots.push_back(static_cast<char>(random.Below(4) * random.Below(64)));
    }
    const uint64_t answers = peers.sent[TransferResponse::kType];
    peers.Call(1, [&](const Turn& turn) {
      peers[1].transfer->OnRequest(turn, 2,
                                   {.request = 1,
                                    .placement = peers[1].state.placement_version,
                                    .from = {},
                                    .slots = slots});
    });
    if (peers.sent[TransferResponse::kType] == answers) ++bad;
    EXPECT_EQ(peers[1].counters().messages_bad, bad);
  }
  EXPECT_GT(bad, 1000U);
}

}  // namespace
}  // namespace cartwheel
