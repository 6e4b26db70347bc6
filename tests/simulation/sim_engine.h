// SimEngine: a StorageEngine over a simulated disk. Writes are applied at once, written by Flush,
// and on the disk once the simulation says so (MarkSynced). Crash undoes what a crash would lose:
// what was not flushed, and when the disk loses its tail all that was not synced. Flip damages what
// is stored. It has no time of its own: the world decides how long a sync takes.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/engine.h"

namespace cartwheel::sim {

// When a write counts as stored. kAlways: once synced. kEverySecond: once written.
enum class SyncPolicy : uint8_t { kAlways, kEverySecond };
// What a process that dies takes along: what is not synced, all that its disk had, or what came
// there since it was copied.
enum class Loss : uint8_t { kNothing, kTail, kAll, kSinceCopy };

class SimEngine : public StorageEngine {
 public:
  using PutObserver = std::function<void(const Position&, std::string_view image)>;

  explicit SimEngine(SyncPolicy policy) : policy_(policy) {}

  Result<std::optional<Found>> Get(const Position& position) override;
  uint64_t Put(const Position& position, std::string_view image) override;
  uint64_t Drop(const Position& position) override;
  Result<void> Flush() override;
  Sequences sequences() const override;
  void SyncSoon(uint64_t sequence) override { wanted_ = std::max(wanted_, sequence); }
  Result<void> Scan(const Position& first, const Position& last,
                    const Visitor& visit) const override;
  uint64_t LeafSum(uint32_t leaf) const override;
  uint64_t SumOfLeaves(uint32_t first, uint32_t end) const override;
  // A damaged record keeps its share in the sums until it is dropped or replaced, and then takes
  // all of it away, as with the lmdb engine: they are never wrong.
  Result<void> RecountSlot(uint16_t) override { return {}; }
  uint64_t ValueCount(uint32_t db, uint16_t slot) const override;
  bool Full() const override { return full_; }
  EngineStats stats() const override;

  SyncPolicy policy() const { return policy_; }
  uint64_t written() const { return written_; }
  bool HasUnsynced() const { return synced_ < written_; }
  bool SyncIsWanted() const {
    return policy_ == SyncPolicy::kEverySecond && wanted_ > synced_ && HasUnsynced();
  }
  void MarkSynced(uint64_t sequence);
  // The disk changes a byte of a record that is synced; `choice` says which. Nothing when there is
  // none.
  std::optional<Position> Flip(uint64_t choice);
  void set_full(bool full) { full_ = full; }
  // The disk is copied as it is.
  void Copy() { copy_ = contents_; }
  // The process dies and starts again: sequences begin anew. The hints that it takes along.
  std::vector<std::string> Crash(Loss loss);
  uint64_t hints() const { return contents_.hints; }
  // The record as it was written, whatever the disk made of it; empty: there is none.
  std::string_view Written(const Position& position) const;
  // The same of what is synced.
  std::string_view OnDisk(const Position& position) const;
  bool IsDamaged(const Position& position) const;
  bool HasDamaged() const;
  // Whether a damaged record was dropped since the last call: the next start hears of it.
  bool TakeDroppedDamaged() { return std::exchange(dropped_damaged_, false); }

  void set_put_observer(PutObserver observer) { observer_ = std::move(observer); }
  // Records that are dropped; damaged ones are not told.
  void set_drop_observer(PutObserver observer) { drop_observer_ = std::move(observer); }
  // Every image passes through this after it was observed: how mutants break the engine on purpose.
  void set_put_mutation(std::function<std::string(const Position&, std::string)> mutation) {
    mutation_ = std::move(mutation);
  }

 private:
  struct Stored {
    std::string image;
    uint64_t sequence = 0;
    std::string written = "";  // before the disk changed it; empty: it has not
    const std::string& whole() const { return written.empty() ? image : written; }
  };
  struct Undo {
    uint64_t sequence;
    Position position;
    std::optional<Stored> old;  // what was there before
  };

  void Account(const Position& position, std::string_view image, bool add);

  struct Contents {
    absl::btree_map<Position, Stored> records;
    absl::btree_map<uint32_t, uint64_t> leaf_sums;
    absl::flat_hash_map<uint64_t, uint64_t> value_counts;  // by db << 16 | slot
    uint64_t hints = 0;                                    // of the records
  };

  const SyncPolicy policy_;
  Contents contents_;
  Contents copy_;
  std::deque<Undo> undo_;  // of what is not synced, oldest first
  uint64_t applied_ = 0;
  uint64_t written_ = 0;
  uint64_t synced_ = 0;
  uint64_t wanted_ = 0;  // by SyncSoon
  uint64_t syncs_ = 0;
  bool full_ = false;
  bool dropped_damaged_ = false;
  PutObserver observer_;
  PutObserver drop_observer_;
  std::function<std::string(const Position&, std::string)> mutation_;
};

}  // namespace cartwheel::sim
