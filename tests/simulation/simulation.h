// Simulation: one seed. A ring forms; in the safety phase clients work while faults strike; in the
// liveness phase the world is whole, clients read every key through every node, and then replicas
// must be equal, members agree and nothing be left in flight. Everything follows from the options.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "tests/simulation/cell.h"
#include "tests/simulation/checker.h"
#include "tests/simulation/fault_kind.h"
#include "tests/simulation/world.h"

namespace cartwheel::sim {

struct SimulationOptions {
  uint64_t seed = 1;
  int nodes = 0;          // 0: by the seed
  int64_t seconds = 120;  // of the safety phase
  uint32_t ops_per_second = 50;
  FaultSet faults = FaultSet::All();
  std::optional<Cell> cell;  // in the place of the faults
  bool swarm = true;         // a random subset of the faults for each seed; else all of them
  Mutant mutant = Mutant::kNone;
  std::function<void(const std::string&)> trace;  // lines with the time in front
};

struct SimulationResult {
  std::optional<std::string> failure;
  uint64_t trace_hash = 0;
  int64_t simulated_us = 0;
  uint64_t events = 0;
  FaultHits hits;
  Checker::Counts counts;
};

SimulationResult Simulate(const SimulationOptions& options);

}  // namespace cartwheel::sim
