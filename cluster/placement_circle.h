// PlacementCircle: the owners of a circle of partitions while PlaceEqually works on them, how much
// they crowd, and the one move that mends a circle without changing anybody's share: two partitions
// exchange their owners.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cluster/placement.h"

namespace cartwheel {

class PlacementCircle {
 public:
  static constexpr uint32_t kNobody = UINT32_MAX;

  PlacementCircle(const PlacementRule& rule, const std::vector<Seat>& seats);
  // A seat that is no more, but was there before: gets the next number.
  void AddGone(const Seat& seat) { AddZoneOf(seat); }

  uint32_t size() const { return static_cast<uint32_t>(owners_.size()); }
  uint32_t n() const { return n_; }
  uint32_t seat_count() const { return seat_count_; }
  uint32_t zone(uint32_t seat) const { return zones_[seat]; }
  bool HasZones() const { return has_zones_; }
  const std::vector<uint32_t>& owners() const { return owners_; }
  uint32_t owner(uint32_t partition) const { return owners_[partition]; }
  void Give(uint32_t partition, uint32_t seat) { owners_[partition] = seat; }
  std::vector<uint32_t> TakeOwners() { return std::move(owners_); }

  // Whose the partitions were before the change; nobody's in a new ring.
  const std::vector<uint32_t>& before() const { return before_; }
  void SetBefore(uint32_t partition, uint32_t seat) { before_[partition] = seat; }
  bool IsNew() const { return before_[0] == kNobody; }
  bool Moved(uint32_t partition) const { return owners_[partition] != before_[partition]; }

  // How badly the seat would stand at the partition: each of the n - 1 neighbours on either side
  // that is the same node, or in the same zone, counts as often as n partitions in a row hold both.
  int64_t Crowd(uint32_t partition, uint32_t seat) const;
  static bool SameNode(int64_t crowd) { return crowd >= kSameNode; }

  void Exchange(uint32_t a, uint32_t b) { std::swap(owners_[a], owners_[b]); }
  // How many partitions more will have moved after an exchange.
  int MovesOf(uint32_t a, uint32_t b) const;
  // In how many more rows of n a node will stand twice after an exchange, whatever the zones say.
  int64_t RowsOf(uint32_t a, uint32_t b);

  // Exchanges until no partition crowds that could do better. First among what moves anyway; then,
  // for nodes too close to themselves, with at most `more_moves` partitions that need not move.
  void Spread(uint32_t more_moves);

 private:
  static constexpr int64_t kSameNode = 1 << 16;

  void AddZoneOf(const Seat& seat);
  // How much more the two crowd after an exchange.
  int64_t CrowdOf(uint32_t a, uint32_t b);
  // The partition that best exchanges with this one; itself when none does.
  uint32_t PartnerOf(uint32_t partition, int more_moves, int64_t gain);
  void SpreadOnce(int64_t gain);

  uint32_t n_;
  uint32_t seat_count_;
  std::map<std::string, uint32_t> zone_numbers_;
  std::vector<uint32_t> zones_;  // of each seat, then of those that are gone
  bool has_zones_ = false;
  std::vector<uint32_t> owners_;
  std::vector<uint32_t> before_;
  int64_t steps_left_;  // of the search: Place is called on the loop
};

}  // namespace cartwheel
