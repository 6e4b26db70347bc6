#include "cluster/placement_leveling.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace cartwheel {
namespace {

// Of a search: some 20 ms on the largest circles.
int64_t Steps(uint32_t partitions) {
  return std::min<int64_t>(2000 * int64_t{partitions}, 2'000'000);
}
constexpr int64_t kStepsOfLook = 16;

// What stands against the squares of what seats hold too much or too little.
constexpr int64_t kCostOfCopy = 4;  // a seat that is new in a list
constexpr int64_t kCostOfRow = 8;   // n partitions that hold a node twice

bool Contains(const std::vector<uint32_t>& list, uint32_t what) {
  return std::find(list.begin(), list.end(), what) != list.end();
}

struct List {
  std::vector<uint32_t> seats;
  uint32_t reach = 0;  // how many partitions the walk looked at
};

// The walks over a circle of owners, as Ring walks: distinct zones first.
class Walks {
 public:
  Walks(const PlacementCircle& circle, const std::vector<uint32_t>& owners);

  void From(uint32_t partition, List* list);

 private:
  uint32_t ZoneOf(uint32_t seat) const { return circle_.zone(seat); }

  const PlacementCircle& circle_;
  const std::vector<uint32_t>& owners_;
  size_t most_seats_ = 0;  // that any walk can find
  size_t most_zones_ = 0;
  std::vector<uint32_t> rest_;  // what a walk met in zones that it had met before
};

Walks::Walks(const PlacementCircle& circle, const std::vector<uint32_t>& owners)
    : circle_(circle), owners_(owners) {
  std::vector<uint32_t> seats = owners;
  std::sort(seats.begin(), seats.end());
  seats.erase(std::unique(seats.begin(), seats.end()), seats.end());
  most_seats_ = std::min<size_t>(circle.n(), seats.size());
  for (uint32_t& seat : seats) seat = ZoneOf(seat);
  std::sort(seats.begin(), seats.end());
  seats.erase(std::unique(seats.begin(), seats.end()), seats.end());
  most_zones_ = std::min<size_t>(circle.n(), seats.size());
}

void Walks::From(uint32_t partition, List* list) {
  std::vector<uint32_t>& firsts = list->seats;
  firsts.clear();
  rest_.clear();
  uint32_t reach = 0;
  while (firsts.size() < most_zones_ || firsts.size() + rest_.size() < most_seats_) {
    const uint32_t at = partition + reach++;
    const uint32_t seat = owners_[at < owners_.size() ? at : at - owners_.size()];
    const bool zone_met = std::any_of(firsts.begin(), firsts.end(), [&](uint32_t first) {
      return ZoneOf(first) == ZoneOf(seat);
    });
    if (!zone_met) {
      firsts.push_back(seat);
    } else if (rest_.size() < most_seats_ && !Contains(firsts, seat) && !Contains(rest_, seat)) {
      rest_.push_back(seat);
    }
  }
  const size_t more = std::min(rest_.size(), most_seats_ - firsts.size());
  firsts.insert(firsts.end(), rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(more));
  list->reach = reach;
}

class Leveling {
 public:
  explicit Leveling(PlacementCircle* circle);

  // Exchanges what gets better by it; says whether anything did.
  bool RunOnce(bool more_rows);

 private:
  // Of owners that stand apart each holds n times what it owns, and only what moved is copied.
  bool Done() const { return steps_left_ <= 0 || (imbalance_ == 0 && !circle_.HasZones()); }
  int64_t Cost() const { return imbalance_ + kCostOfCopy * copies_; }
  bool ExchangeIfBetter(uint32_t a, uint32_t b, bool more_rows);
  // The partitions whose walks come by either.
  std::vector<uint32_t> Seeing(uint32_t a, uint32_t b) const;
  void Walk(uint32_t from);
  void Count(uint32_t from, int64_t sign);

