// Messages: what nodes say to each other. On the wire a message is a RESP array of bulk strings,
// read by the client protocol's own parser: the first field holds the type and the message's
// numbers (varints), the others are byte strings. Unknown trailing fields and numbers are ignored,
// an unknown type is counted and ignored. Numbers of types are never reused.
//
// Requests travel on the sender's own link, responses back on the connection the request came from.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "cluster/types.h"
#include "cluster/update.h"
#include "storage/object.h"

namespace cartwheel {

// Reads one key. An equal copy (by VersionHash) is answered with kSame.
struct ReadRequest {
  static constexpr uint8_t kType = 10;
  uint64_t request = 0;
  uint64_t epoch = 0;
  uint64_t have = 0;  // the asker's VersionHash, 0: nothing
  uint32_t db = 0;
  std::string_view key;
};
enum class ReadStatus : uint8_t { kObject = 0, kSame = 1, kNothing = 2, kFailed = 3 };
struct ReadResponse {
  static constexpr uint8_t kType = 11;
  uint64_t request = 0;
  ReadStatus status = ReadStatus::kNothing;
  std::string_view object;  // with kObject, encoded
};

// Read repair of a replica that a read did not ask: tells it what version `holder`, another
// replica, has. One that differs exchanges copies with the holder (MergeRequest); one that is the
// same is silent.
struct CompareRequest {
  static constexpr uint8_t kType = 12;
  uint64_t epoch = 0;
  uint64_t have = 0;
  NodeId holder = 0;
  uint32_t db = 0;
  std::string_view key;
};

// Asks a replica to mint a version: apply the write locally under a new dot.
struct MintRequest {
  static constexpr uint8_t kType = 14;
  uint64_t request = 0;
  uint64_t epoch = 0;
  uint64_t operation = 0;
  bool plain = true;  // the context is joined with all that the replica holds
  Kind kind = Kind::kValue;
  int64_t expires_at_ms = 0;
  uint32_t db = 0;
  std::string_view key;
  std::string_view context;  // encoded
  std::string_view bytes;
};
enum class MintStatus : uint8_t { kMinted = 0, kTooMany = 1, kFull = 2, kFailed = 3 };
// The delta without the value, which the asker has.
struct MintResponse {
  static constexpr uint8_t kType = 15;
  uint64_t request = 0;
  MintStatus status = MintStatus::kFailed;
  std::string_view object;  // the delta with empty bytes, encoded
  std::string_view error;
};

// "Merge this object into your copy": replication, read repair, and all repair to come.
struct MergeRequest {
  static constexpr uint8_t kType = 16;
  uint64_t request = 0;  // 0: no answer is wanted
  uint64_t epoch = 0;
  bool exchange = false;  // when the merge holds more than this, send it back (without `exchange`)
  uint32_t db = 0;
  std::string_view key;
  std::string_view object;
};
struct MergeResponse {
  static constexpr uint8_t kType = 17;
  uint64_t request = 0;
  bool stored = false;
};

// A read-modify-write, sent to the key's first live node.
struct UpdateRequest {
  static constexpr uint8_t kType = 18;
  uint64_t request = 0;
  uint64_t epoch = 0;
  uint64_t operation = 0;
  uint8_t r = 0;
  uint8_t w = 0;
  uint32_t db = 0;
  Update update;
  std::string_view key;
};
enum class UpdateStatus : uint8_t { kDone = 0, kNoQuorum = 1, kFailed = 2, kTooMany = 3 };
struct UpdateResponse {
  static constexpr uint8_t kType = 19;
  uint64_t request = 0;
  UpdateStatus status = UpdateStatus::kFailed;
  char which = 'R';  // with kNoQuorum
  uint8_t needed = 0;
  uint8_t answered = 0;
  UpdateResult result;  // with kFailed and kTooMany, text says why
};

// Keys of a run of slots from a cursor on.
struct ScanRequest {
  static constexpr uint8_t kType = 20;
  uint64_t request = 0;
  uint64_t epoch = 0;
  uint32_t db = 0;
  uint64_t cursor = 0;
  uint16_t last_slot = 0;
  uint32_t count = 0;
};
struct ScanResponse {
  static constexpr uint8_t kType = 21;
  struct Entry {
    std::string_view key;
    std::string_view object;  // without bytes
  };
  uint64_t request = 0;
  bool failed = false;
  uint64_t next = 0;  // everything before this cursor was listed
  std::vector<Entry> entries;
};

// How many keys of a db have a value in the given partitions.
struct CountRequest {
  static constexpr uint8_t kType = 22;
  uint64_t request = 0;
  uint64_t epoch = 0;
  uint32_t db = 0;
  std::string_view partitions;  // varints
};
struct CountResponse {
  static constexpr uint8_t kType = 23;
  uint64_t request = 0;
  uint64_t keys = 0;
};

// Is the peer alive? Sent on idle links.
struct Ping {
  static constexpr uint8_t kType = 24;
  uint64_t request = 0;
  uint64_t epoch = 0;
};
struct Pong {
  static constexpr uint8_t kType = 25;
  uint64_t request = 0;
};

using DataMessage =
    std::variant<ReadRequest, ReadResponse, CompareRequest, MintRequest, MintResponse, MergeRequest,
                 MergeResponse, UpdateRequest, UpdateResponse, ScanRequest, ScanResponse,
                 CountRequest, CountResponse, Ping, Pong>;

// Cluster state: cluster/control_messages.h, types 30 and up. Handshake: cluster/hello.h, 1 and 2.

// One encoder per message; the result is a whole frame.
std::string Encode(const DataMessage& message);

// The type of a frame, 0 when it has none.
uint8_t FrameType(std::span<const std::string_view> fields);
inline constexpr uint8_t kFirstDataType = 10;
inline constexpr uint8_t kFirstControlType = 30;

// Views of the result point into `fields`. kInvalid when the frame is malformed or of an unknown
// type.
Result<DataMessage> DecodeData(std::span<const std::string_view> fields);

}  // namespace cartwheel
