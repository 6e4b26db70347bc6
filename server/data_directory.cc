#include "server/data_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "storage/lmdb/posix_file.h"

namespace cartwheel {
namespace {

tl::unexpected<Status> Failed(const std::string& path, std::string_view what) {
  const char* const why = std::strerror(errno);
  return Error(ErrorCode::kIo, fmt::format("{}: {}: {}", path, what, why));
}

}  // namespace

std::string RandomBytes(size_t count) {
  std::string bytes(count, '\0');
  CHECK(count <= 256);  // up to here getrandom gives all or nothing
  CHECK(getrandom(bytes.data(), count, 0) == static_cast<ssize_t>(count));
  return bytes;
}

uint64_t RandomNumber() { return GetFixed64(RandomBytes(8).data()); }

Result<DataDirectory> DataDirectory::Open(std::string path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return Error(ErrorCode::kIo, fmt::format("option 'dir': bad value '{}': cannot be made: {}",
                                             path, error.message()));
  }
  DataDirectory directory(std::move(path));
  Result<void> locked = directory.Lock();
  if (!locked) return tl::unexpected(std::move(locked.error()));
  Result<void> read = directory.Read();
  if (!read) return tl::unexpected(std::move(read.error()));
  return directory;
}

DataDirectory::DataDirectory(std::string path)
    : path_(std::move(path)), file_(PosixFileSystem(), path_) {}

DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::move(other.file_)),
      lock_fd_(std::exchange(other.lock_fd_, -1)),
      id_(other.id_),
      control_(std::move(other.control_)) {}

DataDirectory::~DataDirectory() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

Result<void> DataDirectory::Lock() {
  lock_fd_ = open((path_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_fd_ < 0) return Failed(path_, "option 'dir': cannot be written");
  if (flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Failed(path_, "option 'dir': cannot be locked");
    return Error(ErrorCode::kIo,
                 fmt::format("option 'dir': bad value '{}': another process uses it", path_));
  }
  return {};
}

Result<void> DataDirectory::Read() {
  const Result<std::string> bytes = file_.Read();
  if (!bytes) return tl::unexpected(bytes.error());
  if (bytes->empty()) {
    while (id_ == 0) id_ = RandomNumber();
    return {};
  }
  id_ = GetFixed64(bytes->data());
  control_ = bytes->substr(8);
  return {};
}

Result<void> DataDirectory::WriteControl(std::string_view control) {
  std::string bytes;
  PutFixed64(&bytes, id_);
  bytes.append(control);
  if (auto done = file_.Write(bytes); !done) return done;
  control_ = control;
  return {};
}

}  // namespace cartwheel
