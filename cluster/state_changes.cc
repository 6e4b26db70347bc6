#include "cluster/state_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "cluster/ring.h"

namespace cartwheel {
namespace {

tl::unexpected<Status> Refuse(std::string why) {
  return Error(ErrorCode::kInvalid, std::move(why));
}

// The next state: the epoch raised and the change at the head of the history.
ClusterState Next(const ClusterState& state, const Author& author, std::string what) {
  ClusterState next = state;
  next.epoch = state.epoch + 1;
  next.history.insert(next.history.begin(),
                      Change{next.epoch, author.wall_ms, author.proposer, std::move(what)});
  if (next.history.size() > kHistoryLength) next.history.resize(kHistoryLength);
  return next;
}

std::string Describe(const Member& member) {
  return fmt::format("{} {}:{} zone {} weight {:.3f}", FormatNodeId(member.id), member.host,
                     member.bus_port, member.zone, member.weight_thousandths / 1000.0);
}

std::string Describe(std::span<const NodeId> nodes) {
  std::string text;
  for (const NodeId node : nodes) text += (text.empty() ? "" : " ") + FormatNodeId(node);
  return text;
}

bool ById(const Member& a, const Member& b) { return a.id < b.id; }

Member* FindIn(ClusterState* state, NodeId id) {
  const Member* found = state->Find(id);
  return found == nullptr ? nullptr
                          : &state->members[static_cast<size_t>(found - state->members.data())];
}

// Who is to hold something. When all leave, they stay.
std::vector<Seat> SeatsOf(const ClusterState& state) {
  std::vector<Seat> seats;
  for (const Member& member : state.members) {
    if (member.status == MemberStatus::kLeaving) continue;
    seats.push_back({member.id, member.zone, member.weight_thousandths});
  }
  return seats;
}

PlacementRule RuleOf(const ClusterSettings& settings) {
  return {settings.placement, settings.partitions, settings.tokens, settings.n};
}

void Settle(ClusterState* state, Placement placement) {
  state->serving = std::move(placement);
  state->target = {};
  state->phase = Phase::kSettled;
  for (const Seat& seat : state->serving.seats) {
    Member* member = FindIn(state, seat.id);
    if (member != nullptr && member->status == MemberStatus::kJoining) {
      member->status = MemberStatus::kNormal;
    }
  }
}

// The members, their zones and weights, or N are others now.
void Replan(ClusterState* state) {
  state->placement_version += 1;
  if (state->phase == Phase::kSwitch) return;  // afterwards
  const Placement& present = state->in_motion() ? state->target : state->serving;
  Placement wanted = Place(RuleOf(state->settings), SeatsOf(*state), present, state->serving);
  wanted.n = state->settings.n;
  if (HaveSameReplicas(*state, state->serving, wanted)) return Settle(state, std::move(wanted));
  state->target = std::move(wanted);
  state->phase = Phase::kFetch;
}

// In the place of `old` sits the joiner. False when nobody sat there.
bool Reseat(Placement* placement, NodeId old, const Member& joiner) {
  const auto at = std::find_if(placement->seats.begin(), placement->seats.end(),
                               [old](const Seat& seat) { return seat.id == old; });
  if (at == placement->seats.end()) return false;
  std::vector<NodeId> owners;
  for (uint32_t p = 0; p < placement->owners.size(); ++p) {
    owners.push_back(placement->OwnerOf(p) == old ? joiner.id : placement->OwnerOf(p));
  }
  *at = {joiner.id, joiner.zone, joiner.weight_thousandths};
  std::sort(placement->seats.begin(), placement->seats.end(),
            [](const Seat& a, const Seat& b) { return a.id < b.id; });
  for (uint32_t p = 0; p < owners.size(); ++p) {
    const auto seat = std::lower_bound(placement->seats.begin(), placement->seats.end(), owners[p],
                                       [](const Seat& s, NodeId wanted) { return s.id < wanted; });
    placement->owners[p] = static_cast<uint32_t>(seat - placement->seats.begin());
  }
  return true;
}

void Erase(ClusterState* state, NodeId id) {
  std::erase_if(state->members, [id](const Member& member) { return member.id == id; });
  std::erase(state->removed, id);
  state->removed.push_back(id);
  if (state->removed.size() > kMaxRemoved) state->removed.erase(state->removed.begin());
}

// Whether these can go, and somebody is left who does not leave.
Result<void> MayGo(const ClusterState& state, std::span<const NodeId> gone) {
  for (const NodeId id : gone) {
    if (state.Find(id) == nullptr) {
      return Refuse(fmt::format("node {} is not a member", FormatNodeId(id)));
    }
  }
  const bool any_stays =
      std::any_of(state.members.begin(), state.members.end(), [gone](const Member& member) {
        return member.status != MemberStatus::kLeaving &&
               std::find(gone.begin(), gone.end(), member.id) == gone.end();
      });
  if (!any_stays) return Refuse("nobody would be left in the ring");
  return {};
}

}  // namespace

ClusterState NewRing(uint64_t ring_id, const ClusterSettings& settings, const Member& founder,
                     int64_t wall_ms) {
  CHECK(ring_id != 0);
  ClusterState state;
  state.ring_id = ring_id;
  state.settings = settings;
  state.lowest_w = settings.w;
  state.members = {founder};
  state.serving = Place(RuleOf(settings), SeatsOf(state), {}, {});
  state.serving.n = settings.n;
  state.placement_version = 1;
  return Next(state, {founder.id, wall_ms}, "NEW " + Describe(founder));
}

Result<void> MayJoin(const ClusterState& state, const Member& joiner, NodeId replaced) {
  if (state.Find(joiner.id) != nullptr) {
    return Refuse(fmt::format("node {} is a member already", FormatNodeId(joiner.id)));
  }
  if (state.WasRemoved(joiner.id)) {
    return Refuse(
        fmt::format("node {} left the ring or was removed from it: give it an empty "
                    "directory",
                    FormatNodeId(joiner.id)));
  }
  if (replaced != 0 && state.Find(replaced) == nullptr) {
    return Refuse(fmt::format("node {} is not a member", FormatNodeId(replaced)));
  }
  const Member* other = state.FindByBus({joiner.host, joiner.bus_port});
  if (other != nullptr && other->id != replaced) {
    return Refuse(
        fmt::format("{}:{} is the address of member {}: to take its place use DYN.REPLACE",
                    joiner.host, joiner.bus_port, FormatNodeId(other->id)));
  }
  const size_t room = std::min<size_t>(kMaxMembers, state.settings.partitions);
  if (state.members.size() >= room) {
    return Error(ErrorCode::kFull,
                 fmt::format("the ring of {} partitions holds no more than {} members",
                             state.settings.partitions, room));
  }
  return {};
}

Result<ClusterState> WithMember(const ClusterState& state, const Member& joiner, NodeId replaced,
                                const Author& author) {
  if (Result<void> may = MayJoin(state, joiner, replaced); !may) {
    return tl::unexpected(may.error());
  }
  ClusterState next = Next(
      state, author,
      replaced == 0 ? "JOIN " + Describe(joiner)
                    : fmt::format("REPLACE {} by {}", FormatNodeId(replaced), Describe(joiner)));
  bool reseated = false;
  if (replaced != 0) {
    Erase(&next, replaced);
    // The joiner finds itself where the other was; what serves still names the other.
    if (next.phase == Phase::kSettled) next.target = next.serving;
    if (next.phase != Phase::kSwitch) {
      next.phase = Phase::kFetch;
      reseated = Reseat(&next.target, replaced, joiner);
    }
  }
  Member member = joiner;
  member.status = MemberStatus::kJoining;
  next.members.insert(std::lower_bound(next.members.begin(), next.members.end(), member, ById),
                      member);
  // Exactly those partitions: weights and tokens count at the next change.
  if (reseated) {
    next.placement_version += 1;
  } else {
    Replan(&next);
  }
  return next;
}

Result<ClusterState> WithUpdatedMember(const ClusterState& state, const Member& member,
                                       const Author& author) {
  const Member* known = state.Find(member.id);
  if (known == nullptr) {
    return Refuse(fmt::format("node {} is not a member", FormatNodeId(member.id)));
  }
  const Member* other = state.FindByBus({member.host, member.bus_port});
  if (other != nullptr && other->id != member.id) {
    return Refuse(fmt::format("{}:{} is the address of member {}", member.host, member.bus_port,
                              FormatNodeId(other->id)));
  }
  ClusterState next = Next(state, author, "UPDATE " + Describe(member));
  Member* changed = FindIn(&next, member.id);
  const bool moves =
      changed->zone != member.zone || changed->weight_thousandths != member.weight_thousandths;
  const MemberStatus status = changed->status;
  *changed = member;
  changed->status = status;
  if (moves) Replan(&next);
  return next;
}

Result<ClusterState> WithLeaving(const ClusterState& state, NodeId leaver, const Author& author) {
  const NodeId gone[] = {leaver};
  if (Result<void> may = MayGo(state, gone); !may) return tl::unexpected(may.error());
  ClusterState next = Next(state, author, "LEAVE " + FormatNodeId(leaver));
  FindIn(&next, leaver)->status = MemberStatus::kLeaving;
  Replan(&next);
  return next;
}

Result<ClusterState> WithDeparted(const ClusterState& state, NodeId leaver, const Author& author) {
  const Member* member = state.Find(leaver);
  if (member == nullptr || member->status != MemberStatus::kLeaving || state.in_motion()) {
    return Refuse(fmt::format("node {} is not about to leave", FormatNodeId(leaver)));
  }
  ClusterState next = Next(state, author, "LEFT " + FormatNodeId(leaver));
  Erase(&next, leaver);
  Replan(&next);
  return next;
}

Result<ClusterState> WithRemoved(const ClusterState& state, std::span<const NodeId> gone,
                                 const Author& author) {
  if (Result<void> may = MayGo(state, gone); !may) return tl::unexpected(may.error());
  ClusterState next = Next(state, author, "REMOVE " + Describe(gone));
  for (const NodeId id : gone) Erase(&next, id);
  Replan(&next);
  return next;
}

Result<ClusterState> WithForced(const ClusterState& state, std::span<const NodeId> gone,
                                uint64_t ring_id, const Author& author) {
  Result<ClusterState> next = WithRemoved(state, gone, author);
  if (!next) return next;
  next->history.front().what += " FORCE";
  next->parent_ring_id = state.ring_id;
  next->ring_id = ring_id;
  return next;
}

Result<ClusterState> WithSettings(const ClusterState& state, const QuorumSettings& wanted,
                                  const Author& author) {
  ClusterSettings settings = state.settings;
  if (wanted.n != 0) settings.n = wanted.n;
  if (wanted.r != 0) settings.r = wanted.r;
  if (wanted.w != 0) settings.w = wanted.w;
  if (settings.n > kMaxReplicas) return Refuse(fmt::format("N is at most {}", kMaxReplicas));
  if (settings.r > settings.n || settings.w > settings.n) {
    return Refuse(fmt::format("R {} and W {} must not be more than N {}", settings.r, settings.w,
                              settings.n));
  }
  ClusterState next = Next(
      state, author, fmt::format("SETTINGS N {} R {} W {}", settings.n, settings.r, settings.w));
  const bool moves = settings.n != state.settings.n;
  next.settings = settings;
  next.lowest_w = std::min(next.lowest_w, settings.w);
  if (moves) Replan(&next);
  return next;
}

ClusterState WithFlush(const ClusterState& state, uint32_t db, uint64_t flushed_before,
                       const Author& author) {
  ClusterState next =
      Next(state, author, db == kAllDbs ? "FLUSHALL" : fmt::format("FLUSHDB {}", db));
  uint64_t& time = next.flushed_before[db];
  time = std::max(time, flushed_before);
  return next;
}

Result<ClusterState> WithNextPhase(const ClusterState& state, uint64_t placement_version,
                                   const Author& author) {
  if (!state.in_motion() || state.placement_version != placement_version) {
    return Refuse("the ring has moved on");
  }
  const bool fetched = state.phase == Phase::kFetch;
  ClusterState next = Next(state, author, fetched ? "MOVE: all is fetched" : "MOVE: done");
  next.placement_version += 1;
  if (fetched) {
    next.phase = Phase::kSwitch;
    return next;
  }
  Settle(&next, std::move(next.target));
  // What was decided while reads switched. Who took another's place keeps what that one had.
  if (next.serving.seats != SeatsOf(next) || next.serving.n != next.settings.n) Replan(&next);
  return next;
}

}  // namespace cartwheel
