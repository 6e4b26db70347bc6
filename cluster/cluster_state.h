// ClusterState: the one small value that all members agree on. It changes only by operators' words
// and the phases of a motion, decided in the register (cluster/register.h), never by outages. A
// pure value: changes are functions from a state to a state.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/status.h"
#include "cluster/types.h"
#include "storage/position.h"

namespace cartwheel {

enum class MemberStatus : uint8_t { kJoining = 0, kNormal = 1, kLeaving = 2 };
enum class Placement : uint8_t { kEqual = 0 };

struct Member {
  NodeId id = 0;
  std::string host;
  uint16_t port = 0;
  uint16_t bus_port = 0;
  std::string zone = "default";
  uint32_t weight_thousandths = 1000;
  MemberStatus status = MemberStatus::kNormal;

  bool operator==(const Member&) const = default;
};

struct ClusterSettings {
  uint8_t n = 3;
  uint8_t r = 2;
  uint8_t w = 2;
  uint32_t partitions = 256;
  Placement placement = Placement::kEqual;
  Partitioner partitioner = Partitioner::kSlot;

  bool operator==(const ClusterSettings&) const = default;
};

struct Change {
  uint64_t epoch = 0;  // the epoch it made
  int64_t wall_ms = 0;
  NodeId proposer = 0;
  std::string what;

  bool operator==(const Change&) const = default;
};

inline constexpr size_t kHistoryLength = 32;
inline constexpr size_t kMaxMembers = 1024;
inline constexpr uint32_t kMaxWeightThousandths = 1'000'000;

struct ClusterState {
  uint64_t ring_id = 0;  // 0: no ring
  uint64_t parent_ring_id = 0;
  uint64_t epoch = 0;
  ClusterSettings settings;
  std::vector<Member> members;  // by id
  std::vector<NodeId> owners;   // of each partition
  uint64_t placement_version = 0;
  std::map<uint32_t, uint64_t> flushed_before;  // db to hybrid time; kAllDbs for all
  std::vector<Change> history;                  // newest first, at most kHistoryLength

  const Member* Find(NodeId id) const;
  const Member* FindByBus(const Address& bus) const;
  // The hybrid time before which versions of the db are dead.
  uint64_t FlushedBefore(uint32_t db) const;
  bool operator==(const ClusterState&) const = default;
};

inline constexpr uint32_t kAllDbs = UINT32_MAX;

void EncodeMember(const Member& member, std::string* out);
Result<Member> DecodeMember(Reader* in);
// A state that decodes is well-formed: its owners are members, its settings are in their bounds.
void EncodeState(const ClusterState& state, std::string* out);
Result<ClusterState> DecodeState(std::string_view bytes);
uint64_t HashState(const ClusterState& state);

// The changes. Each gives the next state, epoch raised and history written, or says why not.
ClusterState NewRing(uint64_t ring_id, const ClusterSettings& settings, const Member& founder,
                     int64_t wall_ms);
// Whether the ring takes this node; the error is a line for its operator.
Result<void> MayJoin(const ClusterState& state, const Member& joiner);
Result<ClusterState> WithMember(const ClusterState& state, const Member& joiner, NodeId proposer,
                                int64_t wall_ms);
// A member that came back with another address, zone or weight.
Result<ClusterState> WithUpdatedMember(const ClusterState& state, const Member& member,
                                       NodeId proposer, int64_t wall_ms);
ClusterState WithFlush(const ClusterState& state, uint32_t db, uint64_t flushed_before,
                       NodeId proposer, int64_t wall_ms);

}  // namespace cartwheel
