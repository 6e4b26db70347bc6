// How a joiner gets its partitions under `placement equal` (Dynamo, section 6.2, strategy 3).
#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "cluster/ring.h"

namespace cartwheel {
namespace {

// One join under way. Members are numbered by id, the joiner comes last.
class Join {
 public:
  Join(const ClusterState& state, const Member& joiner);

  // Who owns what afterwards, by number. Pure: the same state and joiner give the same result.
  std::vector<uint32_t> Run();

 private:
  // A circle with some of the partitions given to the joiner, and how many it may still take from
  // each member.
  struct Draft {
    std::vector<uint32_t> owners;
    std::vector<uint32_t> surplus;
    uint32_t wanted;
  };

  void SetQuotas();
  void TakeColumn(Draft* draft) const;
  void TakeEvenly(uint32_t offset, Draft* draft) const;
  void TakeRest(Draft* draft) const;
  void Take(uint32_t partition, Draft* draft) const;
  uint64_t Cost(const Draft& draft) const;
  // How many of the n - 1 neighbours on either side belong to `node`, and how many stand in its
  // zone.
  struct Crowd {
    uint32_t same_node = 0;
    uint32_t same_zone = 0;
  };
  Crowd CrowdAround(const std::vector<uint32_t>& owners, uint32_t partition, uint32_t node) const;
  uint32_t At(uint64_t partition) const { return static_cast<uint32_t>(partition % count_); }

