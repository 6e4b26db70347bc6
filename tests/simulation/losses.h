// Losses: which node's disk may take data next. Cartwheel promises to keep what it acknowledged
// while one disk at a time loses what it has (W - 1 = 1 of the copies), so a disk may lose
// something only while every other one that did is whole again: it is up, has compared what it
// holds (cluster/catch_up.h) and has its damaged record back; and while what a removed node held is
// still on its way to others, nobody's may: a slot may have but one copy then. Copies that a node
// keeps for others are in no comparison, so nobody else may lose data while there are hints or
// left-overs, and hints that were lost count until W of the N hold what was in them. What is asked
// of the nodes is only what they themselves say: a node that gives up a copy too early is not
// spared.
#pragma once

#include <string_view>
#include <vector>

#include "storage/object.h"
#include "tests/simulation/world.h"

namespace cartwheel::sim {

class Losses {
 public:
  explicit Losses(World* world) : world_(world) {}

  bool MayStrike(int node);

  // The process dies, and takes that along.
  void Crash(int node, Loss loss);
  // It never comes back.
  void GoForGood(int node);
  // A record on its disk changes, if there is one.
  void Flip(int node);
  // All processes die at once, tails and all.
  void Blackout();

 private:
  // A copy that a disk lost and that no node knows to be missing.
  struct Missing {
    Position position;
    CausalContext context;
    int node = kNobody;  // whose own copy it was; a hint's was nobody's
  };
  static constexpr int kNobody = -1;
  static constexpr int kAll = -2;

  void Miss(std::string_view image, int node);
  bool IsBack(const Missing& missing) const;
  bool Holds(int node, const Missing& missing) const;
  bool IsWhole(int node) const;
  bool IsMadeUpFor(int gone) const;

  World* world_;
  int last_ = kNobody;
  std::vector<int> gone_;  // whose data is not all elsewhere yet
  std::vector<Missing> missing_;
};

}  // namespace cartwheel::sim
