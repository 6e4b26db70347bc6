#include "cluster/cluster_state.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "cluster/ring.h"
#include "cluster/state_changes.h"

namespace cartwheel {
namespace {

Member MakeMember(NodeId id, uint16_t bus_port) {
  Member member;
  member.id = id;
  member.host = "10.1.2.3";
  member.port = 7001;
  member.bus_port = bus_port;
  return member;
}

constexpr Author kAuthor{3, 100};

// In motion, and with something in every field.
ClusterState FullState() {
  ClusterSettings settings;
  settings.n = 5;
  settings.r = 2;
  settings.w = 4;
  settings.partitions = 64;
  settings.partitioner = Partitioner::kMd5;
  Member founder = MakeMember(0xfedcba9876543210, 17001);
  founder.zone = "rack-7";
  founder.weight_thousandths = 2500;
  ClusterState state = NewRing(77, settings, founder, 1234567890123);
  state.parent_ring_id = 76;
  for (NodeId id = 1; id <= 6; ++id) {
    state = *WithMember(state, MakeMember(id, static_cast<uint16_t>(id)), 0, {founder.id, 99});
  }
  const NodeId gone[] = {6};
  state = *WithRemoved(state, gone, kAuthor);
  state = WithFlush(state, kAllDbs, 1ULL << 60, kAuthor);
  return WithFlush(state, 15, (1ULL << 60) + 1, {3, 101});
}

std::string Encoded(const ClusterState& state) {
  std::string bytes;
  EncodeState(state, &bytes);
  return bytes;
}

TEST(ClusterState, SurvivesEncoding) {
  const ClusterState state = FullState();
  const Result<ClusterState> decoded = DecodeState(Encoded(state));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded, state);
  EXPECT_EQ(Encoded(*decoded), Encoded(state));
  EXPECT_NE(Encoded(state), Encoded(WithFlush(state, 1, 5, kAuthor)));
}

TEST(ClusterState, EveryCutIsRefused) {
  const std::string bytes = Encoded(FullState());
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(DecodeState(std::string_view(bytes).substr(0, length)).has_value()) << length;
  }
}

TEST(ClusterState, DamagedBytesNeverGiveAnIllFormedState) {
  const std::string bytes = Encoded(FullState());
  Random random(11);
  int decoded_count = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = bytes;
    for (uint64_t i = 0; i <= random.Below(3); ++i) {
      damaged[random.Below(damaged.size())] = static_cast<char>(random.Next());
    }
    const Result<ClusterState> state = DecodeState(damaged);
    if (!state) continue;
    decoded_count += 1;
    EXPECT_EQ(state->serving.owners.size(), state->settings.partitions);
    EXPECT_EQ(state->target.empty(), !state->in_motion());
    for (const Placement* placement : {&state->serving, &state->target}) {
      for (const uint32_t owner : placement->owners) ASSERT_LT(owner, placement->seats.size());
    }
    EXPECT_LE(state->settings.w, state->settings.n);
    const Ring ring(*state);  // it can be used
    Encoded(*state);
  }
  EXPECT_GT(decoded_count, 0);
}

TEST(ClusterState, EveryChangeRaisesTheEpochAndIsRemembered) {
  const ClusterState state = FullState();
  EXPECT_EQ(state.epoch, 10U);
  ASSERT_EQ(state.history.size(), 10U);
  for (size_t i = 0; i < state.history.size(); ++i) EXPECT_EQ(state.history[i].epoch, 10 - i);
  EXPECT_EQ(state.history[0].what, "FLUSHDB 15");
  EXPECT_EQ(state.history[1].what, "FLUSHALL");
  EXPECT_EQ(state.history[9].proposer, 0xfedcba9876543210U);
  EXPECT_EQ(state.history[9].wall_ms, 1234567890123);
}

TEST(ClusterState, TheHistoryIsBounded) {
  ClusterState state = FullState();
  for (int i = 0; i < 100; ++i) state = WithFlush(state, 0, 1, {1, i});
  EXPECT_EQ(state.history.size(), kHistoryLength);
  EXPECT_EQ(state.history[0].epoch, state.epoch);
  EXPECT_TRUE(DecodeState(Encoded(state)).has_value());
}

TEST(ClusterState, MembersAreInOrderOfTheirIds) {
  const ClusterState state = FullState();
  ASSERT_EQ(state.members.size(), 6U);
  for (NodeId id = 1; id <= 5; ++id) EXPECT_EQ(state.members[id - 1].id, id);
  EXPECT_EQ(state.Find(0xfedcba9876543210)->zone, "rack-7");
  EXPECT_EQ(state.Find(7), nullptr);
}

TEST(ClusterState, AFlushOfAllHoldsForEveryDbAndTimesNeverGoBack) {
  ClusterState state = NewRing(1, {}, MakeMember(1, 1), 0);
  EXPECT_EQ(state.FlushedBefore(0), 0U);
  state = WithFlush(state, 2, 50, {1, 0});
  state = WithFlush(state, kAllDbs, 40, {1, 0});
  EXPECT_EQ(state.FlushedBefore(2), 50U);
  EXPECT_EQ(state.FlushedBefore(3), 40U);
  state = WithFlush(state, 2, 10, {1, 0});
  EXPECT_EQ(state.FlushedBefore(2), 50U);
}

TEST(NodeIds, PrintAs40HexDigitsAndReadBack) {
  for (const NodeId id : {NodeId{1}, NodeId{0xfedcba9876543210}, NodeId{UINT64_MAX}}) {
    const std::string text = FormatNodeId(id);
    EXPECT_EQ(text.size(), 40U);
    EXPECT_EQ(ParseNodeId(text), id);
    EXPECT_EQ(ParseNodeId(text.substr(0, 16)), id);
  }
  EXPECT_EQ(FormatNodeId(0xabc).substr(0, 16), "0000000000000abc");
  EXPECT_EQ(ParseNodeId("0000000000000ABC"), NodeId{0xabc});
}

TEST(NodeIds, WhatIsNoneIsNobody) {
  std::string other = FormatNodeId(5);
  other.back() = other.back() == '0' ? '1' : '0';
  for (const std::string& text : {std::string(), std::string("12"), std::string(16, 'g'),
                                  std::string(40, 'z'), other, std::string(16, '0')}) {
    EXPECT_EQ(ParseNodeId(text), NodeId{0}) << text;
  }
}

TEST(Addresses, PrintAsHostAndPort) { EXPECT_EQ(ToString({"::1", 7001}), "::1:7001"); }

}  // namespace
}  // namespace cartwheel
