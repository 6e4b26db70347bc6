// States of a ring for tests: members by number, and rings that have come to rest.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "cluster/state_changes.h"

namespace cartwheel {

inline Member MemberOf(NodeId id, std::string zone = "default", uint32_t weight = 1000) {
  Member member;
  member.id = id;
  member.host = "10.0.0.1";
  member.port = static_cast<uint16_t>(7000 + id);
  member.bus_port = static_cast<uint16_t>(17000 + id);
  member.zone = std::move(zone);
  member.weight_thousandths = weight;
  return member;
}

// The state after every phase of its motion is over.
inline ClusterState Settled(ClusterState state) {
  for (int phases = 0; state.in_motion(); ++phases) {
    CHECK(phases < 4);  // that of the motion, and one for what was put off
    state = *WithNextPhase(state, state.placement_version, {state.members.front().id, 0});
  }
  return state;
}

// At rest after each of them has joined.
inline ClusterState RingOf(const ClusterSettings& settings, const std::vector<Member>& members) {
  ClusterState state = NewRing(7, settings, members.front(), 0);
  for (size_t i = 1; i < members.size(); ++i) {
    state = Settled(*WithMember(state, members[i], 0, {members.front().id, 0}));
  }
  return state;
}
inline ClusterState RingOf(NodeId count, const ClusterSettings& settings = {}) {
  std::vector<Member> members;
  for (NodeId id = 1; id <= count; ++id) members.push_back(MemberOf(id));
  return RingOf(settings, members);
}

// One with these owners, in which all of the members have seats (by id).
inline Placement PlacementOf(uint8_t n, const std::vector<Member>& members,
                             const std::vector<NodeId>& owners) {
  Placement placement;
  placement.n = n;
  for (const Member& member : members) {
    placement.seats.push_back({member.id, member.zone, member.weight_thousandths});
  }
  for (const NodeId owner : owners) {
    const auto seat = std::find_if(placement.seats.begin(), placement.seats.end(),
                                   [owner](const Seat& s) { return s.id == owner; });
    placement.owners.push_back(static_cast<uint32_t>(seat - placement.seats.begin()));
  }
  return placement;
}

}  // namespace cartwheel
