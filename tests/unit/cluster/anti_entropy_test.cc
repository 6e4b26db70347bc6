#include "cluster/anti_entropy.h"

#include <gtest/gtest.h>

#include "tests/unit/cluster/replica_peers.h"

namespace cartwheel {
namespace {

// Longer than a few turns of every node.
constexpr int64_t kLong = 30'000;

std::string Numbered(int i) { return "key:" + std::to_string(i); }

TEST(AntiEntropyTest, EqualNodesSayAFewBytes) {
  ReplicaPeers peers;
  for (int i = 0; i < 1000; ++i) peers.SetAll(Numbered(i), "v");
  peers.Repair(1, 1);
  peers.Run(1000);
  EXPECT_EQ(peers.Repaired(1, 1), 0U);
  EXPECT_LT(peers.wire_bytes, 200U);
  EXPECT_EQ(peers[1].counters().anti_entropy_rounds, 1U);
  EXPECT_GT(peers[1].counters().anti_entropy_last, static_cast<uint64_t>(ReplicaPeers::kWallMs));
}

TEST(AntiEntropyTest, EachSideGetsWhatItLacks) {
  ReplicaPeers peers;
  for (int i = 0; i < 500; ++i) peers.SetAll(Numbered(i), "v");
  peers.Set(1, "mine", "1");
  peers.Set(2, "yours", "2");
  peers.Set(1, "both", "1");
  peers.Set(2, "both", "2");
  peers.Set(1, "key:7", "newer");
  peers.Set(2, "key:8", "newer");
  peers.Repair(1, 1);
  peers.Run(2000);
  EXPECT_EQ(peers.Repaired(1, 1), 5U);
  EXPECT_TRUE(peers.Equal());
  for (const NodeId id : {1, 2}) {
    EXPECT_EQ(peers.Get(id, "mine"), "1");
    EXPECT_EQ(peers.Get(id, "yours"), "2");
    EXPECT_EQ(peers.Get(id, "both"), "1 2");
    EXPECT_EQ(peers.Get(id, "key:7"), "newer");
    EXPECT_EQ(peers.Get(id, "key:8"), "newer");
  }
  EXPECT_EQ(peers[1].counters().anti_entropy_keys_repaired, 5U);
  EXPECT_GT(peers[2].counters().anti_entropy_bytes_sent, 0U);
  peers.Repair(2, 1);
  peers.Run(2000);
  EXPECT_EQ(peers.Repaired(2, 1), 0U);
}

TEST(AntiEntropyTest, AWriteOnItsWayIsNoDifference) {
  ReplicaPeers peers;
  const Object late = peers.Set(1, "late", "v");
  peers.Set(1, "missed", "v");
  peers.Repair(1, 1);
  peers.Run(100);
  peers.Merge(2, "late", late);
  peers.Run(2000);
  EXPECT_EQ(peers.Repaired(1, 1), 1U);
  EXPECT_EQ(peers.sent[MergeRequest::kType], 1U);
  EXPECT_TRUE(peers.Equal());
}

TEST(AntiEntropyTest, WhatIsWrittenMeanwhileWaitsForTheNextTime) {
  ReplicaPeers peers;
  peers.Repair(1, 2);
  peers.Run(1000);
  peers.Set(1, "first", "v");
  peers.Repair(1, 1);
  peers.Run(100);
  // The same leaf, met only when it is asked about again.
  const uint32_t leaf = ReplicaPeers::At("first").position.leaf();
  int i = 0;
  while (ReplicaPeers::At("{first}" + Numbered(i)).position.leaf() != leaf) ++i;
  peers.Set(2, "{first}" + Numbered(i), "v");
  peers.Run(2000);
  EXPECT_EQ(peers.Repaired(1, 1), 1U);
  EXPECT_EQ(peers.Get(1, "{first}" + Numbered(i)), "");
}

// 200 KB hold the sums of 16384 partitions, and there is room for a few differences.
TEST(AntiEntropyTest, FewDifferencesAmongManyPartitionsAndKeysCostLittle) {
  ReplicaPeers peers(2, 16384);
  for (int i = 0; i < 200'000; ++i) peers.SetAll(Numbered(i), "v");
  peers.Repair(1, 1);
  peers.Run(1000);
  EXPECT_EQ(peers.Repaired(1, 1), 0U);
  EXPECT_LT(peers.wire_bytes, 200U);
  peers.Set(1, "key:1", "newer");
  peers.Set(2, "key:2", "newer");
  peers.Repair(1, 2);
  peers.Run(2000);
  EXPECT_EQ(peers.Repaired(1, 2), 2U);
  EXPECT_LT(peers.wire_bytes, 200'000U);
  EXPECT_TRUE(peers.Equal());
}

TEST(AntiEntropyTest, AnEmptyReplicaIsFilledInBoundedSteps) {
  for (const NodeId asker : {1, 2}) {
    ReplicaPeers peers;
    for (int i = 0; i < 10'000; ++i) peers.Set(1, Numbered(i), "v");
    peers.Repair(asker, 1);
    peers.Run(kLong);
    EXPECT_EQ(peers.Repaired(asker, 1), 10'000U);
    EXPECT_TRUE(peers.Equal());
    EXPECT_LT(peers.largest_frame, 128U << 10);
  }
}

// All keys of a tag stand in one slot: its leaves take several messages.
TEST(AntiEntropyTest, ALeafOfManyKeysIsComparedPieceByPiece) {
  for (const NodeId asker : {1, 2}) {
    ReplicaPeers peers;
    for (int i = 0; i < 80'000; ++i) {
      const std::string key = "{tag}" + std::to_string(i);
      if (i % 20 == 0) {
        peers.Set(1 + static_cast<NodeId>(i / 20 % 2), key, "v");
      } else if (i % 2 == 0) {
        peers.SetAll(key, "v");
      } else {
        peers.Set(1, key, "v");
      }
    }
    peers.Repair(asker, 1);
    peers.Run(kLong);
    EXPECT_EQ(peers.Repaired(asker, 1), 44'000U);
    EXPECT_TRUE(peers.Equal());
    EXPECT_LT(peers.largest_frame, 128U << 10);
  }
}

// Nodes 2 and 3 repair each other for long: who wants to compare with both waits between attempts.
TEST(AntiEntropyTest, WhoFindsTwoPeersBusyAsksEachNowAndThen) {
  ReplicaPeers peers(3, 256, [](NodeOptions* options) { options->repair_rate_bytes = 1 << 20; });
  for (const NodeId id : {1, 2, 3}) {
    for (const NodeId other : {1, 2, 3}) peers[id].context.catch_up.OnCompared(other);
  }
  const std::string value(10'000, 'v');
  for (int i = 0; i < 1000; ++i) peers.Set(2, Numbered(i), value);
  peers.Call(3, [&](const Turn& turn) { peers[3].anti_entropy.OnAlive(turn, 2); });
  peers.Run(1000);
  peers.ForgetTraffic();
  for (const NodeId busy : {2, 3}) {
    peers.Call(1, [&](const Turn& turn) { peers[1].anti_entropy.OnAlive(turn, busy); });
  }
  peers.Run(4000);
  EXPECT_LT(peers.sent[TreeRequest::kType], 30U);
  peers.Run(kLong);
  EXPECT_TRUE(peers.Equal());
}

TEST(AntiEntropyTest, TheRateIsKeptByWhoeverSends) {
  const std::string value(10'000, 'v');
  for (const NodeId asker : {1, 2}) {
    ReplicaPeers peers(2, 256, [](NodeOptions* options) { options->repair_rate_bytes = 1 << 20; });
    for (int i = 0; i < 500; ++i) peers.Set(1, Numbered(i), value);
    peers.Repair(asker, 1);
    peers.Run(3000);
    EXPECT_FALSE(peers.Repaired(asker, 1));
    const uint64_t records = peers[2].engine.stats().records;
    EXPECT_GT(records, 200U);
    EXPECT_LT(records, 330U);
    peers[1].anti_entropy.SetRate(1);
    peers.Run(200);
    EXPECT_LE(peers[2].engine.stats().records, records + 2);  // one was on its way
    peers[1].anti_entropy.SetRate(0);
    peers.Run(1000);
    EXPECT_EQ(peers.Repaired(asker, 1), 500U);
    EXPECT_TRUE(peers.Equal());
  }
}

// Longer than the patience for one answer: every object that comes is news.
TEST(AntiEntropyTest, ASlowPeerIsWaitedForAsLongAsObjectsCome) {
  ReplicaPeers peers(2, 256, [](NodeOptions* options) { options->repair_rate_bytes = 10'000; });
  for (int i = 0; i < 20; ++i) peers.Set(1, Numbered(i), std::string(15'000, 'v'));
  peers.Repair(2, 1);
  peers.Run(60'000);
  EXPECT_EQ(peers.Repaired(2, 1), 20U);
}

TEST(AntiEntropyTest, AnotherPlacementEndsAComparisonUntilItHasSpread) {
  ReplicaPeers peers;
  peers.Set(1, "k", "v");
  ++peers[1].state.epoch;  // that of a flush does not
  const auto move = [&](NodeId id) {
    ++peers[id].state.placement_version;
    peers[id].context.ring.emplace(peers[id].state);
  };
  move(2);
  peers.Begin();
  peers.Run(2000);
  EXPECT_EQ(peers[1].counters().anti_entropy_rounds, 0U);
  EXPECT_EQ(peers.Get(2, "k"), "");
  move(1);
  peers.Call(1, [&](const Turn& turn) { peers[1].anti_entropy.OnPlacementChanged(turn); });
  peers.Run(2000);
  EXPECT_GT(peers[1].counters().anti_entropy_rounds, 0U);
  EXPECT_EQ(peers.Get(2, "k"), "v");
}

TEST(AntiEntropyTest, WhoeverDoesNotAnswerIsGivenUp) {
  ReplicaPeers peers(3);
  peers.Set(1, "k", "v");
  peers[2].up = false;
  peers.Repair(1, 1);
  peers.Run(900);
  EXPECT_FALSE(peers.Repaired(1, 1));
  peers.Run(1000);
  EXPECT_EQ(peers.Repaired(1, 1), 1U);
  EXPECT_EQ(peers.Get(3, "k"), "v");
  // A link that breaks is known at once.
  peers.Repair(1, 2);
  peers.Call(1, [&](const Turn& turn) {
    peers[1].context.liveness.Suspect(2);
    peers[1].anti_entropy.OnPeerLost(turn, 2);
  });
  peers.Run(10);
  EXPECT_EQ(peers.Repaired(1, 2), 0U);
}

TEST(AntiEntropyTest, AnObjectThatIsNeverAcknowledgedEndsIt) {
  ReplicaPeers peers;
  peers.Set(1, "k", "v");
  peers.swallowed = MergeRequest::kType;
  peers.Repair(1, 1);
  peers.Repair(2, 1);
  peers.Run(5000);
  EXPECT_EQ(peers.Repaired(1, 1), 0U);
  EXPECT_EQ(peers.Repaired(2, 1), 0U);
  EXPECT_EQ(peers[1].counters().anti_entropy_rounds + peers[2].counters().anti_entropy_rounds, 0U);
}

TEST(AntiEntropyTest, PeersAreComparedWithInTurn) {
  ReplicaPeers peers(3);
  peers.Call(1, [&](const Turn& turn) { peers[1].anti_entropy.OnPlacementChanged(turn); });
  peers.Run(2000);
  EXPECT_EQ(peers[1].counters().anti_entropy_rounds, 2U) << "with all at the start";
  peers.Set(1, "k", "v");
  peers.Run(10'000);
  EXPECT_EQ(peers.Get(2, "k"), "v");
  EXPECT_EQ(peers.Get(3, "k"), "v");
}

TEST(AntiEntropyTest, APeerThatLivesAgainIsComparedWithAtOnce) {
  ReplicaPeers peers(2, 256, [](NodeOptions* options) { options->gossip_interval_ms = 1'000'000; });
  peers.Begin();
  peers.Run(1000);
  peers.Set(1, "k", "v");
  peers.Call(2, [&](const Turn& turn) { peers[2].anti_entropy.OnAlive(turn, 1); });
  peers.Run(500);
  EXPECT_EQ(peers.Get(2, "k"), "v");
}

TEST(AntiEntropyTest, APeerThatLivesAgainGetsItsHintsFirst) {
  ReplicaPeers peers;
  Replica& replica = peers[1].context.replica;
  const std::string key = "key";
  KeyRef hint = ReplicaPeers::At(key);
  hint.hint_for = 2;
  EXPECT_TRUE(replica.Merge(hint, peers.Set(1, key, "v"), {peers.now().wall_ms, 0}));
  peers.Call(1, [&](const Turn& turn) { peers[1].anti_entropy.OnAlive(turn, 2); });
  peers.Run(2000);
  EXPECT_EQ(peers.wire_bytes, 0U);
  EXPECT_TRUE(replica.Drop(hint, replica.Head(hint)->hash));
  peers.Run(1000);
  EXPECT_TRUE(peers.Equal());
}

TEST(AntiEntropyTest, WhoIsHandedHintsComparesWhenTheyHaveCome) {
  ReplicaPeers peers;
  peers.Set(1, "missed", "v");
  peers.Call(2, [&](const Turn& turn) { peers[2].anti_entropy.OnPlacementChanged(turn); });
  MergeRequest handed;
  handed.synced = true;
  for (int i = 0; i < 20; ++i) {
    peers.Run(200);
    peers.Call(2, [&](const Turn& turn) { peers[2].anti_entropy.OnMerged(turn, 1, handed); });
  }
  EXPECT_EQ(peers.wire_bytes, 0U);
  peers.Run(1000);
  EXPECT_TRUE(peers.Equal());
}

TEST(AntiEntropyTest, ClientsThatAskTogetherAreAnsweredTogether) {
  ReplicaPeers peers;
  peers.Repair(1, 9);
  peers.Run(1000);
  peers.Set(1, "k", "v");
  peers.Repair(1, 1);
  peers.Repair(1, 2);
  peers.Repair(1, 3);
  peers.Run(2000);
  EXPECT_EQ(peers.Repaired(1, 1), 1U);
  EXPECT_EQ(peers.Repaired(1, 2), 0U);
  EXPECT_EQ(peers.Repaired(1, 3), 0U);
  EXPECT_EQ(peers[1].counters().anti_entropy_rounds, 1U + 2U);
}

TEST(AntiEntropyTest, WhoMissedMuchGetsItOnceFromWhomeverIsFirst) {
  // The others all come to repair node 1, which has compared with them (false: which has to).
  for (const bool compared : {true, false}) {
    ReplicaPeers peers(3, 16, [](NodeOptions* options) { options->repair_rate_bytes = 100'000; });
    for (const NodeId id : {1, 2, 3}) {
      for (const NodeId other : {1, 2, 3}) {
        if (compared || id != 1) peers[id].context.catch_up.OnCompared(other);
      }
    }
    for (int i = 0; i < 1000; ++i) {
      peers.Merge(3, Numbered(i), peers.Set(2, Numbered(i), "v"));
    }
    peers.Begin();
    for (const NodeId id : {2, 3}) peers.Repair(id, 1);
    peers.Run(kLong);
    EXPECT_TRUE(peers.Equal());
    EXPECT_EQ(peers.sent[MergeRequest::kType], 1000U) << compared;
    for (const NodeId id : {2, 3}) EXPECT_TRUE(peers.Repaired(id, 1)) << compared << id;
  }
}

TEST(AntiEntropyTest, WhoHasToCatchUpIsLetInByAll) {
  ReplicaPeers peers(3, 16, [](NodeOptions* options) { options->repair_rate_bytes = 2'000; });
  for (const NodeId id : {1, 2, 3}) {
    for (const NodeId other : {1, 2, 3}) {
      if (id != 3) peers[id].context.catch_up.OnCompared(other);
    }
  }
  // Nodes 1 and 2 have work for minutes; node 3 lacks only one key.
  for (int i = 0; i < 3'000; ++i) {
    const Object object = peers.Set(1, Numbered(i), "v");
    if (i > 0) peers.Merge(3, Numbered(i), object);
  }
  peers.Repair(1, 1);
  peers.Run(1000);
  peers.Begin();
  peers.Run(10'000);
  EXPECT_FALSE(peers.Repaired(1, 1));
  EXPECT_EQ(peers.Get(3, Numbered(0)), "v");
  EXPECT_TRUE(peers[3].context.catch_up.HasCompared(1));
}

// Else it may lose its power the next moment, and the one it had it from its disk.
TEST(AntiEntropyTest, WhoCaughtUpSaysSoWhenItIsOnTheDisk) {
  ReplicaPeers peers;
  peers.Set(1, "k", "v");
  peers[2].engine.disk_is_late = true;
  peers.Repair(2, 1);
  peers.Run(2000);
  EXPECT_EQ(peers.Get(2, "k"), "v");
  EXPECT_FALSE(peers[2].context.catch_up.HasCompared(1));
  peers[2].engine.disk_is_late = false;
  peers.Run(100);
  EXPECT_TRUE(peers[2].context.catch_up.HasCompared(1));
}

TEST(AntiEntropyTest, DamagedMessagesEndAComparisonAtWorst) {
  Random random(1);
  uint64_t refused = 0;
  for (int round = 0; round < 200; ++round) {
    ReplicaPeers peers(2, 16);
    for (int i = 0; i < 50; ++i) {
      peers.Set(1, "a" + Numbered(i), "v");
      peers.Set(2, "b" + Numbered(i), "v");
    }
    peers.damage = [&](std::string* field) {
      if (field->empty() || random.Chance(3, 4)) return;
      if (random.Chance(1, 3)) field->resize(random.Below(field->size()));
      if (!field->empty()) (*field)[random.Below(field->size())] = static_cast<char>(random.Next());
    };
    peers.Repair(1, 1);
    peers.Repair(2, 1);
    peers.Run(kLong);
    EXPECT_TRUE(peers.Repaired(1, 1));
    EXPECT_TRUE(peers.Repaired(2, 1));
    refused += peers[1].counters().messages_bad + peers[2].counters().messages_bad;
    peers.damage = nullptr;
    peers.Repair(1, 2);
    peers.Run(kLong);
    EXPECT_TRUE(peers.Equal());
  }
  EXPECT_GT(refused, 50U);
}

TEST(AntiEntropyTest, AnExpiryIsNoDifference) {
  ReplicaPeers peers;
  peers.SetAll("soon", "v", peers.now().wall_ms + 100);
  peers.Run(5000);
  Position from;
  bool later = false;
  std::vector<Key> gone;
  peers[1].context.replica.SweepExpired(peers.now().wall_ms, 1000, &from, &later, &gone);
  ASSERT_EQ(peers.Get(1, "soon"), "");
  ASSERT_EQ(peers.Get(2, "soon"), "v");
  EXPECT_TRUE(peers.Equal());
  peers.ForgetTraffic();
  peers.Repair(1, 1);
  peers.Run(1000);
  EXPECT_EQ(peers.Repaired(1, 1), 0U);
  EXPECT_LT(peers.wire_bytes, 200U);
}

TEST(AntiEntropyTest, WhatRottedDoesNotSpread) {
  ReplicaPeers peers;
  peers.Set(1, "rotten", "value");
  peers.Set(1, "sound", "v");
  const Position position = ReplicaPeers::At("rotten").position;
  std::string image((*peers[1].engine.Get(position))->image);
  image[image.size() - 2] ^= 1;
  peers[1].engine.Put(position, image);
  peers[1].engine.Put(ReplicaPeers::At("cut").position, image.substr(0, 20));
  for (const NodeId asker : {1, 2}) {
    peers.Repair(asker, 1);
    peers.Run(2000);
    EXPECT_EQ(peers.Repaired(asker, 1), asker == 1 ? 1U : 0U);
    EXPECT_EQ(peers.Get(2, "rotten"), "");
    EXPECT_EQ(peers.Get(2, "sound"), "v");
  }
  // Nor is it given to who saw it listed before it rotted.
  std::string positions;
  PutPosition(position, &positions);
  peers.Call(2, [&](const Turn& turn) {
    turn.Request(1,
                 FetchRequest{.request = 7, .epoch = peers[1].state.epoch, .positions = positions});
  });
  peers.Run(2000);
  EXPECT_EQ(peers.Get(2, "rotten"), "");
}

TEST(AntiEntropyTest, ANodeThatCannotReadGoesOn) {
  ReplicaPeers peers;
  peers.Set(1, "k", "v");
  peers[1].engine.fails = true;
  peers.Repair(1, 1);
  peers.Repair(2, 1);
  peers.Run(kLong);
  EXPECT_EQ(peers.Repaired(1, 1), 0U);
  EXPECT_EQ(peers.Repaired(2, 1), 0U);
  EXPECT_EQ(peers[1].counters().anti_entropy_rounds, 0U);
  EXPECT_EQ(peers[2].counters().anti_entropy_rounds, 0U);
  peers[1].engine.fails = false;
  peers.Repair(2, 2);
  peers.Run(2000);
  EXPECT_TRUE(peers.Equal());
}

}  // namespace
}  // namespace cartwheel
