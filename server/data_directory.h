// DataDirectory: this node's directory: its lock, and the file `node`, which holds who the node is
// and the core's control image. Blocking calls: at the start, and when the control image changes,
// which is rare.
//
//   node := "CARTWHEEL NODE 1\n" id:fixed64 checksum:fixed64 control
//
// checksum is XXH3 over the control image, seeded with the id.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "cluster/types.h"

namespace cartwheel {

class DataDirectory {
 public:
  // Makes the directory if need be, locks it for this process, reads the node file or draws a new
  // node id. The error names the directory and what is wrong.
  static Result<DataDirectory> Open(std::string path);
  ~DataDirectory();
  DataDirectory(DataDirectory&& other) noexcept;
  DataDirectory& operator=(DataDirectory&&) = delete;
  DataDirectory(const DataDirectory&) = delete;

  const std::string& path() const { return path_; }
  NodeId id() const { return id_; }
  // The last image that was written, empty at a first start.
  const std::string& control() const { return control_; }

  // Durable when it returns: written beside, synced, renamed, the directory synced.
  Result<void> WriteControl(std::string_view control);

 private:
  explicit DataDirectory(std::string path) : path_(std::move(path)) {}
  Result<void> Lock();
  Result<void> ReadNodeFile();

  std::string path_;
  int lock_fd_ = -1;
  int directory_fd_ = -1;
  NodeId id_ = 0;
  std::string control_;
};

// Random bytes from the kernel: node ids, seeds and nonces.
std::string RandomBytes(size_t count);
uint64_t RandomNumber();

}  // namespace cartwheel
