#include "cluster/cluster_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/coding.h"

namespace cartwheel {
namespace {

// state     = format:varint ring:8 parent:8 epoch settings lowest_w members serving:placement
//             phase target:placement placement_version removed flushes history
//                                       numbers are varints, lists begin with their length
// member    = id:8 host:bytes port bus_port zone:bytes weight status
// placement = n seats owners            without owners: none; an owner is the number of its seat
// seat      = id:8 zone:bytes weight
// flush     = db hybrid_time
// change    = epoch wall_ms proposer:8 what:bytes
constexpr uint64_t kFormat = 2;

void EncodeSettings(const ClusterSettings& settings, std::string* out) {
  PutVarint(out, settings.n);
  PutVarint(out, settings.r);
  PutVarint(out, settings.w);
  PutVarint(out, settings.partitions);
  PutVarint(out, static_cast<uint64_t>(settings.placement));
  PutVarint(out, static_cast<uint64_t>(settings.partitioner));
  PutVarint(out, settings.tokens);
}

bool DecodeSettings(Reader* in, ClusterSettings* settings) {
  const uint64_t n = in->Varint();
  const uint64_t r = in->Varint();
  const uint64_t w = in->Varint();
  const uint64_t partitions = in->Varint();
  const uint64_t placement = in->Varint();
  const uint64_t partitioner = in->Varint();
  const uint64_t tokens = in->Varint();
  if (!in->ok() || n < 1 || n > kMaxReplicas || r < 1 || r > n || w < 1 || w > n) return false;
  if (partitions > kSlotCount || !std::has_single_bit(partitions)) return false;
  if (placement > static_cast<uint64_t>(PlacementStrategy::kTokens)) return false;
  if (partitioner > static_cast<uint64_t>(Partitioner::kMd5)) return false;
  if (tokens < 1 || tokens > kMaxTokens) return false;
  settings->n = static_cast<uint8_t>(n);
  settings->r = static_cast<uint8_t>(r);
  settings->w = static_cast<uint8_t>(w);
  settings->partitions = static_cast<uint32_t>(partitions);
  settings->placement = static_cast<PlacementStrategy>(placement);
  settings->partitioner = static_cast<Partitioner>(partitioner);
  settings->tokens = static_cast<uint32_t>(tokens);
  return true;
}

bool DecodeMembers(Reader* in, std::vector<Member>* members) {
  const uint64_t count = in->Varint();
  if (!in->ok() || count < 1 || count > kMaxMembers) return false;
  for (uint64_t i = 0; i < count; ++i) {
    Result<Member> member = DecodeMember(in);
    if (!member || (i > 0 && members->back().id >= member->id)) return false;
    members->push_back(*std::move(member));
  }
  return true;
}

void EncodePlacement(const Placement& placement, std::string* out) {
  PutVarint(out, placement.n);
  PutVarint(out, placement.seats.size());
  for (const Seat& seat : placement.seats) {
    PutFixed64(out, seat.id);
    PutBytes(out, seat.zone);
    PutVarint(out, seat.weight_thousandths);
  }
  PutVarint(out, placement.owners.size());
  for (const uint32_t owner : placement.owners) PutVarint(out, owner);
}

bool DecodePlacement(Reader* in, uint32_t partitions, Placement* placement) {
  const uint64_t n = in->Varint();
  const uint64_t seats = in->Varint();
  if (!in->ok() || n > kMaxReplicas || seats > kMaxMembers) return false;
  placement->n = static_cast<uint8_t>(n);
  for (uint64_t i = 0; i < seats; ++i) {
    Seat seat;
    seat.id = in->Fixed64();
    seat.zone = in->Bytes();
    const uint64_t weight = in->Varint();
    const bool in_order = i == 0 || placement->seats.back().id < seat.id;
    if (!in->ok() || seat.id == 0 || !in_order || weight < 1 || weight > kMaxWeightThousandths) {
      return false;
    }
    seat.weight_thousandths = static_cast<uint32_t>(weight);
    placement->seats.push_back(std::move(seat));
  }
  const uint64_t owners = in->Varint();
  if (!in->ok() || (owners != 0 && (owners != partitions || n < 1))) return false;
  placement->owners.reserve(owners);
  for (uint64_t i = 0; i < owners; ++i) {
    const uint64_t owner = in->Varint();
    if (!in->ok() || owner >= seats) return false;
    placement->owners.push_back(static_cast<uint32_t>(owner));
  }
  return true;
}

bool DecodePlacements(Reader* in, ClusterState* state) {
  const uint32_t partitions = state->settings.partitions;
  if (!DecodePlacement(in, partitions, &state->serving) || state->serving.empty()) return false;
  const uint64_t phase = in->Varint();
  if (!in->ok() || phase > static_cast<uint64_t>(Phase::kSwitch)) return false;
  state->phase = static_cast<Phase>(phase);
  if (!DecodePlacement(in, partitions, &state->target)) return false;
  state->placement_version = in->Varint();
  return state->target.empty() != state->in_motion();
}

bool DecodeRemoved(Reader* in, std::vector<NodeId>* removed) {
  const uint64_t count = in->Varint();
  if (!in->ok() || count > kMaxRemoved) return false;
  for (uint64_t i = 0; i < count; ++i) removed->push_back(in->Fixed64());
  return in->ok();
}

bool DecodeFlushes(Reader* in, std::map<uint32_t, uint64_t>* flushes) {
  const uint64_t count = in->Varint();
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t db = in->Varint();
    const uint64_t time = in->Varint();
    if (!in->ok() || db > kAllDbs) return false;
    (*flushes)[static_cast<uint32_t>(db)] = time;
  }
  return in->ok();
}

bool DecodeHistory(Reader* in, std::vector<Change>* history) {
  const uint64_t count = in->Varint();
  if (!in->ok() || count > kHistoryLength) return false;
  for (uint64_t i = 0; i < count; ++i) {
    Change change;
    change.epoch = in->Varint();
    change.wall_ms = static_cast<int64_t>(in->Varint());
    change.proposer = in->Fixed64();
    change.what = in->Bytes();
    history->push_back(std::move(change));
  }
  return in->ok();
}

}  // namespace

