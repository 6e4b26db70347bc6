#include "cluster/placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/random.h"

namespace cartwheel {
namespace {

using List = std::vector<uint32_t>;

Seat MakeSeat(NodeId id, std::string zone = "default", uint32_t weight = 1000) {
  return {id, std::move(zone), weight};
}

std::vector<Seat> Seats(size_t count) {
  std::vector<Seat> seats;
  for (size_t i = 0; i < count; ++i) seats.push_back(MakeSeat(1000 + i * 7919 % 97));
  return seats;
}

PlacementRule Equal(uint32_t partitions, uint8_t n = 3) {
  return {PlacementStrategy::kEqual, partitions, 1, n};
}

Placement Next(const PlacementRule& rule, std::vector<Seat> seats, const Placement& present) {
  std::sort(seats.begin(), seats.end(), [](const Seat& a, const Seat& b) { return a.id < b.id; });
  return Place(rule, std::move(seats), present, present);
}

Placement With(const PlacementRule& rule, const Placement& present, const Seat& joiner) {
  std::vector<Seat> seats = present.seats;
  seats.push_back(joiner);
  return Next(rule, std::move(seats), present);
}

Placement Without(const PlacementRule& rule, const Placement& present, NodeId leaver) {
  std::vector<Seat> seats = present.seats;
  std::erase_if(seats, [leaver](const Seat& seat) { return seat.id == leaver; });
  return Next(rule, std::move(seats), present);
}

// One after the other, from a ring of one.
Placement Grown(const PlacementRule& rule, const std::vector<Seat>& seats) {
  Placement placement;
  for (const Seat& seat : seats) placement = With(rule, placement, seat);
  return placement;
}

size_t Replicas(const Placement& placement) {
  return std::min<size_t>(placement.n, placement.seats.size());
}

// The definition, walked step by step: the first n, distinct zones first.
List SlowList(const Placement& placement, uint32_t from) {
  const size_t count = placement.owners.size();
  List order;
  for (size_t i = 0; i < count && order.size() < placement.seats.size(); ++i) {
    const uint32_t owner = placement.owners[(from + i) % count];
    if (std::find(order.begin(), order.end(), owner) == order.end()) order.push_back(owner);
  }
  List list;
  std::set<std::string> zones;
  for (const uint32_t seat : order) {
    if (list.size() == Replicas(placement)) break;
    if (zones.insert(placement.seats[seat].zone).second) list.push_back(seat);
  }
  for (const uint32_t seat : order) {
    if (list.size() == Replicas(placement)) break;
    if (std::find(list.begin(), list.end(), seat) == list.end()) list.push_back(seat);
  }
  return list;
}

// How many partitions each seat owns.
List Owned(const Placement& placement) {
  List owned(placement.seats.size());
  for (const uint32_t owner : placement.owners) owned.at(owner) += 1;
  return owned;
}

// How many lists each seat is in.
List Held(const Placement& placement) {
  List held(placement.seats.size());
  for (uint32_t p = 0; p < placement.owners.size(); ++p) {
    for (const uint32_t seat : SlowList(placement, p)) held[seat] += 1;
  }
  return held;
}

double MeanByMax(const List& loads) {
  const double sum = std::accumulate(loads.begin(), loads.end(), 0.0);
  return sum / static_cast<double>(loads.size()) / *std::max_element(loads.begin(), loads.end());
}

// (partition, node) pairs in the lists that were in none before.
uint32_t CopiesMoved(const Placement& before, const Placement& after) {
  uint32_t moved = 0;
  for (uint32_t p = 0; p < after.owners.size(); ++p) {
    std::set<NodeId> had;
    for (const uint32_t seat : SlowList(before, p)) had.insert(before.seats[seat].id);
    for (const uint32_t seat : SlowList(after, p)) moved += 1 - had.count(after.seats[seat].id);
  }
  return moved;
}

double MovedByLeast(const Placement& before, const Placement& after) {
  const size_t larger = std::max(before.seats.size(), after.seats.size());
  const double least = static_cast<double>(Replicas(after) * after.owners.size()) / larger;
  return CopiesMoved(before, after) / least;
}

NodeId OwnerId(const Placement& placement, uint32_t partition) {
  return placement.seats[placement.owners[partition]].id;
}

uint32_t OwnersMoved(const Placement& before, const Placement& after) {
  uint32_t moved = 0;
  for (uint32_t p = 0; p < after.owners.size(); ++p) {
    moved += OwnerId(before, p) != OwnerId(after, p) ? 1 : 0;
  }
  return moved;
}

// Partitions whose next n owners, themselves included, are not distinct.
uint32_t Crowded(const Placement& placement) {
  const size_t count = placement.owners.size();
  uint32_t crowded = 0;
  for (size_t p = 0; p < count; ++p) {
    std::set<uint32_t> distinct;
    for (size_t d = 0; d < placement.n; ++d) distinct.insert(placement.owners[(p + d) % count]);
    crowded += distinct.size() < Replicas(placement) ? 1 : 0;
  }
  return crowded;
}

void ExpectBalancedAndLeastMoved(const Placement& before, const Placement& after) {
  const size_t size = after.seats.size();
  EXPECT_GE(MeanByMax(Owned(after)), 0.99) << size;
  EXPECT_GE(MeanByMax(Held(after)), 0.99) << size;
  EXPECT_LE(MovedByLeast(before, after), 1.02) << size;
  if (size >= 5) {
    EXPECT_LE(Crowded(after), 3U) << size;
  }
}

TEST(PlaceEqually, StaysBalancedAndMovesTheLeastWhileTwelveNodesJoin) {
  const PlacementRule rule = Equal(1024);
  Placement placement;
  for (const Seat& joiner : Seats(12)) {
    const Placement before = placement;
    placement = With(rule, before, joiner);
    if (placement.seats.size() >= 3) ExpectBalancedAndLeastMoved(before, placement);
  }
}

TEST(PlaceEqually, StaysBalancedAndMovesTheLeastWhileTwelveNodesLeaveInAnyOrder) {
  const PlacementRule rule = Equal(1024);
  const Placement full = Grown(rule, Seats(12));
  Random random(5);
  std::vector<Seat> order = Seats(12);
  for (int round = 0; round < 12; ++round) {
    Placement placement = full;
    while (placement.seats.size() > 3) {
      const Placement before = placement;
      placement = Without(rule, before, order[12 - before.seats.size()].id);
      ExpectBalancedAndLeastMoved(before, placement);
    }
    if (round == 0) std::reverse(order.begin(), order.end());
    for (size_t i = order.size(); round > 0 && i > 1; --i) {
      std::swap(order[i - 1], order[random.Below(i)]);
    }
  }
}

TEST(PlaceEqually, StaysBalancedWhileNodesComeAndGo) {
  const PlacementRule rule = Equal(1024);
  Random random(6);
  Placement placement = Grown(rule, Seats(5));
  for (NodeId next = 5000; next < 5080; ++next) {
    const Placement before = placement;
    const size_t size = before.seats.size();
    placement = size <= 3 || (size < 9 && random.Chance(1, 2))
                    ? With(rule, before, MakeSeat(next))
                    : Without(rule, before, before.seats[random.Below(size)].id);
    EXPECT_GE(MeanByMax(Held(placement)), 0.99);
    EXPECT_LE(MovedByLeast(before, placement), 1.02);
  }
}

TEST(PlaceEqually, BalancesThirtyNodes) {
  const Placement placement = Grown(Equal(1024), Seats(30));
  EXPECT_GE(MeanByMax(Owned(placement)), 0.97);
  EXPECT_GE(MeanByMax(Held(placement)), 0.97);
  EXPECT_EQ(Crowded(placement), 0U);
}

TEST(PlaceEqually, SpreadsANewRingOfMany) {
  for (const size_t count : {1, 2, 3, 4, 7, 12}) {
    const Placement placement = Next(Equal(1024), Seats(count), Placement());
    EXPECT_GE(MeanByMax(Held(placement)), 0.99) << count;
    EXPECT_LE(Crowded(placement), count <= 3 ? 2U : 0U) << count;
  }
}

// Of two nodes in each of three zones, every list must have one per zone.
TEST(PlaceEqually, ThreeZonesOfTwoShareEvenlyInWhateverOrderTheyJoin) {
  const PlacementRule rule = Equal(256);
  std::vector<char> order = {'a', 'a', 'b', 'b', 'c', 'c'};
  do {
    std::vector<Seat> seats;
    for (const char zone : order) seats.push_back(MakeSeat(100 + seats.size(), {zone}));
    const Seat last = seats.back();
    seats.pop_back();
    const Placement before = Grown(rule, seats);
    const Placement placement = With(rule, before, last);
    for (uint32_t p = 0; p < placement.owners.size(); ++p) {
      std::set<std::string> zones;
      for (const uint32_t seat : SlowList(placement, p)) zones.insert(placement.seats[seat].zone);
      ASSERT_EQ(zones.size(), 3U);
    }
    ASSERT_GE(MeanByMax(Owned(placement)), 0.99);
    ASSERT_GE(MeanByMax(Held(placement)), 0.97);
    ASSERT_LE(MovedByLeast(before, placement), 1.3);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(PlaceEqually, SharesByWeight) {
  const PlacementRule rule = Equal(1024);
  const Placement placement = Grown(
      rule, {MakeSeat(1), MakeSeat(2, "default", 2000), MakeSeat(3), MakeSeat(4, "default", 500)});
  EXPECT_EQ(Owned(placement), List({228, 455, 227, 114}));

  std::vector<Seat> seats = placement.seats;
  seats[1].weight_thousandths = 1500;
  const Placement after = Next(rule, seats, placement);
  EXPECT_EQ(Owned(after), List({256, 384, 256, 128}));
  EXPECT_EQ(OwnersMoved(placement, after), 455U - 384U);
}

TEST(PlaceEqually, GivesTheLightestNodeAPartition) {
  const Placement placement =
      Grown(Equal(16), {MakeSeat(1, "default", 1'000'000), MakeSeat(2, "default", 1), MakeSeat(3)});
  EXPECT_EQ(Owned(placement), List({14, 1, 1}));
}

TEST(PlaceEqually, HandsOutWhatThereIsToMoreNodesThanPartitions) {
  const Placement placement = Grown(Equal(4), Seats(6));
  const List owned = Owned(placement);
  EXPECT_EQ(std::count(owned.begin(), owned.end(), 1U), 4);
}

TEST(PlaceEqually, ReplacesANodePartitionByPartition) {
  const PlacementRule rule = Equal(1024);
  const Placement before = Grown(rule, Seats(6));
  std::vector<Seat> seats = before.seats;
  seats[2].id = 7777;
  const Placement after = Next(rule, seats, before);
  EXPECT_EQ(OwnersMoved(before, after), Owned(before)[2]);
  for (uint32_t p = 0; p < 1024; ++p) {
    const bool was_its = OwnerId(before, p) == before.seats[2].id;
    EXPECT_EQ(OwnerId(after, p), was_its ? 7777 : OwnerId(before, p));
  }
}

TEST(PlaceEqually, SeveralAtOnceMoveNoMoreThanTheyMust) {
  const PlacementRule rule = Equal(1024);
  const Placement before = Grown(rule, Seats(9));
  std::vector<Seat> seats = before.seats;
  seats.erase(seats.begin() + 6, seats.end());
  for (NodeId id : {1, 2, 5000, 5001, 5002}) seats.push_back(MakeSeat(id));
  const Placement after = Next(rule, seats, before);
  EXPECT_GE(MeanByMax(Held(after)), 0.99);
  EXPECT_LE(Crowded(after), 3U);
  const uint32_t must = 5 * 1024 / 11 + 1;  // all that the five newcomers own
  EXPECT_LE(OwnersMoved(before, after), must + must / 100);
}

TEST(PlaceEqually, PlacesAThousandNodesOnTheFinestCircle) {
  const PlacementRule rule = Equal(16384);
  std::vector<Seat> seats;
  for (NodeId id = 1; id <= 1000; ++id) seats.push_back(MakeSeat(id));
  const Placement before = Next(rule, seats, Placement());
  const Placement after = With(rule, before, MakeSeat(5000));
  EXPECT_EQ(Owned(after).back(), 16U);
  EXPECT_EQ(OwnersMoved(before, after), 16U);
  EXPECT_EQ(Crowded(after), 0U);
}

// A join that is taken back while the ring is still on its way to it.
TEST(PlaceEqually, GivesBackWhatALeaverHadNotYetTaken) {
  const PlacementRule rule = Equal(1024);
  for (const size_t size : {1, 2, 3, 4, 5, 8, 11}) {
    const Placement home = Grown(rule, Seats(size));
    const Placement present = With(rule, home, MakeSeat(5000));
    EXPECT_EQ(Place(rule, home.seats, present, home), home) << size;
  }
}

TEST(PlaceEqually, LeavesAloneWhatIsAsItShouldBe) {
  const PlacementRule rule = Equal(1024);
  for (size_t size = 1; size <= 12; ++size) {
    const Placement placement = Grown(rule, Seats(size));
    EXPECT_EQ(Next(rule, placement.seats, placement), placement) << size;
  }
}

struct RandomRing {
  PlacementRule rule;
  Placement placement;
  NodeId next_id = 1;

  Seat MakeAny(Random* random, uint64_t zones) {
    const uint32_t weights[] = {250, 500, 1000, 1000, 1000, 2000, 3000};
    next_id += 1 + random->Below(5);
    return MakeSeat(next_id * 0x9e3779b97f4a7c15, std::to_string(random->Below(zones)),
                    weights[random->Below(7)]);
  }

  void Change(Random* random, uint64_t zones) {
    std::vector<Seat> seats = placement.seats;
    const uint64_t what = random->Below(4);
    if (seats.size() < 2 || (what < 2 && seats.size() < 12)) {
      seats.push_back(MakeAny(random, zones));
    } else if (what == 2) {
      seats[random->Below(seats.size())].weight_thousandths = 500 + 500 * random->Below(4);
    } else {
      seats.erase(seats.begin() + random->Below(seats.size()));
    }
    placement = Next(rule, seats, placement);
  }
};

void ExpectQuotas(const Placement& placement) {
  const auto count = static_cast<double>(placement.owners.size());
  double weight = 0;
  for (const Seat& seat : placement.seats) weight += seat.weight_thousandths;
  const List owned = Owned(placement);
  for (size_t i = 0; i < owned.size(); ++i) {
    const double share = count * placement.seats[i].weight_thousandths / weight;
    ASSERT_NEAR(owned[i], share, 1.0);
    ASSERT_GE(owned[i], 1U);
  }
}

uint32_t LeastMoves(const Placement& before, const Placement& after) {
  uint32_t least = 0;
  const List had = Owned(before);
  const List has = Owned(after);
  for (size_t i = 0; i < has.size(); ++i) {
    uint32_t had_it = 0;
    for (size_t j = 0; j < had.size(); ++j) {
      if (before.seats[j].id == after.seats[i].id) had_it = had[j];
    }
    least += has[i] - std::min(has[i], had_it);
  }
  return least;
}

TEST(PlaceEqually, KeepsItsPromisesThroughAnyChanges) {
  Random random(11);
  for (int round = 0; round < 60; ++round) {
    RandomRing ring;
    ring.rule = Equal(64U << random.Below(4), static_cast<uint8_t>(1 + random.Below(5)));
    const uint64_t zones = 1 + random.Below(5);
    for (int step = 0; step < 12; ++step) {
      const Placement before = ring.placement;
      ring.Change(&random, zones);
      const Placement& after = ring.placement;
      ASSERT_EQ(after.owners.size(), ring.rule.partitions);
      ASSERT_EQ(after.n, ring.rule.n);
      ASSERT_NO_FATAL_FAILURE(ExpectQuotas(after));
      ASSERT_EQ(Next(ring.rule, after.seats, before), after);
      ASSERT_EQ(Next(ring.rule, after.seats, after), after);
      // Up to n seats hold everything, whoever owns it.
      if (before.seats.empty() || after.seats.size() <= ring.rule.n) continue;
      const uint32_t least = LeastMoves(before, after);
      ASSERT_GE(OwnersMoved(before, after), least);
      ASSERT_LE(OwnersMoved(before, after), least + least / 100);
    }
  }
}

PlacementRule Tokens(uint32_t partitions, uint32_t tokens) {
  return {PlacementStrategy::kTokens, partitions, tokens, 3};
}

// Where the owner changes as one goes round.
uint32_t Arcs(const Placement& placement) {
  const size_t count = placement.owners.size();
  uint32_t arcs = 0;
  for (size_t p = 0; p < count; ++p) {
    arcs += placement.owners[p] != placement.owners[(p + 1) % count] ? 1 : 0;
  }
  return arcs;
}

TEST(PlaceByTokens, OneTokenIsOneArcUpToItsPlace) {
  const Placement placement = Next(Tokens(1024, 1), Seats(5), Placement());
  EXPECT_EQ(Arcs(placement), 5U);
  for (const uint32_t owned : Owned(placement)) EXPECT_GE(owned, 1U);
}

TEST(PlaceByTokens, PutsATokenAtTheMd5OfItsNodeAndNumber) {
  // printf 0000000000000001:0 | md5sum, and of node 2: their first 14 bits are 488 and 11219.
  const Placement placement = Next(Tokens(16384, 1), {MakeSeat(1), MakeSeat(2)}, Placement());
  EXPECT_EQ(placement.owners[488], 0U);
  EXPECT_EQ(placement.owners[488 + 1], 1U);
  EXPECT_EQ(placement.owners[11219], 1U);
  EXPECT_EQ(placement.owners[11219 + 1], 0U);
}

// Of four partitions node 1's tokens fall into 0 and 0, node 2's into 2 and 0, node 4's into 3
// and 2.
TEST(PlaceByTokens, ATokenMakesWayForAnotherNodesButNotForItsOwn) {
  EXPECT_EQ(Next(Tokens(4, 2), {MakeSeat(1), MakeSeat(2)}, Placement()).owners, List({0, 1, 1, 0}));
  EXPECT_EQ(Next(Tokens(4, 2), {MakeSeat(1), MakeSeat(4)}, Placement()).owners, List({0, 1, 1, 1}));
}

TEST(PlaceByTokens, ANewNodeTakesFromItsSuccessorOnly) {
  const PlacementRule rule = Tokens(1024, 1);
  Placement placement = Next(rule, Seats(5), Placement());
  for (NodeId id = 1; id <= 20; ++id) {
    const Placement before = placement;
    placement = With(rule, before, MakeSeat(id));
    std::set<NodeId> losers;
    for (uint32_t p = 0; p < 1024; ++p) {
      if (OwnerId(before, p) == OwnerId(placement, p)) continue;
      EXPECT_EQ(OwnerId(placement, p), id);
      losers.insert(OwnerId(before, p));
    }
    EXPECT_EQ(losers.size(), 1U);
    EXPECT_EQ(Without(rule, placement, id), before);
  }
}

TEST(PlaceByTokens, ManyTokensShareByWeight) {
  std::vector<Seat> seats = Seats(4);
  seats.push_back(MakeSeat(9000, "default", 4000));
  const Placement placement = Next(Tokens(16384, 64), seats, Placement());
  const List owned = Owned(placement);
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(owned[i], 16384 / 8, 16384 / 24);
  EXPECT_NEAR(owned[4], 16384 / 2, 16384 / 12);
}

TEST(PlaceByTokens, LeavesNobodyEmptyWhilePartitionsLast) {
  for (const uint32_t tokens : {1, 64}) {
    const Placement placement = Next(Tokens(16, tokens), Seats(16), Placement());
    EXPECT_EQ(Owned(placement), List(16, 1));
    EXPECT_EQ(Next(Tokens(8, tokens), Seats(16), Placement()).owners.size(), 8U);
  }
}

}  // namespace
}  // namespace cartwheel
