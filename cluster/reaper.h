// Reaper: drops dead versions (tombstones and values whose time is over) for good, and prunes long
// contexts, without ever letting an older version come back. Dynamo leaves this open; what goes
// wrong elsewhere is that a tombstone goes by its age, and a copy that was away does not know.
//
// One of a key's replicas proposes, in two rounds. In each, all N must say, synced, that they
// hold exactly this object or nothing (to prune: exactly this object) and find it dead and old by
// their own clocks, and every member of the ring that it keeps nothing of the slot for others:
// no hint, no left-over. From the first round on nobody holds anything older. What was sent
// before is refused once it is older than OldestDataUs; so the second round comes after that, and
// finds whatever arrived meanwhile. Then the replicas drop what still is the same. A member that is
// down, or another epoch, delays this; nothing else depends on it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/handoff.h"
#include "cluster/messages.h"
#include "cluster/node_context.h"
#include "storage/record.h"

namespace cartwheel {

class Reaper {
 public:
  // Contexts longer than this are pruned.
  static constexpr size_t kLongContext = 50;

  Reaper(NodeContext* context, const Handoff* handoff)
      : context_(context), handoff_(handoff), request_(context->random.Below(uint64_t{1} << 62)) {}

  void OnRequest(const Turn& turn, NodeId from, const ReapRequest& request);
  void OnResponse(const Turn& turn, NodeId from, const ReapResponse& response);
  void OnCommit(const Turn& turn, NodeId from, const ReapCommit& commit);

  void Tick(const Turn& turn);
  int64_t NextDeadline() const { return next_us_; }  // mono_us

 private:
  struct Entry {
    Position position;
    uint64_t hash;
  };
  // What may go, on its way through the two rounds.
  struct Batch {
    uint64_t epoch = 0;
    std::vector<Entry> entries;
    int round = 1;
    int64_t due_us = 0;  // of the second round
  };

  void Find(const Turn& turn);
  void Ask(const Turn& turn, Batch batch);
  void Finish(const Turn& turn);
  void Commit(const Turn& turn, const Batch& batch);
  void FinishWhenAllSaidSo(const Turn& turn);
  void Apply(const Turn& turn, const std::vector<Entry>& entries);
  // In multiples of tombstone-min-age.
  std::optional<int64_t> Patience(uint16_t slot) const;
  bool MayGo(const Now& now, const RecordView& record, const Object& object,
             int64_t patience = 1) const;
  bool Votes(const Turn& turn, const Entry& entry) const;
  static void Encode(const std::vector<Entry>& entries, std::string* out);
  static std::optional<std::vector<Entry>> Decode(std::string_view bytes);

  static constexpr size_t kBatchEntries = 1000;
  static constexpr size_t kMaxWaiting = 16;  // batches between the rounds
  static constexpr uint32_t kSliceRecords = 1000;
  static constexpr int64_t kSliceUs = 100'000;
  static constexpr int64_t kMaxPauseUs = 60'000'000;

  NodeContext* context_;
  const Handoff* handoff_;
  // The round that is asked now, and who has not answered.
  std::optional<Batch> asked_;
  std::set<NodeId> silent_;
  uint64_t request_;        // begins anywhere: answers to an earlier start must not fit
  uint64_t own_after_ = 0;  // the sequence that this node's own vote rests on
  int64_t deadline_us_ = 0;
  std::deque<Batch> waiting_;  // for their second round
  // The walk: what it has found and not asked about yet, where it goes on, how much it has met.
  std::vector<Entry> found_;
  Position from_;
  uint64_t met_ = 0;
  int64_t next_us_ = 0;
};

}  // namespace cartwheel
