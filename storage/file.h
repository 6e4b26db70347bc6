// File and FileSystem: all that the log and the control file do to a disk goes through these, so
// that tests can tear writes, forget what was not synced and fail any call. What else touches files
// of the data directory is LMDB itself and the locks. Both may be used from several threads at
// once. Errors: kFull when there is no room, else kIo; the message names the path.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cartwheel {

struct FileIdentity {
  uint64_t inode = 0;
  // Its time of modification was set, and is not that of its last change: cp -a, tar and rsync do.
  bool set_back = false;
};

class File {
 public:
  virtual ~File() = default;

  virtual Result<void> Write(uint64_t offset, std::string_view bytes) = 0;
  virtual Result<std::string> ReadAll() = 0;
  // Makes the file at least `bytes` long, the new part zeros with room on the disk behind them:
  // writes into it never meet a full disk.
  virtual Result<void> Allocate(uint64_t bytes) = 0;
  virtual Result<void> Truncate(uint64_t bytes) = 0;
  // What tells this file from a copy that was put in its place.
  virtual Result<FileIdentity> Identity() = 0;
  // What was written before the call is on the disk after it (fdatasync).
  virtual Result<void> Sync() = 0;
};

enum class OpenMode { kExisting, kCreate };  // kCreate empties what exists

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  virtual Result<std::vector<std::string>> List(const std::string& directory) = 0;  // names, sorted
  virtual Result<void> Remove(const std::string& path) = 0;
  // Files made or removed in the directory before the call stay so after a power loss.
  virtual Result<void> SyncDirectory(const std::string& directory) = 0;
};

}  // namespace cartwheel
