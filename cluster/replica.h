// Replica: the copies on this node, its own and those it keeps for others (hints). Loads them,
// mints new versions on them and merges others' into them; everything that changes a stored object
// goes through Mint or Merge. Dynamo, sections 4.4 and 4.6; the rules of minting are in
// docs/architecture.md, "Versions". Knows nothing of quorums and peers.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "cluster/births.h"
#include "cluster/hint_index.h"
#include "cluster/hybrid_clock.h"
#include "cluster/status_counters.h"
#include "cluster/types.h"
#include "storage/engine.h"
#include "storage/object.h"
#include "storage/record.h"
#include "storage/sibling_copy.h"

namespace cartwheel {

// Which copy of which key: the position is computed once, when an operation enters the node.
struct KeyRef {
  Position position;
  uint32_t db = 0;
  std::string_view bytes;
  NodeId hint_for = 0;  // the copy that is kept for that node; 0: this node's own

  // Where its record stands.
  Position place() const { return hint_for == 0 ? position : HintPosition(hint_for, position); }
};

// A stored version without its object.
struct VersionHead {
  uint64_t hash = 0;      // VersionHash, 0: nothing there
  uint64_t sequence = 0;  // the storage sequence that whoever tells of it must wait for
  size_t record_bytes = 0;
};

struct StoredVersion : VersionHead {
  Object object;
  uint64_t mark = 0;  // the birth that may go on counting, 0: none
};

// What is to be minted.
struct NewVersion {
  uint64_t operation = 0;
  uint8_t attempt = 0;    // nodes that were asked before and may have minted it
  CausalContext context;  // what the writer has seen
  // The retried siblings in that which this copy need not hold (storage/object.h).
  std::vector<Replaced> replaces = {};
  bool plain = false;  // the context is joined with all that this replica holds
  Kind kind = Kind::kValue;
  int64_t expires_at_ms = 0;
  std::string bytes;

  // Somebody was asked and may have minted it.
  void NoteUnanswered() { attempt = std::max(attempt, static_cast<uint8_t>(attempt + 1)); }
  void Clear() {
    operation = 0;
    attempt = 0;
    context.Clear();
    replaces.clear();
    plain = false;
    kind = Kind::kValue;
    expires_at_ms = 0;
    bytes.clear();
    bytes.shrink_to_fit();
  }
};

// Several versions that are to be minted at once. Together they replace all that the copy holds,
// and what the context covers. Not for what may be retried.
struct NewSiblings {
  uint64_t operation = 0;  // of the newest; each older one has the next number
  CausalContext context;
  std::vector<Replaced> replaces;   // as in NewVersion
  std::vector<SiblingCopy> copies;  // newest first
};

struct Minted {
  Object delta;  // {context + dots, what was minted}: what the other replicas merge
  uint64_t sequence = 0;
  bool fresh = false;  // nothing lived under the key here before
};

struct ReplicaLimits {
  uint32_t siblings_warn = 25;
  uint32_t siblings_max = 100;
  uint64_t object_max_bytes = 1ULL << 30;
  int64_t max_clock_skew_ms = 60000;
};

class Replica {
 public:
  Replica(NodeId self, StorageEngine* engine, HybridClock* clock, Births births,
          const ReplicaLimits& limits, StatusCounters* counters)
      : self_(self),
        engine_(engine),
        clock_(clock),
        births_(births),
        limits_(limits),
        counters_(counters) {}

  // Counts the hints that the engine holds; once, at the start.
  Result<void> FindHints();

  // Fills an empty version; leaves it so when nothing is there. kCollision: another key stands at
  // the position. kDamaged: the record was not what had been written and is set aside: dropped, so
  // that other replicas repair it, and from then on no answer until something is stored there.
  Result<void> Load(const KeyRef& key, StoredVersion* version);
  // The same without decoding; `object`, when given, gets the encoded object (a view that holds
  // until the engine is called again).
  Result<VersionHead> Head(const KeyRef& key, std::string_view* object = nullptr);
  // All that this node has of a key that is not its own: what it keeps for `nodes`, and a copy of
  // its own from when the ring was another one. The hash is that of the merge. Does not ask
  // key.hint_for.
  Result<void> LoadKept(const KeyRef& key, std::span<const NodeId> nodes, StoredVersion* version);

