// Random changes, one after the other: what holds of every state that they can make.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"
#include "cluster/ring.h"
#include "tests/unit/cluster/ring_states.h"

namespace cartwheel {
namespace {

constexpr Author kAuthor{1, 5};

class RandomChanges {
 public:
  explicit RandomChanges(uint64_t seed) : random_(seed) {
    ClusterSettings settings;
    settings.partitions = 16U << random_.Below(3);
    settings.placement =
        random_.Chance(1, 4) ? PlacementStrategy::kTokens : PlacementStrategy::kEqual;
    settings.tokens = 4;
    state_ = NewRing(1, settings, MemberOf(++last_id_, ZoneOf()), 0);
  }

  const ClusterState& state() const { return state_; }

  // The next state, or the present one when the change is refused.
  ClusterState Change() {
    const Result<ClusterState> next = Try();
    if (next) state_ = *next;
    return state_;
  }

 private:
  Result<ClusterState> Try() {
    switch (random_.Below(10)) {
      case 0:
      case 1: return WithMember(state_, MemberOf(++last_id_, ZoneOf()), 0, kAuthor);
      case 2: return WithMember(state_, MemberOf(++last_id_, ZoneOf()), SomeMember(), kAuthor);
      case 3: return WithLeaving(state_, SomeMember(), kAuthor);
      case 4: return WithDeparted(state_, SomeMember(), kAuthor);
      case 5: {
        std::vector<NodeId> gone = {SomeMember()};
        if (const NodeId other = SomeMember(); other != gone[0]) gone.push_back(other);
        if (random_.Chance(1, 2)) gone.resize(1);
        if (random_.Chance(1, 4)) return WithForced(state_, gone, state_.ring_id + 1, kAuthor);
        return WithRemoved(state_, gone, kAuthor);
      }
      case 6: {
        Member member = *state_.Find(SomeMember());
        member.zone = ZoneOf();
        member.weight_thousandths = static_cast<uint32_t>(200 + random_.Below(3000));
        return WithUpdatedMember(state_, member, kAuthor);
      }
      case 7: {
        const auto any = [&] { return static_cast<uint8_t>(random_.Below(kMaxReplicas + 2)); };
        return WithSettings(state_, {any(), any(), any()}, kAuthor);
      }
      case 8: return WithFlush(state_, 0, random_.Next(), kAuthor);
      default: return WithNextPhase(state_, state_.placement_version, kAuthor);
    }
  }
  NodeId SomeMember() { return state_.members[random_.Below(state_.members.size())].id; }
  std::string ZoneOf() { return std::string(1, static_cast<char>('a' + random_.Below(3))); }

  Random random_;
  NodeId last_id_ = 0;
  ClusterState state_;
};

void ExpectWellFormed(const ClusterState& state) {
  std::string bytes;
  EncodeState(state, &bytes);
  const Result<ClusterState> decoded = DecodeState(bytes);
  ASSERT_TRUE(decoded.has_value());
  ASSERT_EQ(*decoded, state);
  ASSERT_EQ(state.serving.owners.size(), state.settings.partitions);
  ASSERT_EQ(state.target.empty(), !state.in_motion());
  size_t staying = 0;
  for (const Member& member : state.members) {
    ASSERT_FALSE(state.WasRemoved(member.id));
    staying += member.status != MemberStatus::kLeaving ? 1 : 0;
  }
  ASSERT_GT(staying, 0U);
  if (state.phase == Phase::kFetch) {
    ASSERT_EQ(state.target.seats.size(), staying);
    for (const Seat& seat : state.target.seats) ASSERT_NE(state.Find(seat.id), nullptr);
  }
}

void ExpectMembersAlone(const ClusterState& state, std::span<const NodeId> nodes) {
  for (const NodeId node : nodes) ASSERT_NE(state.Find(node), nullptr);
  ASSERT_EQ(std::set<NodeId>(nodes.begin(), nodes.end()).size(), nodes.size());
}

// Every list has somebody, members alone, and each of them once.
void ExpectUsable(const ClusterState& state) {
  const Ring ring(state);
  for (uint32_t partition = 0; partition < ring.partition_count(); ++partition) {
    const uint16_t slot = ring.FirstSlot(partition);
    ASSERT_FALSE(ring.Replicas(slot).empty());
    ASSERT_LE(ring.Replicas(slot).size(), ring.n());
    ExpectMembersAlone(state, ring.PreferenceList(slot));
    ExpectMembersAlone(state, ring.OtherReplicas(slot));
    ASSERT_EQ(ring.Walk(slot).size(), state.members.size());
    for (const NodeId gainer : ring.Gainers()) {
      const Ring::Sources sources = ring.SourcesOf(partition, gainer);
      ExpectMembersAlone(state, sources.nodes);
      const bool is_one =
          std::find(sources.nodes.begin(), sources.nodes.end(), gainer) != sources.nodes.end();
      ASSERT_LE(sources.needed, sources.nodes.size() - (is_one ? 1 : 0));
    }
    const Ring::Sources switchers = ring.SwitchersOf(partition);
    ExpectMembersAlone(state, switchers.nodes);
    ASSERT_LE(switchers.needed, switchers.nodes.size());
  }
}

TEST(RandomChangesOfAState, KeepItWellFormed) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    RandomChanges changes(seed);
    for (int i = 0; i < 60; ++i) {
      const ClusterState before = changes.state();
      const ClusterState after = changes.Change();
      ASSERT_LE(after.epoch, before.epoch + 1);
      const bool moved = before.serving != after.serving || before.target != after.target ||
                         before.phase != after.phase;
      ASSERT_GE(after.placement_version, before.placement_version + (moved ? 1 : 0));
      ASSERT_NO_FATAL_FAILURE(ExpectWellFormed(after));
      if (i % 5 == 0) {
        ASSERT_NO_FATAL_FAILURE(ExpectUsable(after));
      }
    }
  }
}

TEST(RandomChangesOfAState, EndWithTheRingAtRestAndEverybodyInIt) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    RandomChanges changes(seed);
    for (int i = 0; i < 60; ++i) changes.Change();
    ClusterState state = changes.state();
    for (int phases = 0; state.in_motion(); ++phases) {
      ASSERT_LT(phases, 4) << "that of the motion, and one for what was put off";
      state = *WithNextPhase(state, state.placement_version, kAuthor);
    }
    std::vector<Seat> staying;
    for (const Member& member : state.members) {
      EXPECT_NE(member.status, MemberStatus::kJoining);
      if (member.status == MemberStatus::kLeaving) continue;
      staying.push_back({member.id, member.zone, member.weight_thousandths});
    }
    EXPECT_EQ(state.serving.seats, staying);
    EXPECT_EQ(state.serving.n, state.settings.n);
  }
}

}  // namespace
}  // namespace cartwheel
