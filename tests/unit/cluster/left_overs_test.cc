#include "cluster/left_overs.h"

#include <gtest/gtest.h>

#include "tests/unit/cluster/transfer_peers.h"

namespace cartwheel {
namespace {

// Four nodes at rest: three of them hold a key, and the fourth has no business with it.
class LeftOversTest : public testing::Test {
 protected:
  static constexpr int kKeys = 2000;

  LeftOversTest() {
    for (const NodeId node : kAll) peers_[node].hands_over = true;
  }
  static std::string Key(int i) { return "key:" + std::to_string(i); }

  bool IsHolder(NodeId node, const std::string& key) {
    return peers_[node].context->Holds(TransferPeers::At(key).position.slot, node);
  }
  NodeId StrangerTo(const std::string& key) {
    for (const NodeId node : kAll) {
      if (!IsHolder(node, key)) return node;
    }
    return 0;
  }
  std::vector<NodeId> HoldersOf(const std::string& key) {
    std::vector<NodeId> nodes;
    for (const NodeId node : kAll) {
      if (IsHolder(node, key)) nodes.push_back(node);
    }
    return nodes;
  }
  // Exactly those of the N have it.
  bool IsWhereItBelongs(const std::string& key) {
    return std::all_of(kAll.begin(), kAll.end(),
                       [&](NodeId node) { return peers_.Has(node, key) == IsHolder(node, key); });
  }

  const std::vector<NodeId> kAll{1, 2, 3, 4};
  TransferPeers peers_{RingOf(4)};
};

TEST_F(LeftOversTest, WhatOthersHaveAlikeGoesLeafByLeaf) {
  for (int i = 0; i < kKeys; ++i) peers_.Set(kAll, Key(i), "value");
  EXPECT_GT(peers_[1].handoff->LeftOverSlots(), 0U);
  peers_.Run(20'000);
  EXPECT_EQ(peers_[1].handoff->LeftOverSlots(), 0U);
  for (int i = 0; i < kKeys; ++i) EXPECT_TRUE(IsWhereItBelongs(Key(i))) << Key(i);
  EXPECT_EQ(peers_.sent[HoldsRequest::kType], 0U);
  EXPECT_LE(peers_.sent[LeavesRequest::kType], 4 * 3 * 2U);
  for (const NodeId node : kAll) {
    EXPECT_FALSE(peers_[node].handoff->HasLeftOvers());
    EXPECT_GT(peers_[node].counters().left_overs_moved, 0U);
  }
}

TEST_F(LeftOversTest, WhatOthersHaveANewerVersionOfGoesKeyByKey) {
  for (int i = 0; i < kKeys; ++i) peers_.Set(kAll, Key(i), "value");
  for (int i = 0; i < kKeys; i += 10) peers_.Set(HoldersOf(Key(i)), Key(i), "newer");
  peers_.Run(20'000);
  for (int i = 0; i < kKeys; ++i) EXPECT_TRUE(IsWhereItBelongs(Key(i))) << Key(i);
  EXPECT_GE(peers_.sent[HoldsRequest::kType], kKeys / 10U);
  EXPECT_LE(peers_.sent[HoldsRequest::kType], kKeys / 2U);
}

TEST_F(LeftOversTest, WhatTooFewHaveIsGivenToThemFirst) {
  for (int i = 0; i < kKeys; ++i) {
    const std::string key = Key(i);
    peers_.Set({StrangerTo(key), HoldersOf(key).front()}, key, "value");
  }
  peers_.Run(20'000);
  for (int i = 0; i < kKeys; ++i) EXPECT_TRUE(IsWhereItBelongs(Key(i))) << Key(i);
}

TEST_F(LeftOversTest, WhatComesBetweenTheAnswerAndTheDropIsNotLost) {
  const std::string key = Key(0);
  const NodeId stranger = StrangerTo(key);
  peers_.Set(kAll, key, "value");
  std::string other;
  for (int i = 1; other.empty(); ++i) {
    const bool same_leaf =
        TransferPeers::At(Key(i)).position.leaf() == TransferPeers::At(key).position.leaf();
    if (same_leaf) other = Key(i);
  }
  ASSERT_TRUE(peers_.RunUntil(1000, [&] { return peers_.sent[LeavesResponse::kType] == 3; }));
  peers_.Run(2);  // the answers are there
  ASSERT_TRUE(peers_.Has(stranger, key));
  peers_.Set({stranger}, other, "value");
  peers_.Run(20'000);
  EXPECT_TRUE(IsWhereItBelongs(key));
  EXPECT_TRUE(IsWhereItBelongs(other));
}

TEST_F(LeftOversTest, WhoKnowsAnotherPlacementDoesNotCount) {
  const std::string key = Key(0);
  const NodeId stranger = StrangerTo(key);
  peers_.Set(kAll, key, "value");
  ClusterState later = peers_[stranger].state;
  ++later.placement_version;
  for (const NodeId node : HoldersOf(key)) peers_.Adopt(node, later);
  peers_.Run(20'000);
  EXPECT_TRUE(peers_.Has(stranger, key));
  peers_.Adopt(stranger, later);
  peers_.Run(20'000);
  EXPECT_TRUE(IsWhereItBelongs(key));
}

TEST_F(LeftOversTest, WithoutAQuorumOfThemItStays) {
  const std::string key = Key(0);
  const NodeId stranger = StrangerTo(key);
  peers_.Set(kAll, key, "value");
  const auto holders = HoldersOf(key);
  peers_.Lose(holders[0]);
  peers_.Lose(holders[1]);
  peers_.Run(20'000);
  EXPECT_TRUE(peers_.Has(stranger, key));
  peers_.Return(holders[0]);
  peers_.Run(40'000);
  EXPECT_FALSE(peers_.Has(stranger, key)) << "W of them are back";
}

}  // namespace
}  // namespace cartwheel
