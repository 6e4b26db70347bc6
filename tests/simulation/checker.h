// Checker: what must be true of a run, whatever happened. It hears of every client operation, every
// image that any replica stores, and at the end of the copies that are left. Every version's dot is
// in one map from the moment it is minted, with the context that its write covers, so that each
// check costs a constant per operation:
//   - a dot has one value, and is minted by the node it names;
//   - no value that nobody wrote;
//   - a DYN.PUT is answered with the context it gave and its own dot, no more;
//   - what an acknowledged write covered is not read again and is not there at the end;
//   - an acknowledged write that nothing acknowledged covers is in the context of every later read
//     (R + W > N, and all who answer either are of the N, and up to date if they lost their tail);
//   - at the end an acknowledged write is there, or covered by a write that is there or so covered
//     in turn;
//   - every operation is answered by its deadline.
// What a loss of power may take that was acknowledged is unknown from then on (Lost).
// The first violation is kept; the run is over then.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/client_op.h"
#include "storage/object.h"

namespace cartwheel::sim {

class Checker {
 public:
  // `tombstones_go`: dead versions may be dropped for good within the run.
  explicit Checker(bool tombstones_go) : tombstones_go_(tombstones_go) {}

  // A key that the clients will use; the number of it.
  size_t AddKey(const Key& key, const Position& position);

  // What a client is about to do. Exactly one End, or Abandoned, for each.
  void Begin(uint64_t id, size_t key, const ClientOp& op, int64_t now_us, int64_t deadline_us);
  // `late_us`: how much of the time its node stood still.
  void End(uint64_t id, const Answer& answer, int64_t now_us, int64_t late_us);
  // Its node died: it may or may not have happened.
  void Abandoned(uint64_t id);

  // An image that node stores. `given`: the context of the write that this step mints, if known.
  void OnPut(uint64_t node, const Position& position, std::string_view image,
             const CausalContext* given, int64_t now_us);

  // A replica drops its copy for good, for all of them know that it is dead: what was in it is as
  // good as acknowledged.
  void OnDrop(const Position& position, std::string_view image, int64_t now_us);

  // A replica forgets most of its long context, for all of them hold the same.
  void OnPrune(const Position& position, std::string_view image);

  // Disks lose what they have not synced: whatever was acknowledged since then, or is acknowledged
  // from now on and was minted before, may be gone.
  void Lost(int64_t since_us, int64_t now_us);

  // Until when values whose time is over may be dropped for good, by the clocks of so many replicas
  // of the key that no vote of all can go without one of them.
  void set_ripe_ms(std::function<int64_t(size_t key)> ripe_ms) { ripe_ms_ = std::move(ripe_ms); }

  // What one key is at the end, after all replicas were found equal.
  void Final(size_t key, const Object& object);

  bool failed() const { return failure_.has_value(); }
  const std::optional<std::string>& failure() const { return failure_; }
  void Fail(std::string what);
  size_t pending() const { return pending_.size(); }
  // The ids of what was not answered, for the message.
  std::vector<uint64_t> Pending() const;

  struct Counts {
    uint64_t operations = 0;
    uint64_t acknowledged_writes = 0;
    uint64_t unknown_writes = 0;
    uint64_t reads = 0;
    uint64_t failed_reads = 0;
    uint64_t versions = 0;
    uint64_t dropped = 0;  // dead versions, by their replicas, since these last started
    uint64_t sloppy = 0;   // answers with the help of fallbacks
    uint64_t twins = 0;    // writes that were minted twice under one operation id
    // Values there at the end of which an acknowledged write covered a twin (decision 9).
    uint64_t twins_back = 0;
    uint64_t twins_shown = 0;  // those that a GET shows
  };
  const Counts& counts() const { return counts_; }

