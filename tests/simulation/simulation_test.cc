#include "tests/simulation/simulation.h"

#include <gtest/gtest.h>

namespace cartwheel::sim {
namespace {

SimulationOptions Short(uint64_t seed) {
  SimulationOptions options;
  options.seed = seed;
  options.seconds = 20;
  return options;
}

TEST(SimulationTest, TheSameSeedTwiceIsTheSameRun) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const SimulationResult once = Simulate(Short(seed));
    const SimulationResult again = Simulate(Short(seed));
    EXPECT_EQ(once.trace_hash, again.trace_hash);
    EXPECT_EQ(once.events, again.events);
    EXPECT_NE(once.trace_hash, Simulate(Short(seed + 100)).trace_hash);
  }
}

TEST(SimulationTest, ATraceChangesNothing) {
  SimulationOptions traced = Short(7);
  size_t lines = 0;
  traced.trace = [&](const std::string&) { ++lines; };
  EXPECT_EQ(Simulate(traced).trace_hash, Simulate(Short(7)).trace_hash);
  EXPECT_GT(lines, 1000U);
}

TEST(SimulationTest, InFairWeatherEveryOperationSucceeds) {
  SimulationOptions options = Short(1);
  options.swarm = false;
  options.faults = FaultSet();
  const SimulationResult result = Simulate(options);
  EXPECT_FALSE(result.failure) << *result.failure;
  EXPECT_EQ(result.counts.unknown_writes, 0U);
  EXPECT_EQ(result.counts.failed_reads, 0U);
  EXPECT_EQ(result.counts.twins, 0U);
  EXPECT_GT(result.counts.acknowledged_writes, 300U);
}

TEST(SimulationTest, RingsOfOneAndThreeNodesWorkToo) {
  for (const int nodes : {1, 2, 3}) {
    SimulationOptions options = Short(5);
    options.nodes = nodes;
    if (nodes == 1) {
      options.swarm = false;
      options.faults = FaultSet();
      options.faults.Add(FaultKind::kCrash);
      options.faults.Add(FaultKind::kPause);
    }
    const SimulationResult result = Simulate(options);
    EXPECT_FALSE(result.failure) << nodes << " nodes: " << *result.failure;
  }
}

}  // namespace
}  // namespace cartwheel::sim