  // Applies a write here under a new dot. An operation that was minted here before is not minted
  // again: its delta is returned; nor is one that was replaced since: that is what replaced it, and
  // `version` as it was. kTooMany, kFull,
  // kCollision: nothing was written.
  Result<Minted> Mint(const KeyRef& key, NewVersion&& version, const View& view);
  // The same on a copy that is kept for another: a plain write replaces all that is kept for
  // `nodes`.
  Result<Minted> MintKept(const KeyRef& key, std::span<const NodeId> nodes, NewVersion&& version,
                          const View& view);
  // Applies several versions here, each under a new dot and in their order. One object with all of
  // them is the delta. kTooMany, kFull, kCollision: nothing was written.
  Result<Minted> MintSiblings(const KeyRef& key, NewSiblings&& siblings, const View& view);
  // Merges another's object into this copy. Nothing is written when it adds nothing.
  Result<VersionHead> Merge(const KeyRef& key, Object&& incoming, const View& view);

  // Drops a damaged record. What it said of its key is lost, its mark as well: the next mint begins
  // a new birth.
  void SetAside(const Position& place);
  // Where records were set aside since the last call, for the log.
  std::vector<Position> TakeSetAside() { return std::exchange(set_aside_, {}); }
  // A key that a write since the last call left with more siblings than siblings_warn.
  struct ManySiblings {
    std::string key;
    size_t siblings;
  };
  std::optional<ManySiblings> TakeManySiblings() {
    return std::exchange(many_siblings_, std::nullopt);
  }
  // What other replicas had of them is here again: where nothing is now, there is nothing.
  void ForgetSetAside() { missing_.clear(); }

  // Gives up the copy whose head that is, and nothing newer. False when it is another one now.
  bool Drop(const KeyRef& key, uint64_t hash);

  // Puts an object in the place of a copy that knows the same and more: its context was pruned. The
  // node's own dots are no more known then, so that it goes on with a new birth.
  void Replace(const KeyRef& key, const Object& object);

  // Drops the records of a db (kAllDbs: of all) that were written before `flushed_before`, at most
  // `budget` records from `*from` on; false when the end was reached.
  bool SweepFlushed(uint32_t db, uint64_t flushed_before, uint32_t budget, Position* from);
  // Empties the values whose time was over at `wall_ms`, among at most `budget` records from *from
  // on: they count as deleted then. False when the end was reached. Notes in *later whether there
  // are values whose time will come; adds the keys that have no value any more to *gone.
  bool SweepExpired(int64_t wall_ms, uint32_t budget, Position* from, bool* later,
                    std::vector<Key>* gone);
  // How many objects were stored that hold a value with an expiry.
  uint64_t expiring_stored() const { return expiring_stored_; }

  const HintIndex& hints() const { return hints_; }
  StorageEngine* engine() const { return engine_; }
  Births* births() { return &births_; }

 private:
  tl::unexpected<Status> Full();
  // The intact record of the key and its head; nothing when there is none.
  Result<std::optional<RecordView>> Find(const KeyRef& key, VersionHead* head);
  Dot NextDot(const StoredVersion& current, const CausalContext& given, int64_t wall_ms,
              uint64_t* mark);
  // Returns the storage sequence. `hash` is VersionHash of the object, `before` what stood there.
  uint64_t Store(const KeyRef& key, const Object& object, uint64_t hash, uint64_t mark,
                 const VersionHead& before);
  void CountHint(const Position& place, size_t bytes_before, size_t bytes_after);
  bool PastBounds(const Object& next, size_t siblings_before, size_t bytes_before) const;
  void NoteMany(const KeyRef& key, const Object& next);

  NodeId self_;
  StorageEngine* engine_;
  HybridClock* clock_;
  Births births_;
  ReplicaLimits limits_;
  StatusCounters* counters_;
  HintIndex hints_;
  uint64_t expiring_stored_ = 0;
  std::vector<Position> set_aside_;
  std::set<Position> missing_;  // set aside in this run, nothing stored there since
  std::optional<ManySiblings> many_siblings_;
  std::string image_;  // of the record that is being stored
};

}  // namespace cartwheel
