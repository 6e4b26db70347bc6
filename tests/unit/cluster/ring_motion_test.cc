// Rings in motion, and without those who were removed: who is a replica, who gains, from whom.
#include <gtest/gtest.h>

#include "cluster/ring.h"
#include "tests/unit/cluster/ring_states.h"

namespace cartwheel {
namespace {

using Nodes = std::vector<NodeId>;

constexpr Author kAuthor{1, 0};

Nodes List(std::span<const NodeId> nodes) { return {nodes.begin(), nodes.end()}; }

// A few partitions with the owners given.
class RingMotionTest : public testing::Test {
 protected:
  RingMotionTest() {
    state_.ring_id = state_.epoch = state_.placement_version = 1;
    for (NodeId id = 1; id <= 5; ++id) everybody_.push_back(MemberOf(id));
    state_.members = everybody_;
  }
  // Of all five members; the seats are those that own something.
  Placement Owned(uint8_t n, const Nodes& owners) const {
    std::vector<Member> seated;
    for (const Member& member : everybody_) {
      if (std::find(owners.begin(), owners.end(), member.id) != owners.end()) {
        seated.push_back(member);
      }
    }
    return PlacementOf(n, seated, owners);
  }
  void Move(const Placement& serving, const Placement& target) {
    state_.settings.partitions = static_cast<uint32_t>(serving.owners.size());
    state_.serving = serving;
    state_.target = target;
    state_.phase = Phase::kFetch;
  }
  // 5 takes the place of 4: partition 0 stays with (1, 2, 3), the others move.
  void MoveFourToFive() { Move(Owned(3, {1, 2, 3, 4}), Owned(3, {1, 2, 3, 5})); }
  void Remove(const Nodes& gone) {
    for (const NodeId id : gone) {
      std::erase_if(state_.members, [id](const Member& member) { return member.id == id; });
      state_.removed.push_back(id);
    }
  }
  Ring In(Phase phase) {
    state_.phase = phase;
    return Ring(state_);
  }
  static uint16_t Slot(const Ring& ring, uint32_t partition) { return ring.LastSlot(partition); }

