#include "cluster/ring.h"

#include <map>
#include <string_view>

namespace cartwheel {
namespace {

using Index = uint32_t;  // of a seat

// How many nodes a request may need to meet: the N and as many fallbacks as make a quorum of any
// size likely even when several nodes in a row are down.
size_t ListLength(size_t members, uint8_t n) {
  return std::min(members, std::max<size_t>(n + size_t{8}, size_t{2} * n));
}

bool AreSame(std::span<const NodeId> a, std::span<const NodeId> b) {
  return a.size() == b.size() &&
         std::all_of(a.begin(), a.end(), [b](NodeId node) { return Contains(b, node); });
}

// Makes the lists of one placement.
class Builder {
 public:
  Builder(const ClusterState& state, const Placement& placement);

  Ring::Table Build();

 private:
  // Seats and zones as a walk from some partition meets them first.
  struct Encounters {
    std::vector<Index> seats;
    std::vector<Index> zone_firsts;  // the first seat of each zone
  };

  void MeetBefore(Index seat, Encounters* met) const;
  void Store(uint32_t partition, const Encounters& met);

  const Placement& placement_;
  size_t seats_met_;            // so many a walk has to keep
  std::vector<Index> zones_;    // of each seat, numbered
  std::vector<bool> is_here_;   // by seat: a member, not one that was removed
  std::vector<NodeId> others_;  // members without a seat that may stand in for others
  Ring::Table table_;
};

Builder::Builder(const ClusterState& state, const Placement& placement) : placement_(placement) {
  std::map<std::string_view, Index> zone_numbers;
  for (const Seat& seat : placement.seats) {
    const auto next = static_cast<Index>(zone_numbers.size());
    zones_.push_back(zone_numbers.try_emplace(seat.zone, next).first->second);
    is_here_.push_back(state.Find(seat.id) != nullptr);
  }
  const auto has_seat = [&](NodeId id) {
    const auto at = std::lower_bound(placement.seats.begin(), placement.seats.end(), id,
                                     [](const Seat& s, NodeId wanted) { return s.id < wanted; });
    return at != placement.seats.end() && at->id == id;
  };
  for (const Member& member : state.members) {
    if (member.status != MemberStatus::kLeaving && !has_seat(member.id)) {
      others_.push_back(member.id);
    }
  }
  table_.n = static_cast<uint8_t>(std::min<size_t>(placement.n, placement.seats.size()));
  table_.stride = ListLength(placement.seats.size() + others_.size(), table_.n);
  // Those that were removed drop out of a list.
  const auto gone = static_cast<size_t>(std::count(is_here_.begin(), is_here_.end(), false));
  seats_met_ = std::min(placement.seats.size(), table_.stride + gone);
}

// What a walk meets that begins one partition earlier, at one of `seat`: it meets this one and its
// zone first, and all else in the same order. No list need be longer than what is asked of it.
void Builder::MeetBefore(Index seat, Encounters* met) const {
  std::vector<Index>& seats = met->seats;
  if (const auto at = std::find(seats.begin(), seats.end(), seat); at != seats.end()) {
    seats.erase(at);
  } else if (seats.size() == seats_met_) {
    seats.pop_back();
  }
  seats.insert(seats.begin(), seat);

  std::vector<Index>& firsts = met->zone_firsts;
  const auto same_zone = std::find_if(firsts.begin(), firsts.end(), [this, seat](Index first) {
    return zones_[first] == zones_[seat];
  });
  if (same_zone != firsts.end()) {
    firsts.erase(same_zone);
  } else if (firsts.size() == table_.n) {
    firsts.pop_back();
  }
  firsts.insert(firsts.begin(), seat);
}

// Distinct zones first, then on round; then those that own nothing. If all its replicas were
// removed, the next ones are in their place.
void Builder::Store(uint32_t partition, const Encounters& met) {
  std::vector<Index> walk = met.zone_firsts;
  const auto append = [&walk](Index seat) {
    if (std::find(walk.begin(), walk.end(), seat) == walk.end()) walk.push_back(seat);
  };
  for (const Index seat : met.seats) append(seat);
  for (Index seat = 0; walk.size() < seats_met_; ++seat) append(seat);
  NodeId* const list = &table_.lists[partition * table_.stride];
  size_t length = 0;
  size_t replicas = 0;
  const size_t nominal = std::min<size_t>(table_.n, walk.size());
  for (size_t i = 0; i < walk.size() && length < table_.stride; ++i) {
    if (!is_here_[walk[i]]) continue;
    list[length++] = placement_.seats[walk[i]].id;
    if (i < nominal) replicas = length;
  }
  for (size_t i = 0; i < others_.size() && length < table_.stride; ++i) list[length++] = others_[i];
  if (replicas == 0) replicas = std::min<size_t>(table_.n, length);
  table_.lengths[partition] = static_cast<uint8_t>(length);
  table_.replicas[partition] = static_cast<uint8_t>(replicas);
  table_.nominal[partition] = static_cast<uint8_t>(nominal);
}

// Backwards round the circle, twice: the first round only finds what a walk from the last partition
// meets after it has passed the first one.
Ring::Table Builder::Build() {
  const auto partitions = static_cast<uint32_t>(placement_.owners.size());
  table_.lists.resize(partitions * table_.stride);
  table_.lengths.resize(partitions);
  table_.replicas.resize(partitions);
  table_.nominal.resize(partitions);
  Encounters met;
  for (const bool store : {false, true}) {
    for (uint32_t partition = partitions; partition-- > 0;) {
      MeetBefore(placement_.owners[partition], &met);
      if (store) Store(partition, met);
    }
  }
  return std::move(table_);
}

}  // namespace

Ring::Ring(const ClusterState& state)
    : phase_(state.phase),
      in_motion_(state.in_motion()),
      placement_version_(state.placement_version),
      partitions_(state.settings.partitions),
      slots_per_partition_(kSlotCount / partitions_),
      lowest_w_(state.lowest_w),
      reading_(Builder(state, state.reading()).Build()) {
  for (const Member& member : state.members) members_.push_back(member.id);
  r_ = std::min(state.settings.r, reading_.n);
  w_ = std::min(state.settings.w, reading_.n);
  nominal_w_ = state.settings.w;
  if (!in_motion_) return;
  const bool switching = phase_ == Phase::kSwitch;
  other_ = Builder(state, switching ? state.serving : state.target).Build();
  for (uint32_t partition = 0; partition < partitions_; ++partition) {
    same_.push_back(AreSame(reading_.Replicas(partition), other_.Replicas(partition)));
  }
}

Ring::Sources Ring::SourcesOf(uint32_t partition, NodeId gainer) const {
  if (phase_ != Phase::kFetch) return {};
  const auto was = serving().Replicas(partition);
  const auto will = target().Replicas(partition);
  if (!Contains(will, gainer)) return {};
  // Where the replicas become fewer, those that stay may lack what the others had.
  if (Contains(was, gainer) && will.size() >= serving().nominal[partition]) return {};
  const size_t quorum_meets = serving().nominal[partition] + size_t{1} -
                              std::min<size_t>(lowest_w_, serving().nominal[partition]);
  const size_t others = was.size() - (Contains(was, gainer) ? 1 : 0);
  return {was, std::min(quorum_meets, others)};
}

std::vector<NodeId> Ring::Gainers() const {
  std::vector<NodeId> gainers;
  if (phase_ != Phase::kFetch) return gainers;
  for (uint32_t partition = 0; partition < partitions_; ++partition) {
    for (const NodeId node : target().Replicas(partition)) {
      if (SourcesOf(partition, node).needed > 0) gainers.push_back(node);
    }
  }
  std::sort(gainers.begin(), gainers.end());
  gainers.erase(std::unique(gainers.begin(), gainers.end()), gainers.end());
  return gainers;
}

Ring::Sources Ring::SwitchersOf(uint32_t partition) const {
  if (phase_ != Phase::kSwitch || same_[partition]) return {};
  const auto were = serving().Replicas(partition);
  const size_t reads = std::min<size_t>(r_, serving().nominal[partition]);
  return {were, std::min<size_t>(serving().nominal[partition] + 1U - reads, were.size())};
}

std::vector<NodeId> Ring::Walk(uint16_t slot) const {
  const auto list = PreferenceList(slot);
  std::vector<NodeId> walk(list.begin(), list.end());
  const auto append = [&walk](std::span<const NodeId> nodes) {
    for (const NodeId node : nodes) {
      if (!Contains(walk, node)) walk.push_back(node);
    }
  };
  for (uint32_t step = 1; step < partitions_; ++step) {
    append(reading_.List((PartitionOf(slot) + step) % partitions_));
  }
  append(members_);
  return walk;
}

bool HaveSameReplicas(const ClusterState& state, const Placement& a, const Placement& b) {
  if (a.empty() || b.empty() || a.owners.size() != b.owners.size() || a.n != b.n) return false;
  // Nobody who was removed may stay in what serves.
  for (const Seat& seat : a.seats) {
    if (state.Find(seat.id) == nullptr) return false;
  }
  const Ring::Table first = Builder(state, a).Build();
  const Ring::Table second = Builder(state, b).Build();
  for (uint32_t partition = 0; partition < a.owners.size(); ++partition) {
    if (!AreSame(first.Replicas(partition), second.Replicas(partition))) return false;
  }
  return true;
}

}  // namespace cartwheel
