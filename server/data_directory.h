// DataDirectory: this node's directory: its lock, and who the node is with the core's control image
// (storage/control_file.h). Blocking calls: at the start, and when the control image changes, which
// is rare.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "cluster/types.h"
#include "storage/control_file.h"

namespace cartwheel {

class DataDirectory {
 public:
  // Makes the directory if need be, locks it for this process, reads who the node is or draws a new
  // id. The error names the directory and what is wrong.
  static Result<DataDirectory> Open(std::string path);
  ~DataDirectory();
  DataDirectory(DataDirectory&& other) noexcept;
  DataDirectory& operator=(DataDirectory&&) = delete;
  DataDirectory(const DataDirectory&) = delete;

  const std::string& path() const { return path_; }
  NodeId id() const { return id_; }
  // The last image that was written, empty at a first start.
  const std::string& control() const { return control_; }

  // Durable when it returns.
  Result<void> WriteControl(std::string_view control);

 private:
  explicit DataDirectory(std::string path);
  Result<void> Lock();
  Result<void> Read();

  std::string path_;
  ControlFile file_;
  int lock_fd_ = -1;
  NodeId id_ = 0;
  std::string control_;
};

// Random bytes from the kernel: node ids, seeds and nonces.
std::string RandomBytes(size_t count);
uint64_t RandomNumber();

}  // namespace cartwheel
