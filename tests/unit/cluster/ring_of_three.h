// RingOfThree: a node's context in a ring of nodes 1 to 3, of which it is 1, for tests of one part
// that hears nothing but what the test says.
#pragma once

#include "cluster/node_context.h"
#include "storage/memory/memory_engine.h"
#include "tests/unit/cluster/ring_states.h"

namespace cartwheel {

class RingOfThree {
 protected:
  RingOfThree() {
    context_.state = &state_;
    context_.ring.emplace(state_);
    context_.liveness.SetMembers(state_.members, 0);
  }

  ClusterState state_ = RingOf(3);
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
