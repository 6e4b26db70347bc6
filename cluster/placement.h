// Placement: who owns which partition (Dynamo, section 6.2, strategies 1 and 3), for any change of
// members. Pure functions over small values: nothing here knows of a ring in motion, of data or of
// who is up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/types.h"

namespace cartwheel {

enum class PlacementStrategy : uint8_t { kEqual = 0, kTokens = 1 };

// A member that takes part in a placement.
struct Seat {
  NodeId id = 0;
  std::string zone = "default";
  uint32_t weight_thousandths = 1000;

  bool operator==(const Seat&) const = default;
};

// Who owns what, and how many replicas a walk from there looks for.
struct Placement {
  uint8_t n = 3;
  std::vector<Seat> seats;       // by id
  std::vector<uint32_t> owners;  // of each partition: the number of its owner among seats

  bool empty() const { return owners.empty(); }
  NodeId OwnerOf(uint32_t partition) const { return seats[owners[partition]].id; }
  bool operator==(const Placement&) const = default;
};

struct PlacementRule {
  PlacementStrategy strategy = PlacementStrategy::kEqual;
  uint32_t partitions = 256;
  uint32_t tokens = 1;  // of a seat that weighs 1000
  uint8_t n = 3;
};

// The placement of those seats (by id, not empty). `present` is what the last change made and
// `home` what serves; while nothing is in motion they are the same. Without owners in `present` the
// ring is new.
//
// kEqual: every seat owns its share by weight, and any n clockwise neighbours stand on distinct
// nodes, and zones, where possible. As few partitions move from `present` as must; what is taken
// from seats that are gone goes back to its owner in `home` where that one has room. Only while
// there are at most n seats do more of them change their owner: every seat holds everything, so
// that no data moves, and the circle is kept in an order that later members fit into.
//
// kTokens: each partition belongs to the seat with the first token at it or clockwise above.
// Depends on the seats alone.
Placement Place(const PlacementRule& rule, std::vector<Seat> seats, const Placement& present,
                const Placement& home);

// What Place chooses from: the owners, as numbers among the seats.
std::vector<uint32_t> PlaceEqually(const PlacementRule& rule, const std::vector<Seat>& seats,
                                   const Placement& present, const Placement& home);
std::vector<uint32_t> PlaceByTokens(const PlacementRule& rule, const std::vector<Seat>& seats);

}  // namespace cartwheel
