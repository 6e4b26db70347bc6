// The Dynamo paper's figure 8: mean load over maximum load of 30 nodes, N = 3, for as much metadata
// at each node. `equal` (strategy 3) and `tokens` are our placements, routed by our Ring. Strategy
// 1 as the paper has it, tokens that are not rounded to partitions, and strategy 2 are modelled
// here.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <span>
#include <string>

#include "base/check.h"
#include "base/hash.h"
#include "base/random.h"
#include "bench/ring_lab.h"
#include "cluster/ring.h"
#include "tests/unit/cluster/large_ring.h"

namespace cartwheel {
namespace {

constexpr uint32_t kNodes = 30;
constexpr uint8_t kReplicas = 3;
constexpr uint32_t kKeys = 1'000'000;
constexpr uint32_t kMostEntries = 16384;
// "Q >> S*T" (section 6.2); what a node keeps of strategy 2 is the tokens and the partitions.
constexpr uint32_t kPartitionsPerToken = 4;

// How often keys are asked for, by where they are on the circle of 2^64.
class Requests {
 public:
  // The key of rank k is asked for k^-exponent times as often as the first.
  explicit Requests(double exponent) {
    std::vector<std::pair<uint64_t, double>> keys;
    for (uint32_t i = 0; i < kKeys; ++i) {
      const std::string key = fmt::format("key:{:012}", i);
      const auto digest = Md5(key);
      uint64_t place = 0;
      for (size_t byte = 0; byte < sizeof(place); ++byte) place = place << 8 | digest[byte];
      const double weight = std::pow(i + 1, -exponent);
      keys.emplace_back(place, weight);
      slots_.at(HashSlot(key, Partitioner::kMd5)) += weight;
    }
    std::sort(keys.begin(), keys.end());
    before_.push_back(0);
    for (const auto& [place, weight] : keys) {
      places_.push_back(place);
      before_.push_back(before_.back() + weight);
    }
  }

  double OfSlot(uint32_t slot) const { return slots_[slot]; }
  // To keys in [first, last].
  double OfRange(uint64_t first, uint64_t last) const {
    const auto begin = std::lower_bound(places_.begin(), places_.end(), first);
    const auto end = std::upper_bound(places_.begin(), places_.end(), last);
    return before_[static_cast<size_t>(end - places_.begin())] -
           before_[static_cast<size_t>(begin - places_.begin())];
  }

 private:
  std::array<double, kSlotCount> slots_{};
  std::vector<uint64_t> places_;
  std::vector<double> before_;  // the weight of all keys before each
};

// Each request is work for the N nodes of its key.
class Loads {
 public:
  void Add(std::span<const NodeId> replicas, double requests) {
    for (const NodeId node : replicas) loads_[node] += requests;
  }
  double Efficiency() const {
    double sum = 0;
    double most = 0;
    for (const auto& [node, load] : loads_) {
      sum += load;
      most = std::max(most, load);
    }
    return sum / kNodes / most;
  }

 private:
  std::map<NodeId, double> loads_;
};

double EfficiencyOf(const Placement& placement, const Requests& requests) {
  ClusterState state;
  state.settings.partitions = static_cast<uint32_t>(placement.owners.size());
  state.settings.n = kReplicas;
  for (const Seat& seat : placement.seats) state.members.push_back(MakeMember(seat.id, 0));
  state.serving = placement;
  const Ring ring(state);
  Loads loads;
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    loads.Add(ring.Replicas(static_cast<uint16_t>(slot)), requests.OfSlot(slot));
  }
  return loads.Efficiency();
}

// The model of strategies 1 and 2: tokens anywhere on the circle.
class TokenCircle {
 public:
  TokenCircle(const std::vector<NodeId>& nodes, uint32_t tokens, Random* random) {
    for (const NodeId node : nodes) {
      for (uint32_t i = 0; i < tokens; ++i) tokens_.emplace_back(random->Next(), node);
    }
    std::sort(tokens_.begin(), tokens_.end());
  }

  // Clockwise from a token, to N distinct nodes.
  std::vector<NodeId> ListFrom(size_t token) const {
    std::vector<NodeId> list;
    for (; list.size() < kReplicas; ++token) {
      const NodeId node = tokens_[token % tokens_.size()].second;
      if (std::find(list.begin(), list.end(), node) == list.end()) list.push_back(node);
    }
    return list;
  }

  // Strategy 1: a token's range ends at it and begins after the one before.
  double ByTokenValue(const Requests& requests) const {
    Loads loads;
    uint64_t first = 0;
    for (size_t token = 0; token < tokens_.size(); ++token) {
      const uint64_t last = tokens_[token].first;
      loads.Add(ListFrom(token), requests.OfRange(first, last));
      first = last + 1;
    }
    loads.Add(ListFrom(0), requests.OfRange(first, UINT64_MAX));
    return loads.Efficiency();
  }

