// ClientOp: what a client's command asks of the core, and Answer: what comes back. One command may
// be several operations (MGET, DEL a b c); server/ splits and joins them. Every operation is
// answered exactly once, within 2 x replica-timeout + 100 ms (a RepairOperation when it is done).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "cluster/types.h"
#include "cluster/update.h"
#include "storage/object.h"

namespace cartwheel {

// Quorum sizes: 0 means the cluster's default. Above N is refused by the server before.

// GET, DYN.GET, DYN.SIBLINGS, EXISTS, TTL ...: R replicas merged. With `explain`, all N are asked
// and the answer lists each.
struct ReadOperation {
  Key key;
  uint8_t r = 0;
  bool explain = false;
};

// A write that needs no read. Without a context it is a plain SET: it replaces all that the minting
// replica holds. With one, a DYN.PUT or DYN.DEL: it replaces what the context covers.
struct PutOperation {
  Key key;
  std::optional<CausalContext> context;
  Kind kind = Kind::kValue;
  std::string bytes;
  int64_t expires_at_ms = 0;
  uint8_t w = 0;
  // The retried siblings that the context's reader met (storage/object.h): nothing of theirs is to
  // come back, either.
  std::vector<Replaced> replaces = {};
};

// Plain DEL: reads R replicas (fewer if there are none), then puts a tombstone over what they and
// the minting replica hold, unless nothing lives there.
struct DeleteOperation {
  Key key;
  uint8_t r = 0;
  uint8_t w = 0;
};

// Read-modify-write at the key's first live node.
struct UpdateOperation {
  Key key;
  Update update;
  uint8_t r = 0;
  uint8_t w = 0;
};

// One page of the ring's keys of a db, from a cursor on.
struct ScanOperation {
  uint32_t db = 0;
  uint64_t cursor = 0;
  uint32_t count = 10;  // about how many keys to look at, at least 1
  uint8_t r = 0;
};

// How many keys of a db have a value, over the whole ring.
struct CountOperation {
  uint32_t db = 0;
};

// An operator's word; decided in the cluster state.
struct JoinOperation {
  Address peer;         // its bus
  NodeId replaces = 0;  // in the place of that member
};
struct LeaveOperation {};
struct RemoveOperation {
  std::vector<NodeId> nodes;
  bool force = false;
};
struct SettingsOperation {
  QuorumSettings settings;
};
struct FlushOperation {
  std::optional<uint32_t> db;  // nothing: all
};

// PUBLISH, SPUBLISH: tells every live member, which tells its subscribers; nobody answers, and a
// message to a node that does not read in time is lost (as in Redis Cluster). Subscribers of this
// node are the caller's.
struct PublishOperation {
  bool sharded = false;
  std::string channel;
  std::string message;
};

// Compares all that this node replicates with its live peers, now. Takes as long as something
// moves, whatever replica-timeout is.
struct RepairOperation {};

struct ClientOp {
  uint64_t id = 0;  // the caller's, returned with the answer
  std::variant<ReadOperation, PutOperation, DeleteOperation, UpdateOperation, ScanOperation,
               CountOperation, JoinOperation, LeaveOperation, RemoveOperation, SettingsOperation,
               FlushOperation, RepairOperation, PublishOperation>
      operation;
};

struct ReplicaAnswer {
  NodeId node = 0;
  bool primary = true;  // one of the N; else a fallback
  int64_t answered_in_us = 0;
  Object object;      // without bytes
  bool same = false;  // against the merge
};

struct ReadAnswer {
  Object object;                        // empty context: nothing there
  std::vector<ReplicaAnswer> replicas;  // with explain only
};
struct PutAnswer {
  CausalContext context;  // what was given and the new dot; empty for a plain write
  bool fresh = false;     // nothing lived there before, as far as the minter knew
};
struct DeleteAnswer {
  bool deleted = false;
};
struct UpdateAnswer {
  UpdateResult result;
};
struct ScanAnswer {
  uint64_t cursor = 0;            // where the next page begins; 0: this was the last
  std::vector<std::string> keys;  // that have a live value, each at most once in a page
};
struct CountAnswer {
  uint64_t keys = 0;
};
struct RepairAnswer {
  uint64_t keys = 0;  // that changed, here or at a peer
};
struct Done {};
// Fewer replicas than needed answered in time. For a write the outcome is unknown, not undone.
struct NoQuorum {
  char which = 'R';  // 'R' or 'W'
  uint8_t needed = 0;
  uint8_t answered = 0;
};
// An update was sent to the key's first node, which did not answer: it may or may not have
// happened.
struct Unknown {};
// The ring is not known yet.
struct Loading {};

struct Answer {
  uint64_t id = 0;
  uint64_t after = 0;  // the storage sequence it must wait for
  std::variant<ReadAnswer, PutAnswer, DeleteAnswer, UpdateAnswer, ScanAnswer, CountAnswer, Done,
               NoQuorum, Unknown, Loading, Status, RepairAnswer>
      result;
  bool sloppy = false;  // fallbacks made up its quorum: it may have missed, or may be missed
};

}  // namespace cartwheel
