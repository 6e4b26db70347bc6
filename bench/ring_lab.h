// The ring laboratory: what the ring is good for, measured over the code that the server runs. Each
// part prints text tables, which bench/ring_charts.py puts into docs/ring-lab.md and draws.
#pragma once

#include <cstdint>
#include <ctime>
#include <vector>

#include "cluster/placement.h"

namespace cartwheel {

// Load-balancing efficiency against metadata, the Dynamo paper's figure 8.
void PrintEfficiency(uint32_t rings);
// What a join and a leave move.
void PrintMovement(uint32_t rings);
// How gossip spreads a new epoch, and what it costs when there is none.
void PrintGossip(uint32_t rings);
// Processor time of changes of a large ring.
void PrintTimes();

// One seat more, or one less, in a settled ring.
Placement With(const PlacementRule& rule, const Placement& present, NodeId joiner);
Placement Without(const PlacementRule& rule, const Placement& present, NodeId leaver);
// One after the other, from a ring of one.
Placement Grown(const PlacementRule& rule, const std::vector<NodeId>& nodes);

// Of this process.
inline double ProcessorMs() { return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace cartwheel
