#include "cluster/ring.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace cartwheel {
namespace {

// How many nodes a request may need to meet: the N and as many fallbacks as make a quorum of any
// size likely even when several nodes in a row are down.
size_t ListLength(size_t members, uint8_t n) {
  return std::min(members, std::max<size_t>(n + size_t{8}, size_t{2} * n));
}

bool Contains(const std::vector<uint32_t>& list, uint32_t what) {
  return std::find(list.begin(), list.end(), what) != list.end();
}

}  // namespace

Ring::Ring(const ClusterState& state)
    : partitions_(state.settings.partitions), slots_per_partition_(kSlotCount / partitions_) {
  const size_t count = state.members.size();
  n_ = static_cast<uint8_t>(std::min<size_t>(state.settings.n, count));
  r_ = std::min(state.settings.r, n_);
  w_ = std::min(state.settings.w, n_);
  list_length_ = ListLength(count, n_);
  std::map<std::string_view, Index> zone_numbers;
  for (const Member& member : state.members) {
    members_.push_back(member.id);
    const auto next = static_cast<Index>(zone_numbers.size());
    zones_.push_back(zone_numbers.try_emplace(member.zone, next).first->second);
  }
  owners_.reserve(state.owners.size());
  for (const NodeId owner : state.owners) {
    const auto at = std::lower_bound(members_.begin(), members_.end(), owner);
    owners_.push_back(static_cast<Index>(at - members_.begin()));
  }
  if (count > 0) BuildLists();
}

// What a walk meets that begins one partition earlier, at one of `node`: it meets this node and its
// zone first, and all else in the same order. No list need be longer than what is asked of it.
void Ring::MeetBefore(Index node, Encounters* met) const {
  std::vector<Index>& nodes = met->nodes;
  if (const auto at = std::find(nodes.begin(), nodes.end(), node); at != nodes.end()) {
    nodes.erase(at);
  } else if (nodes.size() == list_length_) {
    nodes.pop_back();
  }
  nodes.insert(nodes.begin(), node);

  std::vector<Index>& firsts = met->zone_firsts;
  const auto same_zone = std::find_if(firsts.begin(), firsts.end(), [this, node](Index first) {
    return zones_[first] == zones_[node];
  });
  if (same_zone != firsts.end()) {
    firsts.erase(same_zone);
  } else if (firsts.size() == n_) {
    firsts.pop_back();
  }
  firsts.insert(firsts.begin(), node);
}

// Distinct zones first, then on round; members that own nothing come last.
std::vector<Ring::Index> Ring::List(const Encounters& met, size_t length) const {
  std::vector<Index> list = met.zone_firsts;
  for (const Index node : met.nodes) {
    if (list.size() == length) return list;
    if (!Contains(list, node)) list.push_back(node);
  }
  for (Index node = 0; list.size() < length; ++node) {
    if (!Contains(list, node)) list.push_back(node);
  }
  return list;
}

// Backwards round the circle, twice: the first round only finds what a walk from the last partition
// meets after it has passed the first one.
void Ring::BuildLists() {
  lists_.resize(partitions_ * list_length_);
  Encounters met;
  for (const bool store : {false, true}) {
    for (uint32_t partition = partitions_; partition-- > 0;) {
      MeetBefore(owners_[partition], &met);
      if (!store) continue;
      const std::vector<Index> list = List(met, list_length_);
      for (size_t i = 0; i < list_length_; ++i) {
        lists_[partition * list_length_ + i] = members_[list[i]];
      }
    }
  }
}

std::vector<NodeId> Ring::Walk(uint16_t slot) const {
  if (members_.empty()) return {};
  Encounters met;
  std::vector<bool> seen_node(members_.size());
  std::vector<bool> seen_zone(members_.size());
  for (uint32_t step = 0; step < partitions_; ++step) {
    const Index node = owners_[(PartitionOf(slot) + step) % partitions_];
    if (seen_node[node]) continue;
    seen_node[node] = true;
    met.nodes.push_back(node);
    if (seen_zone[zones_[node]] || met.zone_firsts.size() == n_) continue;
    seen_zone[zones_[node]] = true;
    met.zone_firsts.push_back(node);
  }
  std::vector<NodeId> walk;
  for (const Index node : List(met, members_.size())) walk.push_back(members_[node]);
  return walk;
}

}  // namespace cartwheel
