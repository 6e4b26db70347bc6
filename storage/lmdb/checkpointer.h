// Checkpointer: the thread that writes frozen object buffers into the tree, in order, in synced
// transactions of bounded size; makes the next spare segment before and removes the old segments
// after; and frees buffers, so that the loop never pays for that. All public functions are for the
// loop's thread.
//
//   idle --Start--> writing --(written)--> CleanUp --> cleaning --> idle
//
// While it writes it may need the loop: the map grows only while nobody reads (wants_growth).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "base/status.h"
#include "storage/lmdb/disk_reserve.h"
#include "storage/lmdb/log.h"
#include "storage/lmdb/log_syncer.h"
#include "storage/lmdb/object_buffer.h"
#include "storage/lmdb/tree.h"

namespace cartwheel {

struct CheckpointJob {
  std::shared_ptr<const ObjectBuffer> buffer;
  LogMark mark;                      // once the buffer is written
  std::optional<SegmentPlan> spare;  // to be made first
  std::set<uint16_t> recounted;      // slots whose sums are taken anew from their records
  std::shared_ptr<const ObjectBuffer> retired;  // one that nobody needs any more, freed first
};

struct CheckpointerOptions {
  FileSystem* files = nullptr;
  std::string directory;
  std::function<void()> wake;
  std::function<void()> before_commit;  // may be empty; tests die here
  size_t batch_records = 0;
};

class Checkpointer {
 public:
  Checkpointer(CheckpointerOptions options, Tree* tree, LogSyncer* syncer, DiskReserve* reserve);
  ~Checkpointer();  // leaves a running job after its present transaction
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  enum class Phase : uint8_t { kIdle, kWriting, kWritten, kCleaning };
  Phase phase();
  Result<void> state();
  bool wants_growth();
  void Grown();

  void Start(CheckpointJob job);  // kIdle -> kWriting
  // kWritten -> kCleaning. Frees the buffer when nobody else has it.
  void CleanUp(std::shared_ptr<const ObjectBuffer> buffer);
  std::optional<Segment> TakeSpare();
  // Waits until the phase, the state or wants_growth changes, at most so long.
  void WaitForChange(Phase seen, std::chrono::microseconds limit);

  // Entries of the present buffer that are in the tree.
  uint64_t progress() const { return progress_.load(std::memory_order_relaxed); }
  uint64_t checkpoints() const { return checkpoints_.load(std::memory_order_relaxed); }

 private:
  void Run();
  void Fail(Result<void> failure);
  Result<void> WriteBuffer(LogMark* mark);
  Result<void> MakeSpare(const SegmentPlan& plan);
  Result<void> WriteAll(const CheckpointJob& job);
  Result<void> WriteOne(const Tree::Batch& batch);
  Result<void> RemoveSegments(const LogMark& mark);
  Result<void> WaitForGrowth();
  Result<void> WaitForRoom();
  void SetPhase(Phase phase);

  const CheckpointerOptions options_;
  Tree* const tree_;
  LogSyncer* const syncer_;
  DiskReserve* const reserve_;
  std::atomic<uint64_t> progress_{0};
  std::atomic<uint64_t> checkpoints_{0};

  std::mutex mutex_;  // over all below
  std::condition_variable changed_;
  Phase phase_ = Phase::kIdle;
  CheckpointJob job_;
  std::shared_ptr<const ObjectBuffer> retired_;
  std::optional<Segment> spare_;
  bool wants_growth_ = false;
  bool stop_ = false;
  Result<void> state_;

  std::thread thread_;
};

}  // namespace cartwheel