const Member* ClusterState::Find(NodeId id) const {
  const auto at = std::lower_bound(members.begin(), members.end(), id,
                                   [](const Member& m, NodeId wanted) { return m.id < wanted; });
  return at != members.end() && at->id == id ? &*at : nullptr;
}

const Member* ClusterState::FindByBus(const Address& bus) const {
  const auto at = std::find_if(members.begin(), members.end(), [&bus](const Member& m) {
    return m.host == bus.host && m.bus_port == bus.port;
  });
  return at != members.end() ? &*at : nullptr;
}

bool ClusterState::WasRemoved(NodeId id) const {
  return std::find(removed.begin(), removed.end(), id) != removed.end();
}

uint64_t ClusterState::FlushedBefore(uint32_t db) const {
  uint64_t time = 0;
  for (const uint32_t which : {db, kAllDbs}) {
    if (const auto at = flushed_before.find(which); at != flushed_before.end()) {
      time = std::max(time, at->second);
    }
  }
  return time;
}

void EncodeMember(const Member& member, std::string* out) {
  PutFixed64(out, member.id);
  PutBytes(out, member.host);
  PutVarint(out, member.port);
  PutVarint(out, member.bus_port);
  PutBytes(out, member.zone);
  PutVarint(out, member.weight_thousandths);
  PutVarint(out, static_cast<uint64_t>(member.status));
}

Result<Member> DecodeMember(Reader* in) {
  Member member;
  member.id = in->Fixed64();
  member.host = in->Bytes();
  const uint64_t port = in->Varint();
  const uint64_t bus_port = in->Varint();
  member.zone = in->Bytes();
  const uint64_t weight = in->Varint();
  const uint64_t status = in->Varint();
  if (!in->ok() || member.id == 0 || port > UINT16_MAX || bus_port > UINT16_MAX || weight < 1 ||
      weight > kMaxWeightThousandths || status > static_cast<uint64_t>(MemberStatus::kLeaving)) {
    return Error(ErrorCode::kInvalid, "malformed member");
  }
  member.port = static_cast<uint16_t>(port);
  member.bus_port = static_cast<uint16_t>(bus_port);
  member.weight_thousandths = static_cast<uint32_t>(weight);
  member.status = static_cast<MemberStatus>(status);
  return member;
}

void EncodeState(const ClusterState& state, std::string* out) {
  PutVarint(out, kFormat);
  PutFixed64(out, state.ring_id);
  PutFixed64(out, state.parent_ring_id);
  PutVarint(out, state.epoch);
  EncodeSettings(state.settings, out);
  PutVarint(out, state.lowest_w);
  PutVarint(out, state.members.size());
  for (const Member& member : state.members) EncodeMember(member, out);
  EncodePlacement(state.serving, out);
  PutVarint(out, static_cast<uint64_t>(state.phase));
  EncodePlacement(state.target, out);
  PutVarint(out, state.placement_version);
  PutVarint(out, state.removed.size());
  for (const NodeId id : state.removed) PutFixed64(out, id);
  PutVarint(out, state.flushed_before.size());
  for (const auto& [db, time] : state.flushed_before) {
    PutVarint(out, db);
    PutVarint(out, time);
  }
  PutVarint(out, state.history.size());
  for (const Change& change : state.history) {
    PutVarint(out, change.epoch);
    PutVarint(out, static_cast<uint64_t>(change.wall_ms));
    PutFixed64(out, change.proposer);
    PutBytes(out, change.what);
  }
}

Result<ClusterState> DecodeState(std::string_view bytes) {
  Reader in(bytes);
  ClusterState state;
  if (const uint64_t format = in.Varint(); format != kFormat) {
    return Error(ErrorCode::kInvalid, fmt::format("cluster state of unknown format {}", format));
  }
  state.ring_id = in.Fixed64();
  state.parent_ring_id = in.Fixed64();
  state.epoch = in.Varint();
  bool good = in.ok() && state.ring_id != 0 && state.epoch != 0;
  good = good && DecodeSettings(&in, &state.settings);
  const uint64_t lowest_w = in.Varint();
  good = good && lowest_w >= 1 && lowest_w <= kMaxReplicas && DecodeMembers(&in, &state.members) &&
         DecodePlacements(&in, &state) && DecodeRemoved(&in, &state.removed) &&
         DecodeFlushes(&in, &state.flushed_before) && DecodeHistory(&in, &state.history);
  if (!good) return Error(ErrorCode::kInvalid, "malformed cluster state");
  state.lowest_w = static_cast<uint8_t>(lowest_w);
  return state;
}

}  // namespace cartwheel