  // Strategy 2: of equal partitions, each is with those that a walk from its end meets first.
  double ByPartition(const Requests& requests) const {
    const size_t partitions = kPartitionsPerToken * tokens_.size();
    Loads loads;
    uint64_t first = 0;
    for (size_t p = 1; p <= partitions; ++p) {
      const uint64_t last =
          p == partitions
              ? UINT64_MAX
              : static_cast<uint64_t>((static_cast<unsigned __int128>(p) << 64) / partitions);
      const auto token =
          std::lower_bound(tokens_.begin(), tokens_.end(), std::pair(last, NodeId{0}));
      loads.Add(ListFrom(static_cast<size_t>(token - tokens_.begin())),
                requests.OfRange(first, last));
      first = last + 1;
    }
    return loads.Efficiency();
  }

 private:
  std::vector<std::pair<uint64_t, NodeId>> tokens_;
};

size_t BytesOfState(const Placement& placement) {
  ClusterState state;
  state.settings.partitions = static_cast<uint32_t>(placement.owners.size());
  for (const Seat& seat : placement.seats) state.members.push_back(MakeMember(seat.id, 0));
  state.serving = placement;
  std::string bytes;
  EncodeState(state, &bytes);
  return bytes.size();
}

std::vector<NodeId> RandomNodes(Random* random) {
  std::vector<NodeId> nodes;
  for (uint32_t i = 0; i < kNodes; ++i) nodes.push_back(random->Next());
  return nodes;
}

constexpr std::array<double, 3> kExponents = {0, 0.7, 0.99};

// A row per amount of metadata: of each strategy and load the mean over the rings.
struct Row {
  uint32_t tokens1 = 0;
  uint32_t tokens2 = 0;
  size_t equal_bytes = 0;
  size_t tokens_bytes = 0;
  std::array<std::array<double, 4>, kExponents.size()> sums{};
};

void AddRing(uint32_t entries, uint64_t seed, const std::vector<Requests>& loads, Row* row) {
  Random random(seed);
  const std::vector<NodeId> nodes = RandomNodes(&random);
  row->tokens1 = entries / kNodes;
  row->tokens2 = entries / (kNodes * (1 + kPartitionsPerToken));
  const TokenCircle circle1(nodes, row->tokens1, &random);
  const TokenCircle circle2(nodes, row->tokens2, &random);
  const Placement equal = Grown({PlacementStrategy::kEqual, entries, 1, kReplicas}, nodes);
  const Placement tokens =
      Grown({PlacementStrategy::kTokens, kMostEntries, row->tokens1, kReplicas}, nodes);
  row->equal_bytes = BytesOfState(equal);
  row->tokens_bytes = BytesOfState(tokens);
  for (size_t i = 0; i < loads.size(); ++i) {
    std::array<double, 4>& sums = row->sums.at(i);
    sums[0] += circle1.ByTokenValue(loads[i]);
    if (row->tokens2 > 0) sums[1] += circle2.ByPartition(loads[i]);
    sums[2] += EfficiencyOf(tokens, loads[i]);
    sums[3] += EfficiencyOf(equal, loads[i]);
  }
}

}  // namespace

void PrintEfficiency(uint32_t rings) {
  std::vector<Requests> loads;
  for (const double exponent : kExponents) loads.emplace_back(exponent);
  std::map<uint32_t, Row> rows;
  for (uint32_t entries = 32; entries <= kMostEntries; entries *= 2) {
    for (uint32_t ring = 0; ring < rings; ++ring) AddRing(entries, ring + 1, loads, &rows[entries]);
  }
  for (size_t i = 0; i < kExponents.size(); ++i) {
    fmt::print("## efficiency exponent={} nodes={} n={} keys={} rings={}\n", kExponents.at(i),
               kNodes, kReplicas, kKeys, rings);
    fmt::print("{:>8} {:>6} {:>6} {:>10} {:>10} {:>8} {:>8}\n", "entries", "T_1", "T_2",
               "strategy_1", "strategy_2", "tokens", "equal");
    for (const auto& [entries, row] : rows) {
      const std::array<double, 4>& sums = row.sums.at(i);
      // Too few entries for one token a node.
      const std::string strategy2 = row.tokens2 > 0 ? fmt::format("{:.3f}", sums[1] / rings) : "-";
      fmt::print("{:>8} {:>6} {:>6} {:>10.3f} {:>10} {:>8.3f} {:>8.3f}\n", entries, row.tokens1,
                 row.tokens2, sums[0] / rings, strategy2, sums[2] / rings, sums[3] / rings);
    }
    fmt::print("\n");
  }
  fmt::print("## state bytes of the cluster state, 30 members\n");
  fmt::print("{:>8} {:>8} {:>8}\n", "entries", "tokens", "equal");
  for (const auto& [entries, row] : rows) {
    fmt::print("{:>8} {:>8} {:>8}\n", entries, row.tokens_bytes, row.equal_bytes);
  }
  fmt::print("\n");
}

}  // namespace cartwheel
