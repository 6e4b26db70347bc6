// Control messages: what nodes say to each other about the state of the ring, types 30 and up, in
// the manner of cluster/messages.h: a RESP array of bulk strings, the type and the numbers in the
// first, unknown trailing numbers and fields ignored. Read and written by cluster/membership and
// cluster/register alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"
#include "cluster/cluster_state.h"
#include "cluster/register.h"
#include "cluster/types.h"

namespace cartwheel {

// The first three spread the state. They travel either way, and `response` says which: on the
// sender's own link, or back on a connection of the receiver's. What is said in return goes the
// other way, so it arrives even while the address of one of the two is not yet known to the other.

// "This is the state I know."
struct Digest {
  static constexpr uint8_t kType = 30;
  uint64_t ring = 0;  // 0: none
  uint64_t epoch = 0;
  uint64_t hash = 0;
  bool response = false;
  uint64_t parent = 0;  // the ring that this one was made from by force
};
struct StatePush {
  static constexpr uint8_t kType = 31;
  bool response = false;
  bool acknowledge = false;  // answer with a Digest once it is known and durable
  std::string_view state;    // encoded
};
struct StateAsk {
  static constexpr uint8_t kType = 32;
  bool response = false;
};

// The register. `name` is the ring's id, `epoch` the one being decided.
struct Prepare {
  static constexpr uint8_t kType = 33;
  uint64_t name = 0;
  uint64_t epoch = 0;
  Ballot ballot;
};
struct Promise {
  static constexpr uint8_t kType = 34;
  uint64_t name = 0;
  uint64_t epoch = 0;
  Ballot ballot;  // of the question
  bool granted = false;
  Ballot promised;  // when refused: to whom instead
  Ballot accepted;
  uint64_t clock = 0;  // the acceptor's hybrid time
  std::string_view value;
};
struct Accept {
  static constexpr uint8_t kType = 35;
  uint64_t name = 0;
  uint64_t epoch = 0;
  Ballot ballot;
  std::string_view value;
};
struct Accepted {
  static constexpr uint8_t kType = 36;
  uint64_t name = 0;
  uint64_t epoch = 0;
  Ballot ballot;
  bool granted = false;
  Ballot promised;
};

// "Who is at this address, and which ring?" Asked of seeds.
struct SeedProbe {
  static constexpr uint8_t kType = 37;
  std::string_view asked;  // the address that was asked, for the asker's use
  NodeId node = 0;         // the asker, and where its own bus is
  uint16_t bus_port = 0;
  std::string_view host;
  uint64_t ring = 0;
  uint64_t members = 0;
  bool has_data = false;
  bool joining = false;  // about to give its ring up: nobody should give up his for it
  NodeId replaces = 0;   // the member whose place it wants
};
struct SeedAnswer {
  static constexpr uint8_t kType = 38;
  std::string_view asked;
  uint64_t ring = 0;  // 0: fresh
  uint64_t epoch = 0;
  uint64_t members = 0;
  bool has_data = false;
  bool joining = false;
  bool candidate = false;  // fresh, and first in its own list of seeds
  ClusterSettings settings;
  std::string_view refusal;  // why this ring would not take the asker; empty: it would
};

struct JoinRequest {
  static constexpr uint8_t kType = 39;
  uint64_t ring = 0;  // the one that is meant
  Member member;
  NodeId replaces = 0;  // in the place of that member
};
enum class JoinStatus : uint8_t { kJoined = 0, kRefused = 1, kOtherRing = 2 };
struct JoinAnswer {
  static constexpr uint8_t kType = 40;
  JoinStatus status = JoinStatus::kRefused;
  std::string_view text;   // when refused: why
  std::string_view state;  // when joined, encoded
};

// "Do you hear these?" Whoever is heard by somebody is not removed without force.
struct HearAsk {
  static constexpr uint8_t kType = 41;
  uint64_t request = 0;
  std::string_view nodes;  // ids, 8 bytes each
};
struct HearAnswer {
  static constexpr uint8_t kType = 42;
  uint64_t request = 0;
  NodeId heard = 0;  // one of them; 0: none
};

using ControlMessage =
    std::variant<Digest, StatePush, StateAsk, Prepare, Promise, Accept, Accepted, SeedProbe,
                 SeedAnswer, JoinRequest, JoinAnswer, HearAsk, HearAnswer>;

// A whole frame.
std::string EncodeControl(const ControlMessage& message);

// Views of the result point into `fields`. kInvalid when the frame is malformed or of an unknown
// type.
Result<ControlMessage> DecodeControl(std::span<const std::string_view> fields);

}  // namespace cartwheel
