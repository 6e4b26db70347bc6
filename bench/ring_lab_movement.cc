// What one join or leave moves, and how even the ring is afterwards: Place from change to change,
// and the preference lists of Ring.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "base/random.h"
#include "bench/ring_lab.h"
#include "cluster/ring.h"
#include "tests/unit/cluster/large_ring.h"

namespace cartwheel {
namespace {

constexpr uint32_t kFewest = 3;
constexpr uint32_t kMost = 12;
constexpr uint8_t kReplicas = 3;

Ring RingOf(const Placement& placement) {
  ClusterState state;
  state.settings.partitions = static_cast<uint32_t>(placement.owners.size());
  state.settings.n = kReplicas;
  for (const Seat& seat : placement.seats) state.members.push_back(MakeMember(seat.id, 0));
  state.serving = placement;
  return Ring(state);
}

std::span<const NodeId> Replicas(const Ring& ring, uint32_t partition) {
  return ring.Replicas(ring.FirstSlot(partition));
}

// (partition, node) pairs of each node.
std::map<NodeId, uint32_t> Held(const Ring& ring) {
  std::map<NodeId, uint32_t> held;
  for (uint32_t p = 0; p < ring.partition_count(); ++p) {
    for (const NodeId node : Replicas(ring, p)) held[node] += 1;
  }
  return held;
}

uint32_t PairsMoved(const Ring& before, const Ring& after) {
  uint32_t moved = 0;
  for (uint32_t p = 0; p < after.partition_count(); ++p) {
    const auto had = Replicas(before, p);
    for (const NodeId node : Replicas(after, p)) {
      moved += std::find(had.begin(), had.end(), node) == had.end() ? 1 : 0;
    }
  }
  return moved;
}

struct Figures {
  double by_share = 0;     // moved over what an even share of the joiner or leaver is
  double by_own = 0;       // moved over what the joiner or leaver does hold
  double mean_by_max = 0;  // of what nodes hold afterwards
  double worst_mean_by_max = 1;
};

void Add(const Placement& before, const Placement& after, NodeId changed, Figures* figures) {
  const Ring old_ring = RingOf(before);
  const Ring new_ring = RingOf(after);
  const bool join = after.seats.size() > before.seats.size();
  const size_t larger = std::max(before.seats.size(), after.seats.size());
  const double pairs = new_ring.partition_count() * kReplicas;
  const double moved = PairsMoved(old_ring, new_ring);
  figures->by_share += moved / (pairs / static_cast<double>(larger));
  figures->by_own += moved / Held(join ? new_ring : old_ring)[changed];
  uint32_t most = 0;
  for (const auto& [node, held] : Held(new_ring)) most = std::max(most, held);
  const double mean_by_max = pairs / static_cast<double>(after.seats.size()) / most;
  figures->mean_by_max += mean_by_max;
  figures->worst_mean_by_max = std::min(figures->worst_mean_by_max, mean_by_max);
}

// By (members before, members after).
using Changes = std::map<std::pair<int, int>, Figures>;

// Grows the ring to kMost and shrinks it again, the leavers at random.
void AddRing(const PlacementRule& rule, uint64_t seed, Changes* changes) {
  Random random(seed);
  std::vector<NodeId> nodes;
  for (uint32_t i = 0; i < kFewest; ++i) nodes.push_back(random.Next());
  Placement placement = Grown(rule, nodes);
  const auto change = [&](Placement next, NodeId changed) {
    const std::pair sizes(placement.seats.size(), next.seats.size());
    Add(placement, next, changed, &(*changes)[sizes]);
    placement = std::move(next);
  };
  while (placement.seats.size() < kMost) {
    const NodeId joiner = random.Next();
    change(With(rule, placement, joiner), joiner);
  }
  while (placement.seats.size() > kFewest) {
    const NodeId leaver = placement.seats[random.Below(placement.seats.size())].id;
    change(Without(rule, placement, leaver), leaver);
  }
}

void PrintRule(const PlacementRule& rule, std::string_view name, uint32_t rings) {
  Changes changes;
  for (uint32_t ring = 0; ring < rings; ++ring) AddRing(rule, ring + 1, &changes);
  fmt::print("## movement placement={} partitions={} n={} rings={}\n", name, rule.partitions,
             kReplicas, rings);
  fmt::print("{:>8} {:>15} {:>13} {:>14} {:>14}\n", "change", "moved/even_share", "moved/held",
             "mean/max_load", "worst_mean/max");
  for (const bool join : {true, false}) {
    for (uint32_t i = kFewest; i < kMost; ++i) {
      const std::pair<int, int> sizes =
          join ? std::pair(i, i + 1) : std::pair(kMost + kFewest - i, kMost + kFewest - i - 1);
      const Figures& sum = changes.at(sizes);
      fmt::print("{:>8} {:>15.3f} {:>13.3f} {:>14.3f} {:>14.3f}\n",
                 fmt::format("{}->{}", sizes.first, sizes.second), sum.by_share / rings,
                 sum.by_own / rings, sum.mean_by_max / rings, sum.worst_mean_by_max);
    }
  }
  fmt::print("\n");
}

}  // namespace

void PrintMovement(uint32_t rings) {
  PrintRule({PlacementStrategy::kEqual, 1024, 1, kReplicas}, "equal", rings);
  for (const uint32_t tokens : {1U, 16U, 64U}) {
    PrintRule({PlacementStrategy::kTokens, 1024, tokens, kReplicas},
              fmt::format("tokens-{}", tokens), rings);
  }
  // The defaults.
  const ClusterSettings settings;
  PrintRule({PlacementStrategy::kTokens, settings.partitions, settings.tokens, kReplicas},
            "tokens-by-default", rings);
}

}  // namespace cartwheel
