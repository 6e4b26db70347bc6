// DirectoryLock: one process per data directory, by flock on a file LOCK in it. Held until
// destroyed; the kernel lets go of it when the process ends, however it ends.
#pragma once

#include <string>

#include "base/status.h"

namespace cartwheel {

class DirectoryLock {
 public:
  static Result<DirectoryLock> Take(const std::string& directory);
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace cartwheel
