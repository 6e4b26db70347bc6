// LmdbEngine: the durable engine. A write goes to the log and to an object buffer in memory; a
// checkpoint thread carries full or old buffers into an LMDB tree, and a start replays the log
// behind the last checkpoint. docs/architecture.md, "Storage"; Dynamo, section 6.1, made
// crash-safe.
//
// The loop's thread owns it. Helper threads: one syncs the log, one writes checkpoints; they touch
// nothing but what their headers say, and call options.wake, from their own threads, when
// sequences() or the state may have moved and Flush should be called soon.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "storage/engine.h"
#include "storage/leaf_table.h"
#include "storage/lmdb/checkpointer.h"
#include "storage/lmdb/directory_lock.h"
#include "storage/lmdb/disk_reserve.h"
#include "storage/lmdb/last_run.h"
#include "storage/lmdb/log.h"
#include "storage/lmdb/log_syncer.h"
#include "storage/lmdb/object_buffer.h"
#include "storage/lmdb/posix_file.h"
#include "storage/lmdb/tree.h"

namespace cartwheel {

struct LmdbOptions {
  std::string dir;  // made when missing (its parent must exist); locked while the engine lives
  FsyncPolicy fsync = FsyncPolicy::kEverySecond;
  bool recover = false;                // skip damaged records instead of refusing
  std::function<void()> wake = [] {};  // from helper threads
  uint64_t buffer_bytes = 32 << 20;    // really held, each of two buffers
  uint64_t segment_bytes = 32 << 20;   // preallocated; there are at least two
  uint64_t reserve_bytes = 64 << 20;   // kept free for a full disk
  std::chrono::milliseconds checkpoint_interval{60'000};  // a buffer gets no older
  size_t checkpoint_records = 4096;                       // in one transaction
  uint64_t map_bytes = 1 << 30;           // of address space at first; it doubles as needed
  FileSystem* files = PosixFileSystem();  // under the log
  std::function<void()> before_commit;    // on the checkpoint thread; for crash tests
  std::string boot = ReadBootId();        // of the machine; tests reboot it
};

class LmdbEngine final : public StorageEngine {
 public:
  static Result<std::unique_ptr<LmdbEngine>> Open(LmdbOptions options);
  // Closes; use Close when a failure matters.
  ~LmdbEngine() override;

  // Checkpoints everything and ends the threads: the next start has nothing to replay. On a failure
  // nothing is lost: the log still has it. Nothing else may be called afterwards.
  Result<void> Close();

  // What the start found: records replayed, an unsynced tail cut off, damage that was skipped.
  const ReplayReport& replay() const { return log_->report(); }
  // Why writes that were acknowledged earlier may be missing here, empty when none are. It is said
  // again at the next start, unless Flush was called in between: by then the caller has noted it.
  const std::string& may_have_lost() const { return may_have_lost_; }
  // True when there was no store in the directory.
  bool made_new() const { return made_new_; }

  Result<std::optional<Found>> Get(const Position& position) override;
  uint64_t Put(const Position& position, std::string_view image) override;
  uint64_t Drop(const Position& position) override;
  Result<void> Flush() override;
  Sequences sequences() const override;
  void SyncSoon(uint64_t sequence) override { syncer_->SyncSoon(base_ + sequence); }
  Result<void> Scan(const Position& first, const Position& last,
                    const Visitor& visit) const override;
  uint64_t LeafSum(uint32_t leaf) const override { return leaves_.sum(leaf); }
  uint64_t SumOfLeaves(uint32_t first, uint32_t end) const override {
    return leaves_.SumOf(first, end);
  }
  Result<void> RecountSlot(uint16_t slot) override;
  uint64_t ValueCount(uint32_t db, uint16_t slot) const override { return leaves_.count(db, slot); }
  bool Full() const override { return reserve_->full(); }
  EngineStats stats() const override;

 private:
  using Clock = std::chrono::steady_clock;

  // What is stored under a position now.
  struct Memo {
    Position position;
    RecordHead head;
    bool damaged = false;
  };

  explicit LmdbEngine(LmdbOptions options) : options_(std::move(options)) {}
  Result<void> Start();
  Result<void> StartThreads();
  Result<void> Replay(const LogMark& mark);
  Result<void> JudgeLastRun();
  Result<void> NoteRun(bool closed);

  // Finds the newest image; fills memo_, so that a write that follows does not search again.
  // `settled` is looked into before the tree; nullptr: what the tree itself has is wanted.
  Result<std::optional<Found>> Locate(const Position& position, const ObjectBuffer* settled);
  // Puts the image (empty: a drop) under a sequence of the log.
  void Apply(const Position& position, std::string_view image, uint64_t sequence);
  uint64_t Write(const Position& position, std::string_view image);

  Result<void> Failure();
  Result<void> MoveCheckpoint();
  bool WantsFreeze() const;
  void StartCheckpoint(const LogMark& mark, bool with_spare);
  void Freeze();
  Result<void> Pace();
  Result<void> ServeCheckpointer();
  Result<void> FinishCheckpoint();
  uint64_t OfThisRun(uint64_t log_sequence) const {
    return log_sequence > base_ ? log_sequence - base_ : 0;
  }
  uint64_t synced_log_sequence() const;

  const LmdbOptions options_;
  std::optional<DirectoryLock> lock_;
  std::unique_ptr<Tree> tree_;
  std::unique_ptr<DiskReserve> reserve_;
  std::unique_ptr<Log> log_;
  LeafTable leaves_;
  std::shared_ptr<ObjectBuffer> active_ = std::make_shared<ObjectBuffer>();
  std::shared_ptr<const ObjectBuffer> frozen_;   // a checkpoint writes it
  std::shared_ptr<const ObjectBuffer> settled_;  // in the tree; a search in it is the shorter one
  bool cleaning_ = false;                        // old segments are being removed
  std::optional<Memo> memo_;
  std::set<uint16_t> recounted_;  // slots whose sums in the tree the next checkpoint recounts
  uint64_t base_ = 0;             // the log's last sequence at the start; ours count from there
  uint64_t written_ = 0;          // in the log file
  uint64_t checkpointed_ = 0;     // in the tree
  uint64_t frozen_last_ = 0;      // the frozen buffer's last sequence
  uint64_t records_ = 0;
  uint64_t turn_bytes_ = 0;  // of log since the last Flush
  Clock::time_point active_since_;
  Clock::time_point frozen_since_;
  Clock::time_point last_flush_;
  std::string may_have_lost_;
  bool made_new_ = false;
  bool run_noted_ = false;        // the next start can see that there was this one
  bool dropped_damaged_ = false;  // and so does it this
  Result<void> state_;            // the first failure of ours
  bool closed_ = false;

  // Last: their threads end before anything they use goes.
  std::unique_ptr<LogSyncer> syncer_;
  std::unique_ptr<Checkpointer> checkpointer_;
};

}  // namespace cartwheel