  uint32_t count_;   // partitions
  uint32_t window_;  // partitions in a row that should have distinct owners
  uint32_t joiner_;
  std::vector<uint32_t> weights_;
  std::vector<uint32_t> zones_;
  Draft start_;
};

Join::Join(const ClusterState& state, const Member& joiner)
    : count_(state.settings.partitions),
      window_(state.settings.n),
      joiner_(static_cast<uint32_t>(state.members.size())) {
  std::map<std::string_view, uint32_t> zone_numbers;
  const auto add = [this, &zone_numbers](const Member& member) {
    const auto next = static_cast<uint32_t>(zone_numbers.size());
    zones_.push_back(zone_numbers.try_emplace(member.zone, next).first->second);
    weights_.push_back(member.weight_thousandths);
  };
  for (const Member& member : state.members) add(member);
  add(joiner);
  for (const NodeId owner : state.owners) {
    const Member* member = state.Find(owner);
    CHECK(member != nullptr);
    start_.owners.push_back(static_cast<uint32_t>(member - state.members.data()));
  }
  SetQuotas();
}

// The joiner's share by weight, rounded down, from whoever is most loaded for its weight, one after
// the other: nothing moves that need not.
void Join::SetQuotas() {
  std::vector<uint64_t> load(joiner_, 0);
  for (const uint32_t owner : start_.owners) load[owner] += 1;
  uint64_t total_weight = 0;
  for (const uint32_t weight : weights_) total_weight += weight;
  CHECK(total_weight > 0);  // no member weighs nothing: states are checked when they are decoded
  const uint64_t share = uint64_t{count_} * weights_[joiner_] / total_weight;
  start_.wanted = static_cast<uint32_t>(std::max<uint64_t>(share, 1));
  start_.surplus.assign(joiner_, 0);
  for (uint32_t i = 0; i < start_.wanted; ++i) {
    uint32_t most = 0;
    for (uint32_t node = 1; node < joiner_; ++node) {
      if (load[node] * weights_[most] > load[most] * weights_[node]) most = node;
    }
    load[most] -= 1;
    start_.surplus[most] += 1;
  }
}

void Join::Take(uint32_t partition, Draft* draft) const {
  draft->surplus[draft->owners[partition]] -= 1;
  draft->wanted -= 1;
  draft->owners[partition] = joiner_;
}

Join::Crowd Join::CrowdAround(const std::vector<uint32_t>& owners, uint32_t partition,
                              uint32_t node) const {
  Crowd crowd;
  for (uint32_t distance = 1; distance < window_; ++distance) {
    for (const uint32_t at : {At(uint64_t{partition} + distance),
                              At(uint64_t{partition} + count_ - distance % count_)}) {
      if (at == partition) continue;
      if (owners[at] == node) crowd.same_node += 1;
      if (zones_[owners[at]] == zones_[node]) crowd.same_zone += 1;
    }
  }
  return crowd;
}

// While the ring has at most n nodes they cannot keep n apart, yet the circle must become one of n
// columns (partitions that are equal modulo n), one per node, with the n-th join, moving no more
// than each joiner's share. So each node has a column for its own and holds parts of those that
// nobody has yet: the joiner takes the first of these whole, and its share of the others.
void Join::TakeColumn(Draft* draft) const {
  std::vector<std::vector<uint32_t>> held(joiner_, std::vector<uint32_t>(window_, 0));
  for (uint32_t p = 0; p < count_; ++p) held[draft->owners[p]][p % window_] += 1;
  std::vector<bool> had(window_, false);
  for (uint32_t node = 0; node < joiner_; ++node) {
    uint32_t home = window_;
    for (uint32_t column = 0; column < window_; ++column) {
      if (!had[column] && (home == window_ || held[node][column] > held[node][home])) home = column;
    }
    if (home < window_) had[home] = true;
  }
  bool whole = true;
  for (uint32_t column = 0; column < window_; ++column) {
    if (had[column]) continue;
    // Of a later column every so many-th only, that the rest of it is spread as evenly.
    const uint32_t stride = whole ? 1 : joiner_ + 1;
    for (uint32_t p = column, nth = 0; p < count_; p += window_, ++nth) {
      if (draft->wanted == 0) return;
      if (nth % stride == 0 && draft->surplus[draft->owners[p]] > 0) Take(p, draft);
    }
    whole = false;
  }
}

// One partition out of each of `wanted` equal arcs, at least `window_` after the last one.
void Join::TakeEvenly(uint32_t offset, Draft* draft) const {
  const uint64_t wanted = draft->wanted;
  uint64_t next_allowed = offset;
  uint64_t first = uint64_t{offset} + 2 * uint64_t{count_};  // none taken yet
  for (uint64_t arc = 0; arc < wanted; ++arc) {
    const uint64_t end =
        std::min(offset + (arc + 1) * count_ / wanted, first + count_ - window_ + 1);
    uint64_t best = end;
    uint64_t best_score = 0;
    for (uint64_t p = std::max(next_allowed, offset + arc * count_ / wanted); p < end; ++p) {
      const uint32_t owner = draft->owners[At(p)];
      if (owner == joiner_ || draft->surplus[owner] == 0) continue;
      const Crowd before = CrowdAround(draft->owners, At(p), owner);
      const Crowd after = CrowdAround(draft->owners, At(p), joiner_);
      if (after.same_node > 0) continue;
      // Who stands too close to itself goes first, then who has most to give.
      const uint64_t score = (uint64_t{before.same_node} << 40) +
                             (uint64_t{64 + before.same_zone - after.same_zone} << 32) +
                             draft->surplus[owner];
      if (score > best_score) {
        best = p;
        best_score = score;
      }
    }
    if (best == end) continue;
    Take(At(best), draft);
    first = std::min(first, best);
    next_allowed = best + window_;
  }
}

// What is still wanted, wherever it crowds least.
void Join::TakeRest(Draft* draft) const {
  for (uint32_t crowd = 0; draft->wanted > 0; ++crowd) {
    CHECK(crowd <= 2 * window_);
    for (uint32_t p = 0; p < count_ && draft->wanted > 0; ++p) {
      const uint32_t owner = draft->owners[p];
      if (owner == joiner_ || draft->surplus[owner] == 0) continue;
      if (CrowdAround(draft->owners, p, joiner_).same_node <= crowd) Take(p, draft);
    }
  }
}

// How many pairs within a window share a node (and, of less weight, a zone).
uint64_t Join::Cost(const Draft& draft) const {
  uint64_t same_node = 0;
  uint64_t same_zone = 0;
  for (uint32_t p = 0; p < count_; ++p) {
    const Crowd crowd = CrowdAround(draft.owners, p, draft.owners[p]);
    same_node += crowd.same_node;
    same_zone += crowd.same_zone;
  }
  return (same_node << 32) + same_zone;
}

std::vector<uint32_t> Join::Run() {
  if (joiner_ < window_) {
    TakeColumn(&start_);
    TakeRest(&start_);
    return std::move(start_.owners);
  }
  // Where the first arc begins decides how well the rest fits: try some, keep the best. Fewer on a
  // large circle, where the ends matter less and a turn of the loop must stay short.
  constexpr uint32_t kMaxOffsets = 16;
  constexpr uint32_t kMaxSteps = 65536;
  const uint32_t offsets = std::min({count_, kMaxOffsets, kMaxSteps / count_});
  Draft best;
  uint64_t best_cost = UINT64_MAX;
  for (uint32_t offset = 0; offset < offsets && best_cost > 0; ++offset) {
    Draft draft = start_;
    TakeEvenly(offset, &draft);
    TakeRest(&draft);
    if (const uint64_t cost = Cost(draft); cost < best_cost) {
      best = std::move(draft);
      best_cost = cost;
    }
  }
  return std::move(best.owners);
}

}  // namespace

std::vector<NodeId> OwnersAfterJoin(const ClusterState& state, const Member& joiner) {
  CHECK(state.Find(joiner.id) == nullptr && !state.members.empty());
  std::vector<NodeId> owners;
  owners.reserve(state.owners.size());
  for (const uint32_t number : Join(state, joiner).Run()) {
    owners.push_back(number < state.members.size() ? state.members[number].id : joiner.id);
  }
  return owners;
}

}  // namespace cartwheel