 private:
  enum class Type : uint8_t { kRead, kPut, kPlainPut, kDelete, kUpdate, kOther };
  struct Version {
    Sibling sibling;  // without its bytes
    uint64_t bytes_hash = 0;
    bool rewritten = false;  // by EXPIRE or PERSIST, from another of the same value
    bool dead = false;       // only copies whose bytes expired were met so far
    CausalContext cover;     // what its write replaces; its own dot may be in it
    int64_t minted_us = 0;
    bool may_be_acknowledged = false;  // one of several that an acknowledged delete may be
    bool acknowledged = false;
    int64_t acknowledged_us = INT64_MAX;
    bool sloppy = false;             // it was acknowledged with the help of fallbacks
    bool covers = false;             // when it was acknowledged, what it covers was
    bool dropped = false;            // for good, by some replica
    int64_t covered_us = INT64_MAX;  // by an acknowledged write
    // By one that no fallback was needed for: a read of R of the N cannot miss it.
    int64_t strictly_covered_us = INT64_MAX;
  };
  struct WrittenValue {
    std::optional<CausalContext> given;  // the context of its write, if that had one
    uint64_t operation = 0;  // of its first version; EXPIRE makes others of the same value
  };
  struct KeyState {
    Key key;
    std::vector<Version> versions;                 // in the order of minting
    absl::flat_hash_map<uint64_t, size_t> by_dot;  // hash of the dot to the version
    // The versions of one client write: several when it was minted more than once.
    absl::flat_hash_map<uint64_t, absl::InlinedVector<size_t, 1>> by_operation;
    // By the hash of the bytes.
    absl::flat_hash_map<uint64_t, WrittenValue> values;
    absl::flat_hash_set<uint64_t> appended;  // hashes of the tokens
    int64_t increments = 0;
    std::vector<size_t> uncovered;  // by acknowledged writes
    std::vector<size_t> unseen_acknowledged;
  };
  struct Operation {
    Type type = Type::kOther;
    size_t key = 0;
    int64_t began_us = 0;
    int64_t deadline_us = 0;
    Kind kind = Kind::kValue;
    uint64_t bytes_hash = 0;
    bool bytes_matter = false;
    bool sloppy = false;  // it was answered with the help of fallbacks
    CausalContext given;
    Update update;
  };

  static uint64_t HashOf(const Position& position);
  static uint64_t HashOf(const Dot& dot);
  const Version* Find(const KeyState& state, const Dot& dot) const;
  void Meet(KeyState* state, uint64_t node, const Object& object, const Sibling& sibling,
            const CausalContext* given, int64_t now_us);
  void MeetAgain(const KeyState& state, const Sibling& sibling, Version* known);
  bool KnownValue(const KeyState& state, std::string_view bytes) const;
  void CheckRead(const KeyState& state, const Object& object, const Operation& op);
  void EndPut(const Operation& op, const PutAnswer& answer, int64_t now_us);
  void EndReplacedPut(const Operation& op, KeyState* state, int64_t now_us);
  void EndUpdate(const Operation& op, const UpdateResult& result, int64_t now_us);
  void EndReplace(const Operation& op, int64_t now_us);
  void EndDelete(const Operation& op, const DeleteAnswer& answer, int64_t now_us);
  // The versions of the key that were minted since and that `wanted` accepts, newest first.
  template <typename Wanted>
  std::vector<size_t> MintedSince(const KeyState& state, int64_t since_us, Wanted wanted) const;
  // An acknowledged write covers those versions for which `covers(index)` holds.
  template <typename Covers>
  void Cover(KeyState* state, int64_t now_us, bool sloppy, Covers covers);
  // `covers`: it is known that this very version was stored, and so what it covered is gone.
  void Acknowledge(KeyState* state, size_t version, int64_t now_us, bool sloppy,
                   bool covers = true);
  void Forget(KeyState* state, const CausalContext& context);
  // What the version covers, acknowledged at that time, is over.
  void Cover(KeyState* state, size_t version, int64_t now_us);
  bool Knows(const KeyState& state, const CausalContext& context, const Version& version) const;
  std::string Describe(const KeyState& state, const Version& version) const;

  // All replicas may forget it in time, together: nothing shows whether it is there.
  bool MayBeDropped(const Sibling& sibling) const {
    return tombstones_go_ && (sibling.kind == Kind::kTombstone || sibling.expires_at_ms != 0);
  }
  // Not before its time is over where it counts.
  bool MayBeGone(const KeyState& state, const Sibling& sibling) const;
  static bool HasCoveredTwin(const KeyState& state, const Sibling& sibling);

  const bool tombstones_go_;
  std::function<int64_t(size_t key)> ripe_ms_;
  int64_t lost_us_ = -1;  // when the last disk lost what was acknowledged
  std::vector<KeyState> keys_;
  absl::flat_hash_map<uint64_t, size_t> key_by_position_;
  absl::flat_hash_map<uint64_t, Operation> pending_;
  std::optional<std::string> failure_;
  Counts counts_;
};

}  // namespace cartwheel::sim
