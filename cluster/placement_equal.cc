// `placement equal`: every seat owns its share of equal partitions (Dynamo, section 6.2,
// strategy 3).
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "base/check.h"
#include "cluster/placement.h"
#include "cluster/placement_circle.h"
#include "cluster/placement_leveling.h"

namespace cartwheel {
namespace {

constexpr uint32_t kNobody = PlacementCircle::kNobody;

// The shares by weight, in whole partitions: largest remainders first, and of equal ones those who
// need not give then, and then newcomers, so that a replacement gets all that its node had.
std::vector<uint32_t> Quotas(uint32_t partitions, const std::vector<Seat>& seats,
                             const std::vector<uint32_t>& held) {
  uint64_t total_weight = 0;
  for (const Seat& seat : seats) total_weight += seat.weight_thousandths;
  CHECK(total_weight > 0);  // no member weighs nothing: states are checked when they are decoded
  std::vector<uint32_t> quotas;
  std::vector<uint64_t> remainders;
  for (const Seat& seat : seats) {
    const uint64_t weighted = uint64_t{partitions} * seat.weight_thousandths;
    quotas.push_back(static_cast<uint32_t>(weighted / total_weight));
    remainders.push_back(weighted % total_weight);
  }
  std::vector<uint32_t> order(seats.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    if (remainders[a] != remainders[b]) return remainders[a] > remainders[b];
    const bool a_keeps = held[a] > quotas[a];
    const bool b_keeps = held[b] > quotas[b];
    if (a_keeps != b_keeps) return a_keeps;
    return held[a] != held[b] ? held[a] < held[b] : a < b;
  });
  const uint32_t rest = partitions - std::accumulate(quotas.begin(), quotas.end(), 0U);
  for (uint32_t i = 0; i < rest; ++i) quotas[order[i]] += 1;
  if (partitions < seats.size()) return quotas;
  for (uint32_t& quota : quotas) {
    if (quota > 0) continue;
    *std::max_element(quotas.begin(), quotas.end()) -= 1;
    quota = 1;
  }
  return quotas;
}

// The present numbers of seats, as numbers among those who stay; kNobody for the others.
std::vector<uint32_t> Renumber(const std::vector<Seat>& from, const std::vector<Seat>& to) {
  std::vector<uint32_t> numbers;
  for (const Seat& seat : from) {
    const auto at = std::lower_bound(to.begin(), to.end(), seat.id,
                                     [](const Seat& s, NodeId id) { return s.id < id; });
    const bool stays = at != to.end() && at->id == seat.id;
    numbers.push_back(stays ? static_cast<uint32_t>(at - to.begin()) : kNobody);
  }
  return numbers;
}

// One change of members under way.
class Reseating {
 public:
  Reseating(const PlacementRule& rule, const std::vector<Seat>& seats, const Placement& present,
            const Placement& home);

  std::vector<uint32_t> Run();

 private:
  std::vector<bool> TakeOver(const Placement& present, const Placement& home);
  bool MayGive(uint32_t partition) const;
  void Give(uint32_t partition, uint32_t seat);
  // Who has most room, for its quota, among those who would crowd least.
  uint32_t RoomiestFor(uint32_t partition) const;

  void GiveOrphans();
  void TakeEvenly(uint32_t seat);
  void TakeRest(uint32_t seat);

  std::vector<uint32_t> HomeColumns() const;
  void GiveColumns(const std::vector<uint32_t>& columns);
  void SortColumns(const std::vector<uint32_t>& columns);

