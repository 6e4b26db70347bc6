// LoneCoordinator: a test with the coordinator of one node, which knows a ring and hears nothing
// but what the test says.
#pragma once

#include <gtest/gtest.h>

#include "cluster/coordinator.h"
#include "storage/memory/memory_engine.h"
#include "tests/unit/cluster/ring_states.h"

namespace cartwheel {

class LoneCoordinator : public testing::Test {
 protected:
  explicit LoneCoordinator(NodeId self)
      : context_(OptionsOf(self), &engine_, Births(0, 0)), coordinator_(&context_) {}

  void Know(const ClusterState& state) {
    state_ = state;
    context_.state = &state_;
    context_.ring.emplace(state_);
    context_.liveness.SetMembers(state_.members, 0);
  }

  MemoryEngine engine_;
  ClusterState state_;
  NodeContext context_;
  Coordinator coordinator_;

 private:
  static NodeOptions OptionsOf(NodeId self) {
    NodeOptions options;
    options.id = self;
    return options;
  }
};

}  // namespace cartwheel
