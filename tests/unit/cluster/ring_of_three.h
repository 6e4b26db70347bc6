// RingOfThree: a node's context in a ring of nodes 1 to 3, of which it is 1, for tests of one part
// that hears nothing but what the test says. MemberOf for tests that make rings of their own.
#pragma once

#include "cluster/node_context.h"
#include "storage/memory/memory_engine.h"

namespace cartwheel {

inline Member MemberOf(NodeId id) {
  Member member;
  member.id = id;
  member.host = "10.0.0.1";
  member.port = static_cast<uint16_t>(7000 + id);
  member.bus_port = static_cast<uint16_t>(17000 + id);
  return member;
}

class RingOfThree {
 protected:
  RingOfThree() {
    for (NodeId id = 2; id <= 3; ++id) state_ = *WithMember(state_, MemberOf(id), 1, 0);
    context_.state = &state_;
    context_.ring.emplace(state_);
    context_.liveness.SetMembers(state_.members, 0);
  }

  ClusterState state_ = NewRing(7, ClusterSettings(), MemberOf(1), 0);
  MemoryEngine engine_;
  NodeContext context_{Options(), &engine_, Births(0, 0)};

 private:
  static NodeOptions Options() {
    NodeOptions options;
    options.id = 1;
    return options;
  }
};

}  // namespace cartwheel