  PlacementCircle& circle_;
  Walks walks_;
  std::vector<List> lists_;  // of each partition
  std::vector<std::vector<uint32_t>> lists_before_;
  std::vector<int64_t> excess_;  // of each seat: what it holds less what it should
  int64_t imbalance_ = 0;        // the sum of the squares
  int64_t copies_ = 0;
  uint32_t longest_reach_ = 0;
  int64_t steps_left_;
};

Leveling::Leveling(PlacementCircle* circle)
    : circle_(*circle),
      walks_(circle_, circle_.owners()),
      lists_(circle_.size()),
      lists_before_(circle_.size()),
      excess_(circle_.seat_count()),
      steps_left_(Steps(circle_.size())) {
  if (!circle_.IsNew()) {
    Walks walks(circle_, circle_.before());
    List list;
    for (uint32_t p = 0; p < circle_.size() && steps_left_ > 0; ++p) {
      walks.From(p, &list);
      steps_left_ -= list.reach;
      lists_before_[p] = list.seats;
    }
  }
  for (const uint32_t owner : circle_.owners()) excess_[owner] -= circle_.n();
  for (const int64_t excess : excess_) imbalance_ += excess * excess;
  for (uint32_t p = 0; p < circle_.size() && steps_left_ > 0; ++p) Walk(p);
}

void Leveling::Count(uint32_t from, int64_t sign) {
  for (const uint32_t seat : lists_[from].seats) {
    imbalance_ += 2 * sign * excess_[seat] + 1;
    excess_[seat] += sign;
    if (!Contains(lists_before_[from], seat)) copies_ += sign;
  }
}

void Leveling::Walk(uint32_t from) {
  Count(from, -1);
  walks_.From(from, &lists_[from]);
  Count(from, 1);
  longest_reach_ = std::max(longest_reach_, lists_[from].reach);
  steps_left_ -= lists_[from].reach;
}

std::vector<uint32_t> Leveling::Seeing(uint32_t a, uint32_t b) const {
  std::vector<uint32_t> seeing;
  const uint32_t count = circle_.size();
  for (const uint32_t at : {a, b}) {
    for (uint32_t distance = 0; distance < longest_reach_; ++distance) {
      const uint32_t from = at < distance ? at + count - distance : at - distance;
      if (lists_[from].reach > distance) seeing.push_back(from);
    }
  }
  std::sort(seeing.begin(), seeing.end());
  seeing.erase(std::unique(seeing.begin(), seeing.end()), seeing.end());
  return seeing;
}

bool Leveling::ExchangeIfBetter(uint32_t a, uint32_t b, bool more_rows) {
  const int64_t rows = circle_.RowsOf(a, b);
  steps_left_ -= kStepsOfLook;
  if (rows > 0 && !more_rows) return false;
  const int64_t bound = Cost() - kCostOfRow * rows;
  const std::vector<uint32_t> seeing = Seeing(a, b);
  steps_left_ -= 2 * int64_t{longest_reach_};
  circle_.Exchange(a, b);
  for (const uint32_t from : seeing) Walk(from);
  if (Cost() < bound) return true;
  circle_.Exchange(a, b);
  for (const uint32_t from : seeing) Walk(from);
  return false;
}

bool Leveling::RunOnce(bool more_rows) {
  // A few partners for everybody, then the next few: the steps may not last for all.
  constexpr uint32_t kFew = 32;
  bool better = false;
  for (uint32_t shift = 0; shift < circle_.size(); shift += kFew) {
    for (uint32_t a = 0; a < circle_.size(); ++a) {
      for (uint32_t i = 0; i < kFew && circle_.Moved(a); ++i) {
        if (Done()) return false;
        steps_left_ -= 1;
        const uint32_t b = (a + shift + i) % circle_.size();
        if (circle_.owner(a) == circle_.owner(b) || circle_.MovesOf(a, b) > 0) continue;
        better |= ExchangeIfBetter(a, b, more_rows);
      }
    }
  }
  return better;
}

}  // namespace

void LevelPlacement(PlacementCircle* circle) {
  Leveling leveling(circle);
  for (const bool more_rows : {false, true}) {
    while (leveling.RunOnce(more_rows)) {
    }
  }
}

}  // namespace cartwheel
