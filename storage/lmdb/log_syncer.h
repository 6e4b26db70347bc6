// LogSyncer: the thread that syncs the log, so that the loop never waits for a disk. One fdatasync
// serves all that was written before it began. A failed sync is final: the pages may be gone.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/status.h"
#include "storage/file.h"

namespace cartwheel {

enum class FsyncPolicy : uint8_t { kAlways, kEverySecond, kNo };

class LogSyncer {
 public:
  // Everything up to `synced` is on the disk already. `wake` is called from the thread after every
  // progress and failure.
  LogSyncer(FsyncPolicy policy, uint64_t synced, std::function<void()> wake);
  ~LogSyncer();  // does not wait for what was not asked for
  LogSyncer(const LogSyncer&) = delete;
  LogSyncer& operator=(const LogSyncer&) = delete;

  // All up to the sequence is written; the newest of it is in `file`.
  void Written(uint64_t sequence, const std::shared_ptr<File>& file);
  // Has it synced now, whatever the policy.
  void SyncSoon(uint64_t sequence);
  // The same, and waits. Any thread but the syncer's.
  Result<void> WaitSynced(uint64_t sequence);

  uint64_t synced() const { return synced_.load(std::memory_order_acquire); }
  uint64_t syncs() const { return syncs_.load(std::memory_order_relaxed); }
  Result<void> state();

 private:
  void Run();
  bool Due() const;
  void SyncOnce(std::unique_lock<std::mutex>* lock);

  const FsyncPolicy policy_;
  const std::function<void()> wake_;
  std::atomic<uint64_t> synced_;
  std::atomic<uint64_t> syncs_{0};
  std::atomic<bool> failed_{false};

  std::mutex mutex_;  // over all below
  std::condition_variable changed_;
  uint64_t written_;
  uint64_t wanted_ = 0;  // by WaitSynced
  std::vector<std::shared_ptr<File>> files_;
  std::chrono::steady_clock::time_point last_sync_;
  Status failure_;
  bool stop_ = false;

  std::thread thread_;
};

}  // namespace cartwheel
