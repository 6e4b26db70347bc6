#include "storage/lmdb/log_syncer.h"

#include <algorithm>
#include <utility>

namespace cartwheel {
namespace {

constexpr std::chrono::seconds kSyncInterval{1};

}  // namespace

LogSyncer::LogSyncer(FsyncPolicy policy, uint64_t synced, std::function<void()> wake)
    : policy_(policy),
      wake_(std::move(wake)),
      synced_(synced),
      written_(synced),
      last_sync_(std::chrono::steady_clock::now()),
      thread_([this] { Run(); }) {}

LogSyncer::~LogSyncer() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void LogSyncer::Written(uint64_t sequence, const std::shared_ptr<File>& file) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    // The thread of everysec sleeps without a deadline while all is synced; and whoever asked for
    // this soon may have asked before it was written.
    const bool must_wake = policy_ == FsyncPolicy::kAlways || wanted_ > synced_ ||
                           (policy_ == FsyncPolicy::kEverySecond && written_ == synced_);
    written_ = sequence;
    if (files_.empty() || files_.back() != file) files_.push_back(file);
    if (!must_wake) return;
  }
  changed_.notify_all();
}

void LogSyncer::SyncSoon(uint64_t sequence) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (wanted_ >= sequence) return;
    wanted_ = sequence;
  }
  changed_.notify_all();
}

Result<void> LogSyncer::WaitSynced(uint64_t sequence) {
  std::unique_lock<std::mutex> lock(mutex_);
  wanted_ = std::max(wanted_, sequence);
  changed_.notify_all();
  changed_.wait(lock, [&] { return synced_ >= sequence || failed_; });
  if (failed_) return tl::unexpected(failure_);
  return {};
}

Result<void> LogSyncer::state() {
  if (!failed_.load(std::memory_order_relaxed)) return {};
  const std::lock_guard<std::mutex> lock(mutex_);
  return tl::unexpected(failure_);
}

bool LogSyncer::Due() const {
  if (written_ == synced_) return false;
  return policy_ == FsyncPolicy::kAlways || wanted_ > synced_ ||
         (policy_ == FsyncPolicy::kEverySecond &&
          std::chrono::steady_clock::now() - last_sync_ >= kSyncInterval);
}

void LogSyncer::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop_ && !failed_) {
    if (Due()) {
      SyncOnce(&lock);
    } else if (policy_ == FsyncPolicy::kEverySecond && written_ != synced_) {
      changed_.wait_until(lock, last_sync_ + kSyncInterval);
    } else {
      changed_.wait(lock);
    }
  }
}

void LogSyncer::SyncOnce(std::unique_lock<std::mutex>* lock) {
  const uint64_t target = written_;
  const std::vector<std::shared_ptr<File>> files = std::exchange(files_, {});
  last_sync_ = std::chrono::steady_clock::now();
  lock->unlock();
  Result<void> done;
  for (const auto& file : files) {
    done = file->Sync();
    if (!done) break;
  }
  lock->lock();
  if (done) {
    synced_.store(target, std::memory_order_release);
    ++syncs_;
  } else {
    failure_ = done.error();
    failed_ = true;
  }
  changed_.notify_all();
  lock->unlock();
  wake_();
  lock->lock();
}

}  // namespace cartwheel
