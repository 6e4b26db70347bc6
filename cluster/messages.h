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
#include <vector>

#include "base/status.h"
#include "cluster/transit.h"
#include "cluster/tree_coding.h"
#include "cluster/types.h"
#include "cluster/update.h"
#include "storage/object.h"

namespace cartwheel {

// Reads one key. An equal copy (by VersionHash) is answered with kSame. A fallback answers with
// what it keeps of the key for others.
struct ReadRequest {
  static constexpr uint8_t kType = 10;
  uint64_t request = 0;
  uint64_t epoch = 0;
  uint64_t have = 0;  // the asker's VersionHash, 0: nothing
  bool fallback = false;
  uint32_t db = 0;
  std::string_view key;
};
enum class ReadStatus : uint8_t { kObject = 0, kSame = 1, kNothing = 2, kFailed = 3 };
struct ReadResponse {
  static constexpr uint8_t kType = 11;
  uint64_t request = 0;
  ReadStatus status = ReadStatus::kNothing;
  bool behind = false;      // may lack what was acknowledged: does not count (cluster/catch_up.h)
  uint64_t placement = 0;   // that the answering node knows
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

// Asks a replica to mint a version: apply the write locally under a new dot. One that waited so
// long that the asker may have gone elsewhere is refused. A fallback mints on its hint.
struct MintRequest {
  static constexpr uint8_t kType = 14;
  uint64_t request = 0;
  uint64_t epoch = 0;
  uint64_t operation = 0;
  bool plain = true;      // the context is joined with all that the replica holds
  bool may_pass = false;  // a replica that is not up to date may leave it to another
  uint8_t attempt = 0;    // nodes that were asked before and may have minted it
  Kind kind = Kind::kValue;
  int64_t expires_at_ms = 0;
  int64_t patience_us = 0;  // after which another node is asked
  NodeId hint_for = 0;      // 0: the asked node is one of the key's replicas
  uint32_t db = 0;
  Stamp stamp;
  std::string_view key;
  std::string_view context;   // encoded
  std::string_view replaces;  // what the context covers of retried operations, encoded; or empty
  std::string_view bytes;
};
enum class MintStatus : uint8_t { kMinted = 0, kTooMany = 1, kFull = 2, kFailed = 3, kPassed = 4 };
// The delta without the value, which the asker has.
struct MintResponse {
  static constexpr uint8_t kType = 15;
  uint64_t request = 0;
  MintStatus status = MintStatus::kFailed;
  bool fresh = false;       // Minted::fresh
  uint64_t placement = 0;   // that the answering node knows
  std::string_view object;  // the delta with empty bytes, encoded
  std::string_view error;
};

// "Merge this object into your copy": replication, read repair, hints, anti-entropy and transfer.
struct MergeRequest {
  static constexpr uint8_t kType = 16;
  uint64_t request = 0;  // 0: no answer is wanted
  uint64_t epoch = 0;
  bool exchange = false;  // when the merge holds more than this, send it back (without `exchange`)
  bool synced = false;    // answer when it is on the disk, whatever the fsync policy
  bool compared = false;  // a comparison found it to differ: all that the sender has
  NodeId hint_for = 0;    // keep it for that node (Dynamo, section 4.6); 0: it is the asked node's
  Stamp stamp;
  uint32_t db = 0;
  std::string_view key;
  std::string_view object;
};
struct MergeResponse {
  static constexpr uint8_t kType = 17;
  uint64_t request = 0;
  bool stored = false;
  uint64_t placement = 0;  // that the answering node knows
};

// A read-modify-write, sent to the key's first live node. One that waited long is refused.
struct UpdateRequest {
  static constexpr uint8_t kType = 18;
  uint64_t request = 0;
  uint64_t epoch = 0;
  uint8_t r = 0;
  uint8_t w = 0;
  uint32_t db = 0;
  Stamp stamp;
  Update update;
  std::string_view key;
};
enum class UpdateStatus : uint8_t {
  kDone = 0,
  kNoQuorum = 1,
  kFailed = 2,
  kTooMany = 3,
  kFull = 4,
  kElsewhere = 5  // another node is the key's first: nothing was done
};
struct UpdateResponse {
  static constexpr uint8_t kType = 19;
  uint64_t request = 0;
  UpdateStatus status = UpdateStatus::kFailed;
  char which = 'R';  // with kNoQuorum
  uint8_t needed = 0;
  uint8_t answered = 0;
  bool sloppy = false;     // fallbacks made up its quorums
  uint64_t placement = 0;  // that the answering node knows
  UpdateResult result;     // with kFailed and kTooMany, text says why
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
  uint64_t next = 0;       // everything before this cursor was listed
  uint64_t placement = 0;  // that the answering node knows
  std::vector<Entry> entries;
};

// How many keys of a db have a value in each of the given partitions.
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
  uint64_t placement = 0;   // that the answering node knows
  std::string_view counts;  // varints, in the order of the partitions
};

// Is the peer alive? The first on every link, and sent on idle ones.
struct Ping {
  static constexpr uint8_t kType = 24;
  uint64_t request = 0;
  uint64_t epoch = 0;
  Stamp stamp;
};
struct Pong {
  static constexpr uint8_t kType = 25;
  uint64_t request = 0;
};

// Asks whether a replica has seen all that a context covers, on its disk: whoever asks would give
// up its own copy then.
struct HoldsRequest {
  static constexpr uint8_t kType = 50;
  uint64_t request = 0;
  uint64_t epoch = 0;
  uint32_t db = 0;
  std::string_view key;
  std::string_view context;  // encoded
};
struct HoldsResponse {
  static constexpr uint8_t kType = 51;
  uint64_t request = 0;
  bool holds = false;
  uint64_t placement = 0;  // that the answering node knows
};

// Asks which of these Merkle leaves are the same on a replica's disk: whoever asks would give up
// its own copies then. `leaves` := { leaf:varint sum:fixed64 }.
struct LeavesRequest {
  static constexpr uint8_t kType = 59;
  uint64_t request = 0;
  uint64_t epoch = 0;
  std::string_view leaves;
};
struct LeavesResponse {
  static constexpr uint8_t kType = 60;
  uint64_t request = 0;
  uint64_t placement = 0;  // that the answering node knows
  std::string_view same;   // a byte for each leaf, in the order of the question: 1, or 0
};

// May these dead versions be dropped (cluster/reaper.h)? Asks every member; `entries` is a list of
// (position, version hash).
struct ReapRequest {
  static constexpr uint8_t kType = 52;
  uint64_t request = 0;
  uint64_t epoch = 0;
  std::string_view entries;
};
// Only a member in the same epoch answers.
struct ReapResponse {
  static constexpr uint8_t kType = 53;
  uint64_t request = 0;
  std::string_view votes;  // a byte per entry: 1 when it may go
};
// They may: all said so, twice.
struct ReapCommit {
  static constexpr uint8_t kType = 54;
  uint64_t epoch = 0;
  Stamp stamp;
  std::string_view entries;
};

// Anti-entropy (Dynamo, section 4.7), one step down the tree of what both nodes replicate
// (cluster/merkle_tree.h): the asker's sums of some nodes of a level.
struct TreeRequest {
  static constexpr uint8_t kType = 26;
  uint64_t request = 0;
  uint64_t epoch = 0;
  TreeLevel level = TreeLevel::kRoot;
  bool catching_up = false;  // the asker needs what it learns (cluster/catch_up.h)
  uint64_t placement = 0;    // both must know the same
  Position from;             // with kLeaf: what is before this was compared
  std::string_view entries;  // TreeEntry, ascending by index
};
enum class TreeStatus : uint8_t {
  kHere,
  kRefused,  // knows another ring than the asker, or cannot read
  kBusy,     // compares with another node, or will begin with the asker itself: later
};
// Those whose sum is another one here, with what is below them. Also says that all objects a
// FetchRequest asked for were given, with no groups then.
struct TreeResponse {
  static constexpr uint8_t kType = 27;
  uint64_t request = 0;
  TreeStatus status = TreeStatus::kHere;
  bool more = false;        // with leaves: only what is before `next` is listed
  Position next;            // when there is more
  std::string_view groups;  // TreeGroup, ascending by index
};
// "Send me the objects at these positions" (MergeRequest): the asker has nothing there.
struct FetchRequest {
  static constexpr uint8_t kType = 28;
  uint64_t request = 0;
  uint64_t epoch = 0;
  uint64_t placement = 0;
  std::string_view positions;  // kPositionBytes each
};

// A gainer fetches what it is to hold (cluster/transfer.h): "what do you have of these slots that I
// have not?"
struct TransferRequest {
  static constexpr uint8_t kType = 56;
  uint64_t request = 0;
  uint64_t epoch = 0;
  uint64_t placement = 0;   // both must know the same
  Position from;            // what is before this was given
  uint64_t most_bytes = 0;  // of the answer, about
  std::string_view slots;   // SlotSums, ascending
};
enum class TransferStatus : uint8_t {
  kGiven = 0,
  kRefused = 1,  // knows another placement, or cannot read
  kLater = 2,    // has spent its transfer-rate
};
struct TransferResponse {
  static constexpr uint8_t kType = 57;
  uint64_t request = 0;
  TransferStatus status = TransferStatus::kRefused;
  bool behind = false;       // may lack what was acknowledged: does not count
  bool more = false;         // only what is before `next` is given
  Position next;             // when there is more
  std::string_view objects;  // TransferObject
};

// "My part of this phase of the motion is done" (cluster/motion.h).
struct MotionReport {
  static constexpr uint8_t kType = 58;
  uint64_t epoch = 0;
  uint64_t placement = 0;
};

// A client of the sender has published this.
struct Publish {
  static constexpr uint8_t kType = 55;
  uint64_t epoch = 0;
  bool sharded = false;
  std::string_view channel;
  std::string_view message;
};

// Cluster state: cluster/control_messages.h, types 30 and up. Handshake: cluster/hello.h, 1 and 2.

// Appends the message as a whole frame.
void Encode(const ReadRequest& message, std::string* out);
void Encode(const ReadResponse& message, std::string* out);
void Encode(const CompareRequest& message, std::string* out);
void Encode(const MintRequest& message, std::string* out);
void Encode(const MintResponse& message, std::string* out);
void Encode(const MergeRequest& message, std::string* out);
void Encode(const MergeResponse& message, std::string* out);
void Encode(const UpdateRequest& message, std::string* out);
void Encode(const UpdateResponse& message, std::string* out);
void Encode(const ScanRequest& message, std::string* out);
void Encode(const ScanResponse& message, std::string* out);
void Encode(const CountRequest& message, std::string* out);
void Encode(const CountResponse& message, std::string* out);
void Encode(const Ping& message, std::string* out);
void Encode(const Pong& message, std::string* out);
void Encode(const HoldsRequest& message, std::string* out);
void Encode(const HoldsResponse& message, std::string* out);
void Encode(const LeavesRequest& message, std::string* out);
void Encode(const LeavesResponse& message, std::string* out);
void Encode(const ReapRequest& message, std::string* out);
void Encode(const ReapResponse& message, std::string* out);
void Encode(const ReapCommit& message, std::string* out);
void Encode(const TreeRequest& message, std::string* out);
void Encode(const TreeResponse& message, std::string* out);
void Encode(const FetchRequest& message, std::string* out);
void Encode(const TransferRequest& message, std::string* out);
void Encode(const TransferResponse& message, std::string* out);
void Encode(const MotionReport& message, std::string* out);
void Encode(const Publish& message, std::string* out);

// The fields of a frame that came.
using Fields = std::span<const std::string_view>;
// The type of a frame, 0 when it has none.
uint8_t FrameType(Fields fields);
inline constexpr uint8_t kFirstDataType = 10;
inline constexpr bool IsControlType(uint8_t type) { return type >= 30 && type < 50; }

// Reads a frame of the message's type; its views point into `fields` then. False when the frame is
// malformed.
bool Decode(Fields fields, ReadRequest* message);
bool Decode(Fields fields, ReadResponse* message);
bool Decode(Fields fields, CompareRequest* message);
bool Decode(Fields fields, MintRequest* message);
bool Decode(Fields fields, MintResponse* message);
bool Decode(Fields fields, MergeRequest* message);
bool Decode(Fields fields, MergeResponse* message);
bool Decode(Fields fields, UpdateRequest* message);
bool Decode(Fields fields, UpdateResponse* message);
bool Decode(Fields fields, ScanRequest* message);
bool Decode(Fields fields, ScanResponse* message);
bool Decode(Fields fields, CountRequest* message);
bool Decode(Fields fields, CountResponse* message);
bool Decode(Fields fields, Ping* message);
bool Decode(Fields fields, Pong* message);
bool Decode(Fields fields, HoldsRequest* message);
bool Decode(Fields fields, HoldsResponse* message);
bool Decode(Fields fields, LeavesRequest* message);
bool Decode(Fields fields, LeavesResponse* message);
bool Decode(Fields fields, ReapRequest* message);
bool Decode(Fields fields, ReapResponse* message);
bool Decode(Fields fields, ReapCommit* message);
bool Decode(Fields fields, TreeRequest* message);
bool Decode(Fields fields, TreeResponse* message);
bool Decode(Fields fields, FetchRequest* message);
bool Decode(Fields fields, TransferRequest* message);
bool Decode(Fields fields, TransferResponse* message);
bool Decode(Fields fields, MotionReport* message);
bool Decode(Fields fields, Publish* message);

enum class Decoding { kDone, kMalformed, kUnknownType };

// Calls visit with a decoded message of whatever type the frame is, if it can be decoded.
template <typename Visit>
Decoding DecodeData(Fields fields, Visit&& visit) {
  const auto decode = [&]<typename Message>(Message message) {
    if (!Decode(fields, &message)) return Decoding::kMalformed;
    visit(message);
    return Decoding::kDone;
  };
  switch (FrameType(fields)) {
    case ReadRequest::kType: return decode(ReadRequest());
    case ReadResponse::kType: return decode(ReadResponse());
    case CompareRequest::kType: return decode(CompareRequest());
    case MintRequest::kType: return decode(MintRequest());
    case MintResponse::kType: return decode(MintResponse());
    case MergeRequest::kType: return decode(MergeRequest());
    case MergeResponse::kType: return decode(MergeResponse());
    case UpdateRequest::kType: return decode(UpdateRequest());
    case UpdateResponse::kType: return decode(UpdateResponse());
    case ScanRequest::kType: return decode(ScanRequest());
    case ScanResponse::kType: return decode(ScanResponse());
    case CountRequest::kType: return decode(CountRequest());
    case CountResponse::kType: return decode(CountResponse());
    case Ping::kType: return decode(Ping());
    case Pong::kType: return decode(Pong());
    case HoldsRequest::kType: return decode(HoldsRequest());
    case HoldsResponse::kType: return decode(HoldsResponse());
    case LeavesRequest::kType: return decode(LeavesRequest());
    case LeavesResponse::kType: return decode(LeavesResponse());
    case ReapRequest::kType: return decode(ReapRequest());
    case ReapResponse::kType: return decode(ReapResponse());
    case ReapCommit::kType: return decode(ReapCommit());
    case TreeRequest::kType: return decode(TreeRequest());
    case TreeResponse::kType: return decode(TreeResponse());
    case FetchRequest::kType: return decode(FetchRequest());
    case TransferRequest::kType: return decode(TransferRequest());
    case TransferResponse::kType: return decode(TransferResponse());
    case MotionReport::kType: return decode(MotionReport());
    case Publish::kType: return decode(Publish());
    default: return Decoding::kUnknownType;
  }
}

}  // namespace cartwheel
