// ClusterState: the one small value that all members agree on. It changes only by operators' words
// and the phases of a motion, decided in the register (cluster/register.h), never by outages. A
// pure value: changes are functions from a state to a state (cluster/state_changes.h).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/status.h"
#include "cluster/placement.h"
#include "cluster/types.h"
#include "storage/position.h"

namespace cartwheel {

// Joining: in no placement that is served yet. Leaving: in none that is to be, and gone once it
// holds nothing any more.
enum class MemberStatus : uint8_t { kJoining = 0, kNormal = 1, kLeaving = 2 };

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
  PlacementStrategy placement = PlacementStrategy::kEqual;
  Partitioner partitioner = Partitioner::kSlot;
  uint32_t tokens = 64;  // with kTokens

  bool operator==(const ClusterSettings&) const = default;
};

struct Change {
  uint64_t epoch = 0;  // the epoch it made
  int64_t wall_ms = 0;
  NodeId proposer = 0;
  std::string what;

  bool operator==(const Change&) const = default;
};

// Of a ring in motion (docs/architecture.md, "A ring in motion").
enum class Phase : uint8_t {
  kSettled = 0,
  kFetch = 1,   // writes go to both placements, reads to the serving one; gainers fetch
  kSwitch = 2,  // writes go to both placements, reads to the target
};

inline constexpr size_t kHistoryLength = 32;
inline constexpr size_t kMaxMembers = 1024;
inline constexpr size_t kMaxRemoved = 1024;
inline constexpr uint32_t kMaxWeightThousandths = 1'000'000;
inline constexpr uint32_t kMaxTokens = 1024;
inline constexpr uint8_t kMaxReplicas = 7;

struct ClusterState {
  uint64_t ring_id = 0;         // 0: no ring
  uint64_t parent_ring_id = 0;  // what it was made from by force
  uint64_t epoch = 0;
  ClusterSettings settings;
  uint8_t lowest_w = 2;         // that was ever in force
  std::vector<Member> members;  // by id
  // May name nodes that were removed since it was decided.
  Placement serving;
  Placement target;  // in motion
  Phase phase = Phase::kSettled;
  uint64_t placement_version = 0;               // goes up with each change of the three above
  std::vector<NodeId> removed;                  // may not come back; the latest last
  std::map<uint32_t, uint64_t> flushed_before;  // db to hybrid time; kAllDbs for all
  std::vector<Change> history;                  // newest first, at most kHistoryLength

  bool in_motion() const { return phase != Phase::kSettled; }
  // What reads go by.
  const Placement& reading() const { return phase == Phase::kSwitch ? target : serving; }
  const Member* Find(NodeId id) const;
  const Member* FindByBus(const Address& bus) const;
  bool WasRemoved(NodeId id) const;
  // The hybrid time before which versions of the db are dead.
  uint64_t FlushedBefore(uint32_t db) const;
  bool operator==(const ClusterState&) const = default;
};

inline constexpr uint32_t kAllDbs = UINT32_MAX;

void EncodeMember(const Member& member, std::string* out);
Result<Member> DecodeMember(Reader* in);
// A state that decodes is well-formed: its owners have seats, its settings are in their bounds.
void EncodeState(const ClusterState& state, std::string* out);
Result<ClusterState> DecodeState(std::string_view bytes);

}  // namespace cartwheel
