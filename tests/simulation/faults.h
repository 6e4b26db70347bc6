// Nemesis: plays the fault kinds of one run against a world. Every kind has episodes at random
// times and of random length; what began ends, at the latest with Stop, which makes the world whole
// again: paths mended, clocks right, every node up.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "tests/simulation/fault_kind.h"
#include "tests/simulation/world.h"

namespace cartwheel::sim {

class Nemesis {
 public:
  // Only one node, of N - W, ever loses what it acknowledged: its unsynced tail, with
  // SyncPolicy::kEverySecond, or a damaged record.
  Nemesis(World* world, FaultSet kinds, SyncPolicy sync, uint64_t seed);

  void Begin();
  // A node went down, by whatever kind: it comes again.
  void OnNodeDown(int node);
  void Stop();

 private:
  void Plan(FaultKind kind);
  void Strike(FaultKind kind);
  void Later(int64_t after_us, std::function<void()> call);
  void CutPair(int a, int b, FaultKind why, int64_t lasts_us, bool dials_pass);
  void CutSets(FaultKind why);
  void LoseTails();
  void Worsen(FaultKind kind);
  int AnyNode() { return static_cast<int>(random_.Below(static_cast<uint64_t>(world_->size()))); }
  int AnyOther(int node);
  int64_t Between(int64_t low, int64_t high);
  // Small values as likely as large ones.
  int64_t LogBetween(int64_t low, int64_t high);
  void Say(FaultKind kind, const std::string& what);

  World* world_;
  const FaultSet kinds_;
  const SyncPolicy sync_;
  Random random_;
  bool over_ = false;
  int lossy_node_ = 0;
};

}  // namespace cartwheel::sim