  const std::vector<Seat>& seats_;
  uint32_t n_;
  bool n_changed_;
  uint32_t count_;  // partitions
  uint32_t seat_count_;
  PlacementCircle circle_;
  std::vector<uint32_t> quotas_;
  std::vector<uint32_t> surplus_;  // what each seat has still to give
  std::vector<uint32_t> room_;     // what each seat has still to get
  uint32_t moves_ = 0;
};

Reseating::Reseating(const PlacementRule& rule, const std::vector<Seat>& seats,
                     const Placement& present, const Placement& home)
    : seats_(seats),
      n_(rule.n),
      n_changed_(present.n != rule.n),
      count_(rule.partitions),
      seat_count_(static_cast<uint32_t>(seats.size())),
      circle_(rule, seats),
      surplus_(seat_count_),
      room_(seat_count_) {
  const std::vector<bool> returned = TakeOver(present, home);
  std::vector<uint32_t> held(seat_count_);
  for (const uint32_t owner : circle_.owners()) {
    if (owner != kNobody) held[owner] += 1;
  }
  quotas_ = Quotas(count_, seats, held);
  for (uint32_t seat = 0; seat < seat_count_; ++seat) {
    surplus_[seat] = held[seat] - std::min(held[seat], quotas_[seat]);
    room_[seat] = quotas_[seat] - std::min(held[seat], quotas_[seat]);
  }
  // What came back to seats without room for it has to go on.
  for (uint32_t p = 0; p < count_; ++p) {
    if (!returned[p] || surplus_[circle_.owner(p)] == 0) continue;
    surplus_[circle_.owner(p)] -= 1;
    circle_.Give(p, kNobody);
  }
}

// Everything to its present owner or, where that one is gone, back to the one at home; says what
// came back. What nobody has then are orphans.
std::vector<bool> Reseating::TakeOver(const Placement& present, const Placement& home) {
  std::vector<bool> returned(count_);
  std::vector<uint32_t> numbers = Renumber(present.seats, seats_);
  const std::vector<uint32_t> home_numbers = Renumber(home.seats, seats_);
  uint32_t gone = seat_count_;
  for (uint32_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != kNobody) continue;
    circle_.AddGone(present.seats[i]);
    numbers[i] = gone++;
  }
  for (uint32_t p = 0; p < present.owners.size(); ++p) {
    const uint32_t owner = numbers[present.owners[p]];
    circle_.SetBefore(p, owner);
    if (owner < seat_count_) {
      circle_.Give(p, owner);
    } else if (p < home.owners.size() && home_numbers[home.owners[p]] != kNobody) {
      circle_.Give(p, home_numbers[home.owners[p]]);
      circle_.SetBefore(p, circle_.owner(p));
      returned[p] = true;
    }
  }
  return returned;
}

bool Reseating::MayGive(uint32_t partition) const {
  const uint32_t owner = circle_.owner(partition);
  return owner == kNobody || surplus_[owner] > 0;
}

void Reseating::Give(uint32_t partition, uint32_t seat) {
  if (const uint32_t owner = circle_.owner(partition); owner != kNobody) surplus_[owner] -= 1;
  room_[seat] -= 1;
  moves_ += 1;
  circle_.Give(partition, seat);
}

uint32_t Reseating::RoomiestFor(uint32_t partition) const {
  uint32_t best = kNobody;
  int64_t best_crowd = 0;
  for (uint32_t seat = 0; seat < seat_count_; ++seat) {
    if (room_[seat] == 0) continue;
    const int64_t crowd = circle_.Crowd(partition, seat);
    const bool better = best == kNobody || crowd < best_crowd ||
                        (crowd == best_crowd && uint64_t{room_[seat]} * quotas_[best] >
                                                    uint64_t{room_[best]} * quotas_[seat]);
    if (!better) continue;
    best = seat;
    best_crowd = crowd;
  }
  return best;
}

void Reseating::GiveOrphans() {
  for (uint32_t p = 0; p < count_; ++p) {
    if (circle_.owner(p) != kNobody) continue;
    const uint32_t seat = RoomiestFor(p);
    CHECK(seat != kNobody);
    Give(p, seat);
  }
}

// One partition out of each of as many equal arcs as the seat has room for, none too close to
// another of its own.
void Reseating::TakeEvenly(uint32_t seat) {
  const uint64_t wanted = room_[seat];
  for (uint64_t arc = 0; arc < wanted; ++arc) {
    const uint64_t end = (arc + 1) * count_ / wanted;
    uint64_t best = end;
    int64_t best_crowd = 0;
    for (uint64_t p = arc * count_ / wanted; p < end; ++p) {
      const auto at = static_cast<uint32_t>(p);
      const uint32_t owner = circle_.owner(at);
      if (owner == seat || surplus_[owner] == 0) continue;
      const int64_t crowd = circle_.Crowd(at, seat);
      if (PlacementCircle::SameNode(crowd)) continue;
      const int64_t more = crowd - circle_.Crowd(at, owner);
      // Who has most to give goes first among equals, that nobody is left with what none can take.
      if (best != end &&
          (more > best_crowd ||
           (more == best_crowd &&
            surplus_[owner] <= surplus_[circle_.owner(static_cast<uint32_t>(best))]))) {
        continue;
      }
      best = p;
      best_crowd = more;
    }
    if (best == end) continue;
    Give(static_cast<uint32_t>(best), seat);
  }
}

// What there is still room for, wherever it crowds least.
void Reseating::TakeRest(uint32_t seat) {
  std::vector<std::pair<int64_t, uint32_t>> offers;  // how much more it would crowd
  for (uint32_t p = 0; p < count_; ++p) {
    const uint32_t owner = circle_.owner(p);
    if (owner == seat || surplus_[owner] == 0) continue;
    offers.emplace_back(circle_.Crowd(p, seat) - circle_.Crowd(p, owner), p);
  }
  std::sort(offers.begin(), offers.end());
  for (const auto& [crowd, p] : offers) {
    if (room_[seat] == 0) return;
    if (surplus_[circle_.owner(p)] > 0) Give(p, seat);
  }
}

