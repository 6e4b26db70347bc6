// DiskReserve: a file that only takes up room. When the disk is full it is given up, so that the
// log and the checkpoints have room for what was already accepted, and new values are refused until
// it could be made again. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "base/status.h"
#include "storage/file.h"

namespace cartwheel {

class DiskReserve {
 public:
  DiskReserve(FileSystem* files, std::string directory, uint64_t bytes)
      : files_(files), directory_(std::move(directory)), bytes_(bytes) {}

  // Makes the file. No room for it is no error: full() says so.
  Result<void> Restore();
  void GiveUp();
  bool full() const { return full_.load(std::memory_order_relaxed); }
  uint64_t bytes() const { return full() ? 0 : bytes_; }

 private:
  std::string path() const { return directory_ + "/reserve"; }

  FileSystem* const files_;
  const std::string directory_;
  const uint64_t bytes_;
  std::mutex mutex_;  // over the file
  std::atomic<bool> full_{true};
};

}  // namespace cartwheel
