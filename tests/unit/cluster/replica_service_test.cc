#include "cluster/replica_service.h"

#include <gtest/gtest.h>

#include "tests/unit/cluster/replica_peers.h"

namespace cartwheel {
namespace {

constexpr int64_t kOldestMs = 60'000;

// Node 1's copy of "k", as node 2 is sent it: what it is told then is the answer's `stored`.
class LateMergeTest : public testing::Test {
 protected:
  LateMergeTest() : peers_(2) {
    // What is quick shows how far the two clocks are apart.
    peers_.Set(1, "before", "v");
    peers_.Repair(1, 1);
    peers_.Run(1000);
    const Object object = peers_.Set(1, "k", "v");
    EncodeObject(object, &object_);
    peers_.Call(1, [&](const Turn& turn) { stamp_ = peers_[1].context.StampOf(turn.now); });
  }

  bool Deliver() {
    bool merged = false;
    peers_.Call(2, [&](const Turn& turn) {
      const MergeRequest request{.request = 7,
                                 .epoch = peers_[2].context.epoch(),
                                 .stamp = stamp_,
                                 .db = 0,
                                 .key = "k",
                                 .object = object_};
      merged = peers_[2].service.OnMerge(turn, 1, request);
    });
    return merged;
  }

  ReplicaPeers peers_;
  std::string object_;
  Stamp stamp_;
};

TEST_F(LateMergeTest, WhatWasOnItsWayForAWhileIsMerged) {
  peers_[1].up = peers_[2].up = false;  // nothing else brings it
  peers_.Run(kOldestMs - 2000);
  EXPECT_TRUE(Deliver());
  EXPECT_EQ(peers_.Get(2, "k"), "v");
}

TEST_F(LateMergeTest, WhatIsOlderThanTombstonesMayBeIsRefused) {
  peers_[1].up = peers_[2].up = false;
  peers_.Run(kOldestMs + 2000);
  EXPECT_FALSE(Deliver());
  EXPECT_EQ(peers_.Get(2, "k"), "");
  EXPECT_EQ(peers_[2].counters().merges_too_late, 1U);
}

}  // namespace
}  // namespace cartwheel
