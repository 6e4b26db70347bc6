// Settled rings of any size, made at once: for tests and measurements of what grows with a ring.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "cluster/state_changes.h"

namespace cartwheel {

inline Member MakeMember(NodeId id, uint32_t number) {
  Member member;
  member.id = id;
  member.host = fmt::format("10.0.{}.{}", number / 256, number % 256);
  member.port = 6379;
  member.bus_port = 16379;
  return member;
}

// By id, the ids from all of 64 bits.
inline std::vector<Member> MakeMembers(uint32_t count, uint64_t seed) {
  Random random(seed);
  std::vector<NodeId> ids;
  for (uint32_t i = 0; i < count; ++i) ids.push_back(random.Next());
  std::sort(ids.begin(), ids.end());
  std::vector<Member> members;
  for (uint32_t i = 0; i < count; ++i) members.push_back(MakeMember(ids[i], i));
  return members;
}

// The phases of a motion, as if all was fetched at once.
inline ClusterState Settled(ClusterState state) {
  while (state.in_motion()) {
    state = *WithNextPhase(state, state.placement_version, {state.members[0].id, 0});
  }
  return state;
}

// All members but the first come with one change.
inline ClusterState LargeRing(const ClusterSettings& settings, std::vector<Member> members) {
  CHECK(!members.empty());
  ClusterState state = NewRing(1, settings, members.front(), 0);
  if (members.size() == 1) return state;
  const Member last = members.back();
  members.pop_back();
  state.members = std::move(members);
  return Settled(*WithMember(state, last, 0, {last.id, 0}));
}

}  // namespace cartwheel