  std::vector<Member> everybody_;
  ClusterState state_;
};

TEST_F(RingMotionTest, WhileFetchingReadsGoToWhatServes) {
  MoveFourToFive();
  const Ring ring = In(Phase::kFetch);
  EXPECT_TRUE(ring.in_motion());
  EXPECT_EQ(List(ring.Replicas(Slot(ring, 0))), (Nodes{1, 2, 3}));
  EXPECT_EQ(List(ring.OtherReplicas(Slot(ring, 0))), Nodes());
  EXPECT_EQ(List(ring.Replicas(Slot(ring, 1))), (Nodes{2, 3, 4}));
  EXPECT_EQ(List(ring.OtherReplicas(Slot(ring, 1))), (Nodes{2, 3, 5}));
  EXPECT_TRUE(ring.Holds(Slot(ring, 1), 4));
  EXPECT_TRUE(ring.Holds(Slot(ring, 1), 5));
  EXPECT_FALSE(ring.Holds(Slot(ring, 1), 1));
  EXPECT_FALSE(ring.Holds(Slot(ring, 0), 5));
}

TEST_F(RingMotionTest, WhileReadsSwitchTheyGoToTheTarget) {
  MoveFourToFive();
  const Ring ring = In(Phase::kSwitch);
  EXPECT_TRUE(ring.in_motion());
  EXPECT_EQ(List(ring.Replicas(Slot(ring, 1))), (Nodes{2, 3, 5}));
  EXPECT_EQ(List(ring.OtherReplicas(Slot(ring, 1))), (Nodes{2, 3, 4}));
  EXPECT_EQ(List(ring.OtherReplicas(Slot(ring, 0))), Nodes());
  EXPECT_TRUE(ring.Holds(Slot(ring, 1), 4));
  EXPECT_TRUE(ring.Holds(Slot(ring, 1), 5));
}

TEST_F(RingMotionTest, AtRestThereIsOnePlacement) {
  MoveFourToFive();
  state_.serving = std::exchange(state_.target, {});
  const Ring ring = In(Phase::kSettled);
  EXPECT_FALSE(ring.in_motion());
  EXPECT_EQ(List(ring.Replicas(Slot(ring, 1))), (Nodes{2, 3, 5}));
  EXPECT_FALSE(ring.Holds(Slot(ring, 1), 4));
  for (uint32_t partition = 0; partition < 4; ++partition) {
    EXPECT_EQ(List(ring.OtherReplicas(Slot(ring, partition))), Nodes());
    EXPECT_EQ(ring.SourcesOf(partition, 5).needed, 0U);
    EXPECT_EQ(ring.SwitchersOf(partition).needed, 0U);
  }
  EXPECT_EQ(ring.Gainers(), Nodes());
}

TEST_F(RingMotionTest, WhoGainsComparesWithSoManyThatEveryWriteQuorumMeetsOne) {
  MoveFourToFive();
  const Ring ring = In(Phase::kFetch);
  EXPECT_EQ(ring.Gainers(), Nodes{5});
  EXPECT_EQ(List(ring.SourcesOf(1, 5).nodes), (Nodes{2, 3, 4}));
  EXPECT_EQ(ring.SourcesOf(1, 5).needed, 2U);
  EXPECT_EQ(ring.SourcesOf(0, 5).needed, 0U) << "it gains nothing there";
  EXPECT_EQ(ring.SourcesOf(1, 2).needed, 0U) << "it has it already";
  EXPECT_EQ(ring.SourcesOf(1, 4).needed, 0U) << "it loses it";
  EXPECT_EQ(In(Phase::kSwitch).SourcesOf(1, 5).needed, 0U);
  EXPECT_EQ(In(Phase::kSwitch).Gainers(), Nodes());
}

TEST_F(RingMotionTest, TheLowestWThatWasEverInForceCounts) {
  MoveFourToFive();
  state_.settings.w = 3;
  for (const uint8_t lowest : {1, 2, 3}) {
    state_.lowest_w = lowest;
    EXPECT_EQ(In(Phase::kFetch).SourcesOf(1, 5).needed, 4U - lowest);
  }
}

TEST_F(RingMotionTest, SoManyMustKnowTheSwitchThatNoReadQuorumMissesThem) {
  MoveFourToFive();
  for (const uint8_t r : {1, 2, 3}) {
    state_.settings.r = r;
    const Ring ring = In(Phase::kSwitch);
    EXPECT_EQ(List(ring.SwitchersOf(1).nodes), (Nodes{2, 3, 4}));
    EXPECT_EQ(ring.SwitchersOf(1).needed, 4U - r);
    EXPECT_EQ(ring.SwitchersOf(0).needed, 0U) << "it does not move";
    EXPECT_EQ(In(Phase::kFetch).SwitchersOf(1).needed, 0U);
  }
}

TEST_F(RingMotionTest, TheSameReplicasInAnotherOrderAreNoMove) {
  Move(Owned(3, {1, 2, 3, 2}), Owned(3, {3, 2, 1, 2}));
  const Ring ring = In(Phase::kFetch);
  for (uint32_t partition = 0; partition < 4; ++partition) {
    EXPECT_EQ(List(ring.OtherReplicas(Slot(ring, partition))), Nodes());
  }
  EXPECT_EQ(ring.Gainers(), Nodes());
  EXPECT_TRUE(HaveSameReplicas(state_, state_.serving, state_.target));
}

TEST_F(RingMotionTest, PlacementsDifferByReplicasOrByNOrByWhoWasRemoved) {
  MoveFourToFive();
  EXPECT_TRUE(HaveSameReplicas(state_, state_.serving, state_.serving));
  EXPECT_FALSE(HaveSameReplicas(state_, state_.serving, state_.target));
  EXPECT_FALSE(HaveSameReplicas(state_, state_.serving, Placement()));
  EXPECT_FALSE(HaveSameReplicas(state_, Owned(3, {1, 2, 1, 2}), Owned(2, {1, 2, 1, 2})));
  Remove({4});
  EXPECT_FALSE(HaveSameReplicas(state_, state_.serving, state_.serving));
}

TEST_F(RingMotionTest, AJoinerStandsInForOthersAndALeaverWithoutASeatDoesNot) {
  MoveFourToFive();
  {
    const Ring ring = In(Phase::kFetch);
    EXPECT_EQ(List(ring.PreferenceList(Slot(ring, 0))), (Nodes{1, 2, 3, 4, 5}));
  }
  state_.members[4].status = MemberStatus::kLeaving;
  const Ring ring = In(Phase::kFetch);
  EXPECT_EQ(List(ring.PreferenceList(Slot(ring, 0))), (Nodes{1, 2, 3, 4}));
  EXPECT_EQ(ring.Walk(Slot(ring, 0)), (Nodes{1, 2, 3, 4, 5}));
}

// --- those who were removed ---

TEST_F(RingMotionTest, WhoWasRemovedIsInNoListAndNobodyTakesItsPlaceInReads) {
  MoveFourToFive();
  Remove({2});
  const Ring ring = In(Phase::kFetch);
  EXPECT_EQ(List(ring.Replicas(Slot(ring, 0))), (Nodes{1, 3}));
  EXPECT_EQ(List(ring.Replicas(Slot(ring, 1))), (Nodes{3, 4}));
  EXPECT_EQ(List(ring.Replicas(Slot(ring, 2))), (Nodes{3, 4, 1}));
  EXPECT_EQ(List(ring.PreferenceList(Slot(ring, 0))), (Nodes{1, 3, 4, 5}));
  EXPECT_EQ(ring.n(), 3);
}

TEST_F(RingMotionTest, SourcesAreAllWhoAreLeftWhenTheyAreTooFew) {
  Move(Owned(3, {1, 2, 3, 4}), Owned(3, {1, 3, 5, 4}));
  Remove({2});
  {
    const Ring ring = In(Phase::kFetch);
    EXPECT_EQ(List(ring.SourcesOf(1, 5).nodes), (Nodes{3, 4}));
    EXPECT_EQ(ring.SourcesOf(1, 5).needed, 2U);
  }
  Remove({3});
  const Ring ring = In(Phase::kFetch);
  EXPECT_EQ(List(ring.SourcesOf(1, 5).nodes), Nodes{4});
  EXPECT_EQ(ring.SourcesOf(1, 5).needed, 1U);
}

TEST_F(RingMotionTest, WhenAllItsReplicasWereRemovedTheNextOnesAreInTheirPlace) {
  MoveFourToFive();
  Remove({2, 3, 4});
  const Ring ring = In(Phase::kFetch);
  EXPECT_EQ(List(ring.Replicas(Slot(ring, 1))), (Nodes{1, 5}));
  EXPECT_EQ(List(ring.PreferenceList(Slot(ring, 1))), (Nodes{1, 5}));
}

TEST_F(RingMotionTest, WhoStaysOfTooFewFetchesFromTheOthersWhatTheOneWhoIsGoneMayHaveHad) {
  Move(Owned(3, {1, 2, 3, 1}), Owned(3, {1, 2, 1, 2}));
  Remove({3});
  const Ring ring = In(Phase::kFetch);
  EXPECT_EQ(ring.SourcesOf(0, 1).needed, 1U);
  EXPECT_EQ(ring.SourcesOf(0, 2).needed, 1U);
  EXPECT_EQ(ring.Gainers(), (Nodes{1, 2}));
}

TEST_F(RingMotionTest, WhileReadsSwitchThoseLeftOfWhoServedAreEnough) {
  Move(Owned(3, {1, 2, 3, 4}), Owned(3, {1, 3, 5, 4}));
  state_.settings.r = 1;
  Remove({2});
  const Ring ring = In(Phase::kSwitch);
  EXPECT_EQ(List(ring.SwitchersOf(1).nodes), (Nodes{3, 4}));
  EXPECT_EQ(ring.SwitchersOf(1).needed, 2U);
}

// --- N raised and lowered ---

TEST_F(RingMotionTest, AHigherNGivesEveryPartitionOneMore) {
  Move(Owned(2, {1, 2, 3, 4}), Owned(3, {1, 2, 3, 4}));
  const Ring fetch = In(Phase::kFetch);
  EXPECT_EQ(fetch.n(), 2);
  EXPECT_EQ(List(fetch.Replicas(Slot(fetch, 0))), (Nodes{1, 2}));
  EXPECT_EQ(List(fetch.OtherReplicas(Slot(fetch, 0))), (Nodes{1, 2, 3}));
  EXPECT_EQ(List(fetch.SourcesOf(0, 3).nodes), (Nodes{1, 2}));
  EXPECT_EQ(fetch.SourcesOf(0, 3).needed, 1U) << "W was both of them";
  EXPECT_EQ(fetch.Gainers(), (Nodes{1, 2, 3, 4}));
  EXPECT_EQ(In(Phase::kSwitch).n(), 3);
}

TEST_F(RingMotionTest, WithALowerNThoseWhoStayGetWhatTheOthersHad) {
  Move(Owned(3, {1, 2, 3, 4}), Owned(2, {1, 2, 3, 4}));
  const Ring ring = In(Phase::kFetch);
  EXPECT_EQ(List(ring.OtherReplicas(Slot(ring, 0))), (Nodes{1, 2}));
  EXPECT_EQ(List(ring.SourcesOf(0, 1).nodes), (Nodes{1, 2, 3}));
  EXPECT_EQ(ring.SourcesOf(0, 1).needed, 2U);
  EXPECT_EQ(ring.SourcesOf(0, 3).needed, 0U) << "it loses it";
  EXPECT_EQ(ring.Gainers(), (Nodes{1, 2, 3, 4}));
}

TEST_F(RingMotionTest, QuorumsAreNoMoreThanTheReplicasThatServe) {
  Move(Owned(1, {1, 2, 3, 4}), Owned(3, {1, 2, 3, 4}));
  EXPECT_EQ(In(Phase::kFetch).r(), 1);
  EXPECT_EQ(In(Phase::kFetch).w(), 1);
  EXPECT_EQ(In(Phase::kSwitch).r(), 2);
  EXPECT_EQ(In(Phase::kSwitch).w(), 2);
}

// --- from one node on ---

TEST(SmallRings, GrowFromOneToThree) {
  ClusterState state = *WithMember(RingOf(1), MemberOf(2), 0, kAuthor);
  const Ring second(state);
  EXPECT_EQ(second.n(), 1);
  EXPECT_EQ(second.w(), 1);
  EXPECT_EQ(second.Gainers(), Nodes{2});
  EXPECT_EQ(List(second.SourcesOf(0, 2).nodes), Nodes{1});
  EXPECT_EQ(second.SourcesOf(0, 2).needed, 1U);

  state = *WithMember(Settled(state), MemberOf(3), 0, kAuthor);
  const Ring third(state);
  EXPECT_EQ(third.n(), 2);
  EXPECT_EQ(third.Gainers(), Nodes{3});
  for (uint32_t partition = 0; partition < third.partition_count(); ++partition) {
    EXPECT_EQ(third.SourcesOf(partition, 3).nodes.size(), 2U);
    EXPECT_EQ(third.SourcesOf(partition, 3).needed, 1U);
    EXPECT_EQ(third.OtherReplicas(third.FirstSlot(partition)).size(), 3U);
  }
  EXPECT_EQ(Ring(Settled(state)).n(), 3);
}

TEST(SmallRings, ShrinkFromThreeToOne) {
  ClusterState state = *WithLeaving(RingOf(3), 3, kAuthor);
  const Ring two(state);
  EXPECT_EQ(two.n(), 3);
  EXPECT_EQ(two.Gainers(), (Nodes{1, 2}));
  EXPECT_EQ(two.SourcesOf(0, 1).needed, 2U);

  state = *WithDeparted(Settled(state), 3, kAuthor);
  state = *WithLeaving(state, 2, kAuthor);
  const Ring one(state);
  EXPECT_EQ(one.n(), 2);
  EXPECT_EQ(one.Gainers(), Nodes{1});
  EXPECT_EQ(Ring(Settled(state)).n(), 1);
}

}  // namespace
}  // namespace cartwheel