// Up to n seats cannot keep n apart, yet the circle must be one of n columns (partitions that are
// equal modulo n), one per seat, when there are n. So each seat has a column for its home, where it
// holds most, and the columns that are nobody's home are shared. Gives each column's seat.
std::vector<uint32_t> Reseating::HomeColumns() const {
  std::vector<std::vector<uint32_t>> held(seat_count_, std::vector<uint32_t>(n_));
  for (uint32_t p = 0; p < count_; ++p) {
    if (circle_.owner(p) != kNobody) held[circle_.owner(p)][p % n_] += 1;
  }
  std::vector<uint32_t> columns(n_, kNobody);
  std::vector<bool> housed(seat_count_);
  for (uint32_t i = 0; i < seat_count_; ++i) {
    uint32_t seat = kNobody;
    uint32_t home = 0;
    for (uint32_t s = 0; s < seat_count_; ++s) {
      if (housed[s]) continue;
      for (uint32_t column = 0; column < n_; ++column) {
        if (columns[column] != kNobody) continue;
        if (seat != kNobody && held[s][column] <= held[seat][home]) continue;
        seat = s;
        home = column;
      }
    }
    columns[home] = seat;
    housed[seat] = true;
  }
  return columns;
}

void Reseating::GiveColumns(const std::vector<uint32_t>& columns) {
  for (uint32_t p = 0; p < count_; ++p) {
    const uint32_t seat = columns[p % n_];
    if (seat == kNobody || circle_.owner(p) == seat) continue;
    if (room_[seat] > 0 && MayGive(p)) Give(p, seat);
  }
  // Of a shared column every so many-th first, that the rest of it is spread as evenly.
  for (const uint32_t stride : {seat_count_, 1U}) {
    for (uint32_t p = 0; p < count_; ++p) {
      const bool shared = columns[p % n_] == kNobody && p / n_ % stride == 0;
      if (!MayGive(p) || !(shared || stride == 1)) continue;
      if (const uint32_t seat = RoomiestFor(p); seat != kNobody) Give(p, seat);
    }
  }
}

// Every seat holds everything: that some first serve what others did moves no data.
void Reseating::SortColumns(const std::vector<uint32_t>& columns) {
  std::vector<std::vector<uint32_t>> strays(seat_count_);  // what each seat has outside its home
  const auto is_stray = [&](uint32_t p) { return columns[p % n_] != circle_.owner(p); };
  for (uint32_t p = count_; p-- > 0;) {
    if (is_stray(p)) strays[circle_.owner(p)].push_back(p);
  }
  for (uint32_t p = 0; p < count_; ++p) {
    const uint32_t seat = columns[p % n_];
    const uint32_t owner = circle_.owner(p);
    if (seat == kNobody || owner == seat) continue;
    std::vector<uint32_t>& mine = strays[seat];
    while (!mine.empty() && circle_.owner(mine.back()) != seat) mine.pop_back();
    if (mine.empty()) continue;
    const uint32_t stray = mine.back();
    circle_.Give(p, seat);
    circle_.Give(stray, owner);
    if (is_stray(stray)) strays[owner].push_back(stray);
  }
}

std::vector<uint32_t> Reseating::Run() {
  if (seat_count_ <= n_) {
    const std::vector<uint32_t> columns = HomeColumns();
    GiveColumns(columns);
    if (moves_ > 0 || n_changed_) SortColumns(columns);
    return circle_.TakeOwners();
  }
  GiveOrphans();
  for (uint32_t seat = 0; seat < seat_count_; ++seat) {
    if (room_[seat] == 0) continue;
    TakeEvenly(seat);
    TakeRest(seat);
  }
  if (moves_ > 0) {
    // What is moved beyond what must stays within a hundredth of it.
    circle_.Spread(moves_ / 100);
    LevelPlacement(&circle_);
  }
  return circle_.TakeOwners();
}

}  // namespace

std::vector<uint32_t> PlaceEqually(const PlacementRule& rule, const std::vector<Seat>& seats,
                                   const Placement& present, const Placement& home) {
  return Reseating(rule, seats, present, home).Run();
}

Placement Place(const PlacementRule& rule, std::vector<Seat> seats, const Placement& present,
                const Placement& home) {
  CHECK(!seats.empty());
  Placement placement;
  placement.n = rule.n;
  placement.owners = rule.strategy == PlacementStrategy::kTokens
                         ? PlaceByTokens(rule, seats)
                         : PlaceEqually(rule, seats, present, home);
  placement.seats = std::move(seats);
  return placement;
}

}  // namespace cartwheel
