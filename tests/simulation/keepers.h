// Keepers: judges, by what is on all the disks at that moment, whether a node may give up a copy.
// What comes of giving one up too early shows only when the right disks fail soon after, which
// hardly any run meets; the promise is broken at once.
//   - A hint goes when W of the key's N have what is in it on their disks, so that it outlives any
//     W - 1 of them.
//   - A dead version goes when no disk has anything that it replaces: neither a copy of a node's
//   own
//     nor a hint, of nodes that are down as well. Otherwise that could come back.
// A node that knows it may have lost something counts as one that has it: that is what others
// repair.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/object.h"
#include "tests/simulation/world.h"

namespace cartwheel::sim {

class Keepers {
 public:
  explicit Keepers(World* world) : world_(world) {}

  // What is wrong with dropping that record from that node's disk now.
  std::optional<std::string> Judge(int node, const Position& place, std::string_view image) const;

 private:
  std::optional<std::string> JudgeKept(int node, const Position& key, const Object& object) const;
  std::optional<std::string> JudgeBy(const Ring& ring, const Position& key,
                                     const Object& object) const;
  std::optional<std::string> JudgeDead(const Position& key, const Object& object) const;

  World* world_;
};

}  // namespace cartwheel::sim
