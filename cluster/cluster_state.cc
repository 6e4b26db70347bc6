#include "cluster/cluster_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/coding.h"
#include "base/hash.h"
#include "cluster/ring.h"

namespace cartwheel {
namespace {

// state   = format:varint ring:8 parent:8 epoch settings members owners placement_version
//           flushes history            numbers are varints, lists begin with their length
// member  = id:8 host:bytes port bus_port zone:bytes weight status
// owners  = for each partition the index of its owner in members
// flush   = db hybrid_time
// change  = epoch wall_ms proposer:8 what:bytes
constexpr uint64_t kFormat = 1;

constexpr uint8_t kMaxReplicas = 7;

void EncodeSettings(const ClusterSettings& settings, std::string* out) {
  PutVarint(out, settings.n);
  PutVarint(out, settings.r);
  PutVarint(out, settings.w);
  PutVarint(out, settings.partitions);
  PutVarint(out, static_cast<uint64_t>(settings.placement));
  PutVarint(out, static_cast<uint64_t>(settings.partitioner));
}

bool DecodeSettings(Reader* in, ClusterSettings* settings) {
  const uint64_t n = in->Varint();
  const uint64_t r = in->Varint();
  const uint64_t w = in->Varint();
  const uint64_t partitions = in->Varint();
  const uint64_t placement = in->Varint();
  const uint64_t partitioner = in->Varint();
  if (!in->ok() || n < 1 || n > kMaxReplicas || r < 1 || r > n || w < 1 || w > n) return false;
  if (partitions > kSlotCount || !std::has_single_bit(partitions)) return false;
  if (placement != static_cast<uint64_t>(Placement::kEqual)) return false;
  if (partitioner > static_cast<uint64_t>(Partitioner::kMd5)) return false;
  settings->n = static_cast<uint8_t>(n);
  settings->r = static_cast<uint8_t>(r);
  settings->w = static_cast<uint8_t>(w);
  settings->partitions = static_cast<uint32_t>(partitions);
  settings->placement = static_cast<Placement>(placement);
  settings->partitioner = static_cast<Partitioner>(partitioner);
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

bool DecodeOwners(Reader* in, ClusterState* state) {
  state->owners.reserve(state->settings.partitions);
  for (uint32_t i = 0; i < state->settings.partitions; ++i) {
    const uint64_t index = in->Varint();
    if (!in->ok() || index >= state->members.size()) return false;
    state->owners.push_back(state->members[index].id);
  }
  return true;
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

// The next state: the epoch raised and the change at the head of the history.
ClusterState Next(const ClusterState& state, NodeId proposer, int64_t wall_ms, std::string what) {
  ClusterState next = state;
  next.epoch = state.epoch + 1;
  next.history.insert(next.history.begin(), Change{next.epoch, wall_ms, proposer, std::move(what)});
  if (next.history.size() > kHistoryLength) next.history.resize(kHistoryLength);
  return next;
}

std::string Describe(const Member& member) {
  return fmt::format("{} {}:{} zone {} weight {:.3f}", FormatNodeId(member.id), member.host,
                     member.bus_port, member.zone, member.weight_thousandths / 1000.0);
}

bool ById(const Member& a, const Member& b) { return a.id < b.id; }

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
  PutVarint(out, state.members.size());
  for (const Member& member : state.members) EncodeMember(member, out);
  for (const NodeId owner : state.owners) {
    const Member* member = state.Find(owner);
    CHECK(member != nullptr);
    PutVarint(out, static_cast<uint64_t>(member - state.members.data()));
  }
  PutVarint(out, state.placement_version);
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
  good = good && DecodeSettings(&in, &state.settings) && DecodeMembers(&in, &state.members) &&
         DecodeOwners(&in, &state);
  state.placement_version = in.Varint();
  good = good && DecodeFlushes(&in, &state.flushed_before) && DecodeHistory(&in, &state.history);
  if (!good) return Error(ErrorCode::kInvalid, "malformed cluster state");
  return state;
}

uint64_t HashState(const ClusterState& state) {
  std::string bytes;
  EncodeState(state, &bytes);
  return Hash64(bytes);
}

ClusterState NewRing(uint64_t ring_id, const ClusterSettings& settings, const Member& founder,
                     int64_t wall_ms) {
  CHECK(ring_id != 0);
  ClusterState state;
  state.ring_id = ring_id;
  state.settings = settings;
  state.members = {founder};
  state.owners.assign(settings.partitions, founder.id);
  state.placement_version = 1;
  return Next(state, founder.id, wall_ms, "NEW " + Describe(founder));
}

Result<void> MayJoin(const ClusterState& state, const Member& joiner) {
  if (state.Find(joiner.id) != nullptr) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("node {} is a member already", FormatNodeId(joiner.id)));
  }
  if (const Member* other = state.FindByBus({joiner.host, joiner.bus_port}); other != nullptr) {
    return Error(ErrorCode::kInvalid,
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

Result<ClusterState> WithMember(const ClusterState& state, const Member& joiner, NodeId proposer,
                                int64_t wall_ms) {
  if (Result<void> may = MayJoin(state, joiner); !may) return tl::unexpected(may.error());
  ClusterState next = Next(state, proposer, wall_ms, "JOIN " + Describe(joiner));
  next.owners = OwnersAfterJoin(state, joiner);
  next.placement_version += 1;
  next.members.insert(std::lower_bound(next.members.begin(), next.members.end(), joiner, ById),
                      joiner);
  return next;
}

Result<ClusterState> WithUpdatedMember(const ClusterState& state, const Member& member,
                                       NodeId proposer, int64_t wall_ms) {
  const Member* known = state.Find(member.id);
  if (known == nullptr) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("node {} is not a member", FormatNodeId(member.id)));
  }
  const Member* other = state.FindByBus({member.host, member.bus_port});
  if (other != nullptr && other->id != member.id) {
    return Error(ErrorCode::kInvalid, fmt::format("{}:{} is the address of member {}", member.host,
                                                  member.bus_port, FormatNodeId(other->id)));
  }
  ClusterState next = Next(state, proposer, wall_ms, "UPDATE " + Describe(member));
  Member& changed = next.members[static_cast<size_t>(known - state.members.data())];
  const MemberStatus status = changed.status;
  changed = member;
  changed.status = status;
  return next;
}

ClusterState WithFlush(const ClusterState& state, uint32_t db, uint64_t flushed_before,
                       NodeId proposer, int64_t wall_ms) {
  ClusterState next =
      Next(state, proposer, wall_ms, db == kAllDbs ? "FLUSHALL" : fmt::format("FLUSHDB {}", db));
  uint64_t& time = next.flushed_before[db];
  time = std::max(time, flushed_before);
  return next;
}

}  // namespace cartwheel
