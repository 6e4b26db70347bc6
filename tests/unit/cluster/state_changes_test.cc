// What each change makes of a state, at rest and in both phases of a motion.
#include "cluster/state_changes.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/cluster/ring_states.h"

namespace cartwheel {
namespace {

constexpr Author kAuthor{1, 5};

bool HasSeat(const Placement& placement, NodeId id) {
  return std::any_of(placement.seats.begin(), placement.seats.end(),
                     [id](const Seat& seat) { return seat.id == id; });
}
MemberStatus StatusOf(const ClusterState& state, NodeId id) { return state.Find(id)->status; }
ClusterState NextPhase(const ClusterState& state) {
  return *WithNextPhase(state, state.placement_version, kAuthor);
}
ClusterState Joined(const ClusterState& state, NodeId id) {
  return *WithMember(state, MemberOf(id), 0, kAuthor);
}
ClusterState Removed(const ClusterState& state, std::vector<NodeId> gone) {
  return *WithRemoved(state, gone, kAuthor);
}
// Reads of a ring of five switch to a placement with a sixth.
ClusterState Switching() { return NextPhase(Joined(RingOf(5), 6)); }

// In kSwitch nothing moves but the version: what was decided comes about in a motion of its own.
void ExpectPutOff(const ClusterState& before, const ClusterState& after) {
  EXPECT_EQ(after.phase, Phase::kSwitch);
  EXPECT_EQ(after.serving, before.serving);
  EXPECT_EQ(after.target, before.target);
  EXPECT_GT(after.placement_version, before.placement_version);
  const ClusterState later = NextPhase(after);
  EXPECT_EQ(later.phase, Phase::kFetch);
  EXPECT_EQ(later.serving, before.target);
  EXPECT_GT(later.placement_version, after.placement_version);
}

TEST(Join, MovesTheRingInTwoPhases) {
  const ClusterState state = RingOf(5);
  const ClusterState fetch = Joined(state, 6);
  EXPECT_EQ(fetch.phase, Phase::kFetch);
  EXPECT_EQ(fetch.serving, state.serving);
  EXPECT_TRUE(HasSeat(fetch.target, 6));
  EXPECT_EQ(fetch.reading(), fetch.serving);
  EXPECT_EQ(StatusOf(fetch, 6), MemberStatus::kJoining);
  EXPECT_GT(fetch.placement_version, state.placement_version);

  const ClusterState switching = NextPhase(fetch);
  EXPECT_EQ(switching.phase, Phase::kSwitch);
  EXPECT_EQ(switching.serving, state.serving);
  EXPECT_EQ(switching.target, fetch.target);
  EXPECT_EQ(switching.reading(), switching.target);
  EXPECT_EQ(StatusOf(switching, 6), MemberStatus::kJoining);
  EXPECT_GT(switching.placement_version, fetch.placement_version);

  const ClusterState settled = NextPhase(switching);
  EXPECT_EQ(settled.phase, Phase::kSettled);
  EXPECT_EQ(settled.serving, fetch.target);
  EXPECT_TRUE(settled.target.empty());
  EXPECT_EQ(StatusOf(settled, 6), MemberStatus::kNormal);
  EXPECT_GT(settled.placement_version, switching.placement_version);
}

TEST(Join, OfAnotherWhileFetchingMovesTheTarget) {
  const ClusterState first = Joined(RingOf(5), 6);
  const ClusterState both = Joined(first, 7);
  EXPECT_EQ(both.phase, Phase::kFetch);
  EXPECT_EQ(both.serving, first.serving);
  EXPECT_TRUE(HasSeat(both.target, 6));
  EXPECT_TRUE(HasSeat(both.target, 7));
  EXPECT_GT(both.placement_version, first.placement_version);
}

TEST(Join, OfAnotherWhileReadsSwitchIsPutOff) {
  const ClusterState state = Switching();
  const ClusterState both = Joined(state, 7);
  ExpectPutOff(state, both);
  EXPECT_EQ(StatusOf(both, 7), MemberStatus::kJoining);
  const ClusterState later = NextPhase(both);
  EXPECT_EQ(StatusOf(later, 6), MemberStatus::kNormal);
  EXPECT_EQ(StatusOf(later, 7), MemberStatus::kJoining);
  EXPECT_TRUE(HasSeat(later.target, 7));
}

TEST(Join, IsRefusedWithAReason) {
  const ClusterState state = Removed(RingOf(4), {4});
  EXPECT_FALSE(WithMember(state, MemberOf(3), 0, kAuthor).has_value());
  const auto back = WithMember(state, MemberOf(4), 0, kAuthor);
  ASSERT_FALSE(back.has_value());
  EXPECT_NE(back.error().message.find("was removed"), std::string::npos);
  Member wiped = MemberOf(3);
  wiped.id = 1234;
  const auto same_address = WithMember(state, wiped, 0, kAuthor);
  ASSERT_FALSE(same_address.has_value());
  EXPECT_NE(same_address.error().message.find("DYN.REPLACE"), std::string::npos);
  EXPECT_NE(same_address.error().message.find(FormatNodeId(3)), std::string::npos);
}

TEST(Join, NoRingHasMoreMembersThanPartitions) {
  ClusterSettings settings;
  settings.partitions = 4;
  const auto fifth = WithMember(RingOf(4, settings), MemberOf(5), 0, kAuthor);
  ASSERT_FALSE(fifth.has_value());
  EXPECT_EQ(fifth.error().code, ErrorCode::kFull);
}

TEST(Leave, HandsOverFirstAndDepartsWhenTheRingRests) {
  const ClusterState state = RingOf(5);
  const ClusterState fetch = *WithLeaving(state, 2, kAuthor);
  EXPECT_EQ(fetch.phase, Phase::kFetch);
  EXPECT_EQ(StatusOf(fetch, 2), MemberStatus::kLeaving);
  EXPECT_TRUE(HasSeat(fetch.serving, 2));
  EXPECT_FALSE(HasSeat(fetch.target, 2));
  EXPECT_FALSE(WithDeparted(fetch, 2, kAuthor).has_value());
  EXPECT_FALSE(WithDeparted(NextPhase(fetch), 2, kAuthor).has_value());

  const ClusterState settled = Settled(fetch);
  EXPECT_EQ(StatusOf(settled, 2), MemberStatus::kLeaving);
  EXPECT_FALSE(HasSeat(settled.serving, 2));
  EXPECT_FALSE(WithDeparted(settled, 3, kAuthor).has_value());
  EXPECT_FALSE(WithDeparted(settled, 9, kAuthor).has_value());

  const ClusterState departed = *WithDeparted(settled, 2, kAuthor);
  EXPECT_EQ(departed.Find(2), nullptr);
  EXPECT_TRUE(departed.WasRemoved(2));
  EXPECT_EQ(departed.phase, Phase::kSettled);
  EXPECT_EQ(departed.serving.owners, settled.serving.owners);
}

TEST(Leave, OfTheJoinerUndoesTheMotion) {
  const ClusterState state = RingOf(3);
  const ClusterState undone = *WithLeaving(Joined(state, 4), 4, kAuthor);
  EXPECT_EQ(undone.phase, Phase::kSettled);
  EXPECT_FALSE(HasSeat(undone.serving, 4));
  EXPECT_EQ(StatusOf(undone, 4), MemberStatus::kLeaving);
  EXPECT_TRUE(WithDeparted(undone, 4, kAuthor).has_value());
}

TEST(Leave, WhileReadsSwitchIsPutOff) {
  const ClusterState state = Switching();
  const ClusterState leaving = *WithLeaving(state, 2, kAuthor);
  ExpectPutOff(state, leaving);
  EXPECT_FALSE(HasSeat(NextPhase(leaving).target, 2));
}

TEST(Leave, TheLastWhoStaysCannot) {
  ClusterState state = *WithLeaving(RingOf(3), 1, kAuthor);
  state = *WithLeaving(state, 2, kAuthor);
  const NodeId last[] = {3};
  EXPECT_FALSE(WithLeaving(state, 3, kAuthor).has_value());
  EXPECT_FALSE(WithRemoved(state, last, kAuthor).has_value());
  EXPECT_FALSE(WithLeaving(RingOf(1), 1, kAuthor).has_value());
  EXPECT_FALSE(WithLeaving(state, 9, kAuthor).has_value());
}

TEST(Remove, MovesWhatTheyHadToTheOthers) {
  const ClusterState state = RingOf(6);
  const ClusterState next = Removed(state, {2, 5});
  EXPECT_EQ(next.members.size(), 4U);
  EXPECT_TRUE(next.WasRemoved(2));
  EXPECT_TRUE(next.WasRemoved(5));
  EXPECT_EQ(next.phase, Phase::kFetch);
  EXPECT_EQ(next.serving, state.serving);
  EXPECT_FALSE(HasSeat(next.target, 2));
  EXPECT_FALSE(HasSeat(next.target, 5));
  EXPECT_GT(next.placement_version, state.placement_version);
  EXPECT_EQ(next.epoch, state.epoch + 1);
}

TEST(Remove, OfAJoinerUndoesTheMotionAtOnce) {
  const ClusterState state = RingOf(3);
  const ClusterState undone = Removed(Joined(state, 4), {4});
  EXPECT_EQ(undone.phase, Phase::kSettled);
  EXPECT_TRUE(undone.target.empty());
  EXPECT_EQ(undone.serving.seats, state.serving.seats);
  EXPECT_TRUE(undone.WasRemoved(4));
}

TEST(Remove, OfAnOldOneInAJoinGoesOnWithoutIt) {
  const ClusterState state = Joined(RingOf(5), 6);
  const ClusterState next = Removed(state, {1});
  EXPECT_EQ(next.phase, Phase::kFetch);
  EXPECT_EQ(next.serving, state.serving);
  EXPECT_FALSE(HasSeat(next.target, 1));
  EXPECT_TRUE(HasSeat(next.target, 6));
}

TEST(Remove, WhileReadsSwitchIsPutOff) {
  const ClusterState state = Switching();
  const ClusterState next = Removed(state, {6});  // who is in the target
  EXPECT_EQ(next.Find(6), nullptr);
  ExpectPutOff(state, next);
  EXPECT_FALSE(HasSeat(NextPhase(next).target, 6));
}

TEST(Remove, OfAllOrOfStrangersIsRefused) {
  const std::vector<NodeId> all = {1, 2, 3};
  const std::vector<NodeId> stranger = {3, 9};
  EXPECT_FALSE(WithRemoved(RingOf(3), all, kAuthor).has_value());
  EXPECT_FALSE(WithRemoved(RingOf(3), stranger, kAuthor).has_value());
}

TEST(Remove, TheOldestAreForgottenWhenTheyAreTooMany) {
  ClusterState state = RingOf(2);
  for (NodeId id = 10; id < 10 + kMaxRemoved + 5; ++id) state.removed.push_back(id);
  state.removed.resize(kMaxRemoved);
  state = Removed(state, {2});
  EXPECT_EQ(state.removed.size(), kMaxRemoved);
  EXPECT_FALSE(state.WasRemoved(10));
  EXPECT_EQ(state.removed.back(), 2U);
}

TEST(Force, MakesARingOfItsOwn) {
  const ClusterState state = RingOf(3);
  const std::vector<NodeId> gone = {2, 3};
  const ClusterState forced = *WithForced(state, gone, 99, kAuthor);
  EXPECT_EQ(forced.ring_id, 99U);
  EXPECT_EQ(forced.parent_ring_id, state.ring_id);
  EXPECT_EQ(forced.epoch, state.epoch + 1);
  EXPECT_EQ(forced.members.size(), 1U);
  EXPECT_TRUE(forced.WasRemoved(2));
  EXPECT_NE(forced.history.front().what.find("FORCE"), std::string::npos);
}

// In that of `old` sits the joiner, and all else is as it was.
void ExpectReseated(const Placement& before, const Placement& after, NodeId old, NodeId joiner) {
  ASSERT_EQ(after.owners.size(), before.owners.size());
  for (uint32_t p = 0; p < before.owners.size(); ++p) {
    const NodeId was = before.OwnerOf(p);
    EXPECT_EQ(after.OwnerOf(p), was == old ? joiner : was) << p;
  }
}

TEST(Replace, ReseatsTheJoinerAndMovesNothingElse) {
  const ClusterState state = RingOf(5);
  for (const NodeId joiner : {9, 1000}) {
    Member member = MemberOf(joiner);
    member.bus_port = MemberOf(2).bus_port;  // the same address is all right
    const ClusterState next = *WithMember(state, member, 2, kAuthor);
    EXPECT_EQ(next.phase, Phase::kFetch);
    EXPECT_EQ(next.Find(2), nullptr);
    EXPECT_TRUE(next.WasRemoved(2));
    EXPECT_EQ(StatusOf(next, joiner), MemberStatus::kJoining);
    EXPECT_EQ(next.serving, state.serving);
    ExpectReseated(state.serving, next.target, 2, joiner);
    EXPECT_EQ(StatusOf(Settled(next), joiner), MemberStatus::kNormal);
  }
}

TEST(Replace, KeepsThePlaceWhateverTheRuleWouldGiveTheJoiner) {
  for (const uint32_t tokens : {0, 1, 64}) {
    ClusterSettings settings;
    if (tokens != 0) settings.placement = PlacementStrategy::kTokens;
    if (tokens != 0) settings.tokens = tokens;
    std::vector<Member> members;
    for (NodeId id = 1; id <= 5; ++id) members.push_back(MemberOf(id));
    const ClusterState state = RingOf(settings, members);
    for (const uint32_t weight : {1000, 2000}) {
      const ClusterState next = *WithMember(state, MemberOf(9, "default", weight), 2, kAuthor);
      const ClusterState settled = Settled(next);
      ExpectReseated(state.serving, settled.serving, 2, 9);
      EXPECT_EQ(settled.epoch, next.epoch + 2) << "one motion";
    }
  }
}

TEST(Replace, InAMotionReseatsTheTarget) {
  const ClusterState state = Joined(RingOf(5), 6);
  for (const NodeId old : {2, 6}) {
    const ClusterState next = *WithMember(state, MemberOf(9), old, kAuthor);
    EXPECT_EQ(next.phase, Phase::kFetch);
    EXPECT_EQ(next.serving, state.serving);
    ExpectReseated(state.target, next.target, old, 9);
  }
}

TEST(Replace, WhileReadsSwitchIsPutOff) {
  const ClusterState state = Switching();
  const ClusterState next = *WithMember(state, MemberOf(9), 2, kAuthor);
  ExpectPutOff(state, next);
  EXPECT_TRUE(HasSeat(NextPhase(next).target, 9));
  EXPECT_FALSE(HasSeat(NextPhase(next).target, 2));
}

TEST(Replace, OfAStrangerOrAtAThirdsAddressIsRefused) {
  EXPECT_FALSE(WithMember(RingOf(3), MemberOf(9), 8, kAuthor).has_value());
  Member member = MemberOf(9);
  member.bus_port = MemberOf(3).bus_port;
  EXPECT_FALSE(WithMember(RingOf(3), member, 2, kAuthor).has_value());
}

TEST(Update, OfAnAddressMovesNothing) {
  const ClusterState state = RingOf(3);
  Member moved = MemberOf(3);
  moved.bus_port = 3333;
  moved.status = MemberStatus::kLeaving;  // not an update's to say
  const ClusterState next = *WithUpdatedMember(state, moved, kAuthor);
  EXPECT_EQ(next.Find(3)->bus_port, 3333);
  EXPECT_EQ(StatusOf(next, 3), MemberStatus::kNormal);
  EXPECT_EQ(next.serving, state.serving);
  EXPECT_EQ(next.placement_version, state.placement_version);
  EXPECT_EQ(next.epoch, state.epoch + 1);
  moved.bus_port = MemberOf(2).bus_port;
  EXPECT_FALSE(WithUpdatedMember(state, moved, kAuthor).has_value());
  EXPECT_FALSE(WithUpdatedMember(state, MemberOf(9), kAuthor).has_value());
}

TEST(Update, OfAWeightIsPlannedWith) {
  const ClusterState next = *WithUpdatedMember(RingOf(6), MemberOf(3, "default", 3000), kAuthor);
  const Placement& wanted = next.in_motion() ? next.target : next.serving;
  EXPECT_EQ(wanted.seats[2].weight_thousandths, 3000U);
  const ClusterState state = Switching();
  const ClusterState later = *WithUpdatedMember(state, MemberOf(3, "default", 3000), kAuthor);
  EXPECT_EQ(later.target, state.target);
  EXPECT_GT(later.placement_version, state.placement_version);
  EXPECT_EQ(Settled(later).serving.seats[2].weight_thousandths, 3000U);
}

TEST(Update, OfAZoneWhereAllHoldAllIsInForceAtOnce) {
  const ClusterState state = RingOf(3);
  const ClusterState next = *WithUpdatedMember(state, MemberOf(3, "cellar"), kAuthor);
  EXPECT_EQ(next.phase, Phase::kSettled);
  EXPECT_EQ(next.serving.seats[2].zone, "cellar");
  EXPECT_GT(next.placement_version, state.placement_version);
}

TEST(Settings, OfRAndWMoveNothing) {
  const ClusterState state = RingOf(5);
  const ClusterState next = *WithSettings(state, {.r = 3, .w = 1}, kAuthor);
  EXPECT_EQ(next.settings.n, 3);
  EXPECT_EQ(next.settings.r, 3);
  EXPECT_EQ(next.settings.w, 1);
  EXPECT_EQ(next.lowest_w, 1);
  EXPECT_EQ(next.placement_version, state.placement_version);
  EXPECT_EQ(WithSettings(next, {.w = 3}, kAuthor)->lowest_w, 1);
}

TEST(Settings, OfNMoveTheRing) {
  const ClusterState state = RingOf(6);
  for (const uint8_t n : {2, 5}) {
    const ClusterState next = *WithSettings(state, {.n = n}, kAuthor);
    EXPECT_EQ(next.settings.n, n);
    EXPECT_EQ(next.phase, Phase::kFetch);
    EXPECT_EQ(next.serving, state.serving);
    EXPECT_EQ(next.target.n, n);
    EXPECT_EQ(Settled(next).serving.n, n);
  }
  const ClusterState switching = Switching();
  ExpectPutOff(switching, *WithSettings(switching, {.n = 5}, kAuthor));
}

TEST(Settings, OutOfBoundsAreRefused) {
  const ClusterState state = RingOf(5);
  EXPECT_FALSE(WithSettings(state, {.n = kMaxReplicas + 1}, kAuthor).has_value());
  EXPECT_TRUE(WithSettings(state, {.n = kMaxReplicas}, kAuthor).has_value());
  EXPECT_FALSE(WithSettings(state, {.r = 4}, kAuthor).has_value());
  EXPECT_FALSE(WithSettings(state, {.w = 4}, kAuthor).has_value());
  EXPECT_FALSE(WithSettings(state, {.n = 1}, kAuthor).has_value()) << "R and W are 2";
  EXPECT_TRUE(WithSettings(state, {.n = 1, .r = 1, .w = 1}, kAuthor).has_value());
}

TEST(Flush, LeavesEveryPhaseAlone) {
  const ClusterState fetch = Joined(RingOf(5), 6);
  for (const ClusterState& state : {RingOf(5), fetch, NextPhase(fetch)}) {
    const ClusterState next = WithFlush(state, 3, 77, kAuthor);
    EXPECT_EQ(next.FlushedBefore(3), 77U);
    EXPECT_EQ(next.epoch, state.epoch + 1);
    EXPECT_EQ(next.phase, state.phase);
    EXPECT_EQ(next.serving, state.serving);
    EXPECT_EQ(next.target, state.target);
    EXPECT_EQ(next.placement_version, state.placement_version);
  }
}

TEST(NextPhaseOfAMotion, IsOnlyThatOfThePresentVersion) {
  const ClusterState fetch = Joined(RingOf(3), 4);
  EXPECT_FALSE(WithNextPhase(fetch, fetch.placement_version - 1, kAuthor).has_value());
  EXPECT_FALSE(WithNextPhase(fetch, fetch.placement_version + 1, kAuthor).has_value());
  const ClusterState switching = NextPhase(fetch);
  EXPECT_FALSE(WithNextPhase(switching, fetch.placement_version, kAuthor).has_value());
  const ClusterState settled = NextPhase(switching);
  EXPECT_FALSE(WithNextPhase(settled, settled.placement_version, kAuthor).has_value());
}

TEST(EveryChange, IsWrittenIntoTheHistory) {
  const ClusterState state = *WithLeaving(RingOf(3), 2, {3, 1234});
  const Change& change = state.history.front();
  EXPECT_EQ(change.epoch, state.epoch);
  EXPECT_EQ(change.proposer, 3U);
  EXPECT_EQ(change.wall_ms, 1234);
  EXPECT_EQ(change.what, "LEAVE " + FormatNodeId(2));
}

}  // namespace
}  // namespace cartwheel
