#include "cluster/placement_circle.h"

#include <algorithm>
#include <cmath>

namespace cartwheel {
namespace {

// Of a search: some 20 ms on the largest circles.
int64_t Steps(uint32_t partitions) {
  return std::min<int64_t>(8000 * int64_t{partitions}, 8'000'000);
}
constexpr int64_t kStepsOfCrowd = 16;

}  // namespace

PlacementCircle::PlacementCircle(const PlacementRule& rule, const std::vector<Seat>& seats)
    : n_(rule.n),
      seat_count_(static_cast<uint32_t>(seats.size())),
      owners_(rule.partitions, kNobody),
      before_(rule.partitions, kNobody),
      steps_left_(Steps(rule.partitions)) {
  for (const Seat& seat : seats) AddZoneOf(seat);
  has_zones_ = zone_numbers_.size() > 1;
}

void PlacementCircle::AddZoneOf(const Seat& seat) {
  const auto next = static_cast<uint32_t>(zone_numbers_.size());
  zones_.push_back(zone_numbers_.try_emplace(seat.zone, next).first->second);
}

int64_t PlacementCircle::Crowd(uint32_t partition, uint32_t seat) const {
  int64_t crowd = 0;
  const auto look = [&](uint32_t at, uint32_t rows) {
    const uint32_t neighbour = owners_[at];
    if (at == partition || neighbour == kNobody) return;
    if (neighbour == seat) {
      crowd += rows * kSameNode;
    } else if (has_zones_ && zones_[neighbour] == zones_[seat]) {
      crowd += rows;
    }
  };
  const uint32_t count = size();
  for (uint32_t distance = 1; distance < std::min(n_, count); ++distance) {
    const uint32_t after = partition + distance;
    look(after < count ? after : after - count, n_ - distance);
    look(partition < distance ? partition + count - distance : partition - distance, n_ - distance);
  }
  return crowd;
}

int PlacementCircle::MovesOf(uint32_t a, uint32_t b) const {
  const int before = (owners_[a] != before_[a]) + (owners_[b] != before_[b]);
  return (owners_[b] != before_[a]) + (owners_[a] != before_[b]) - before;
}

int64_t PlacementCircle::CrowdOf(uint32_t a, uint32_t b) {
  const int64_t before = Crowd(a, owners_[a]) + Crowd(b, owners_[b]);
  Exchange(a, b);
  const int64_t after = Crowd(a, owners_[a]) + Crowd(b, owners_[b]);
  Exchange(a, b);
  return after - before;
}

int64_t PlacementCircle::RowsOf(uint32_t a, uint32_t b) {
  return std::lround(static_cast<double>(CrowdOf(a, b)) / kSameNode);
}

uint32_t PlacementCircle::PartnerOf(uint32_t partition, int more_moves, int64_t gain) {
  uint32_t best = partition;
  int64_t best_crowd = 1 - gain;
  steps_left_ -= size();
  for (uint32_t other = 0; other < size(); ++other) {
    if (owners_[other] == owners_[partition] || MovesOf(partition, other) > more_moves) continue;
    steps_left_ -= kStepsOfCrowd;
    if (const int64_t crowd = CrowdOf(partition, other); crowd < best_crowd) {
      best = other;
      best_crowd = crowd;
    }
  }
  return best;
}

void PlacementCircle::SpreadOnce(int64_t gain) {
  for (bool better = true; better && steps_left_ > 0;) {
    better = false;
    for (uint32_t p = 0; p < size() && steps_left_ > 0; ++p) {
      if (Crowd(p, owners_[p]) < gain) continue;
      const uint32_t partner = PartnerOf(p, 0, gain);
      if (partner == p) continue;
      Exchange(p, partner);
      better = true;
    }
  }
}

void PlacementCircle::Spread(uint32_t more_moves) {
  constexpr int64_t kNodeGain = kSameNode / 2;  // a node less, whatever the zones say
  SpreadOnce(kNodeGain);
  if (has_zones_) SpreadOnce(1);
  int left = static_cast<int>(more_moves);
  for (uint32_t p = 0; p < size() && left > 0 && steps_left_ > 0; ++p) {
    if (!SameNode(Crowd(p, owners_[p]))) continue;
    for (int moves = 1; moves <= std::min(left, 2); ++moves) {
      const uint32_t partner = PartnerOf(p, moves, kNodeGain);
      if (partner == p) continue;
      left -= MovesOf(p, partner);
      Exchange(p, partner);
      break;
    }
  }
}

}  // namespace cartwheel
