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
#include "base/hash.h"

namespace cartwheel {
namespace {

constexpr std::string_view kMagic = "CARTWHEEL NODE 1\n";
constexpr size_t kHeadBytes = kMagic.size() + 16;

tl::unexpected<Status> Failed(const std::string& path, std::string_view what) {
  const char* const why = std::strerror(errno);
  return Error(ErrorCode::kIo, fmt::format("{}: {}: {}", path, what, why));
}

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

Result<std::string> ReadAll(int fd, const std::string& path) {
  std::string bytes;
  char buffer[1 << 16];
  while (true) {
    const ssize_t count = read(fd, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failed(path, "cannot be read");
    if (count == 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(count));
  }
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
  Result<void> read = directory.ReadNodeFile();
  if (!read) return tl::unexpected(std::move(read.error()));
  return directory;
}

DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : path_(std::move(other.path_)),
      lock_fd_(std::exchange(other.lock_fd_, -1)),
      directory_fd_(std::exchange(other.directory_fd_, -1)),
      id_(other.id_),
      control_(std::move(other.control_)) {}

DataDirectory::~DataDirectory() {
  if (lock_fd_ >= 0) close(lock_fd_);
  if (directory_fd_ >= 0) close(directory_fd_);
}

Result<void> DataDirectory::Lock() {
  directory_fd_ = open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory_fd_ < 0) return Failed(path_, "option 'dir': cannot be opened");
  lock_fd_ = openat(directory_fd_, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_fd_ < 0) return Failed(path_, "option 'dir': cannot be written");
  if (flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Failed(path_, "option 'dir': cannot be locked");
    return Error(ErrorCode::kIo,
                 fmt::format("option 'dir': bad value '{}': another process uses it", path_));
  }
  return {};
}

Result<void> DataDirectory::ReadNodeFile() {
  const std::string path = path_ + "/node";
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno != ENOENT) return Failed(path, "cannot be opened");
    while (id_ == 0) id_ = RandomNumber();
    return {};
  }
  const Result<std::string> bytes = ReadAll(fd, path);
  close(fd);
  if (!bytes) return tl::unexpected(bytes.error());
  const auto damaged = [&] { return Error(ErrorCode::kCorrupt, path + ": it is damaged"); };
  if (bytes->size() < kHeadBytes || !bytes->starts_with(kMagic)) return damaged();
  id_ = GetFixed64(bytes->data() + kMagic.size());
  control_ = bytes->substr(kHeadBytes);
  const uint64_t checksum = GetFixed64(bytes->data() + kMagic.size() + 8);
  if (id_ == 0 || checksum != Hash64(control_, id_)) return damaged();
  return {};
}

Result<void> DataDirectory::WriteControl(std::string_view control) {
  std::string bytes(kMagic);
  PutFixed64(&bytes, id_);
  PutFixed64(&bytes, Hash64(control, id_));
  bytes.append(control);
  const std::string path = path_ + "/node";
  const int fd = openat(directory_fd_, "node.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return Failed(path, "cannot be written");
  const bool written = WriteAll(fd, bytes) && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  errno = error;
  if (!written || renameat(directory_fd_, "node.new", directory_fd_, "node") != 0 ||
      fsync(directory_fd_) != 0) {
    return Failed(path, "cannot be written");
  }
  control_ = control;
  return {};
}

}  // namespace cartwheel
