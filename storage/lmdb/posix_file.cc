#include "storage/lmdb/posix_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace cartwheel {
namespace {

tl::unexpected<Status> SystemError(const std::string& path, const char* action) {
  const int error = errno;
  const ErrorCode code = error == ENOSPC || error == EDQUOT ? ErrorCode::kFull : ErrorCode::kIo;
  return Error(code, path + ": " + action + ": " + std::strerror(error));
}

class PosixFile final : public File {
 public:
  PosixFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;
  ~PosixFile() override { ::close(descriptor_); }

  Result<void> Write(uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written =
          ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return SystemError(path_, "cannot write");
      bytes.remove_prefix(static_cast<size_t>(written));
      offset += static_cast<uint64_t>(written);
    }
    return {};
  }

  Result<std::string> ReadAll() override {
    struct stat info;
    if (::fstat(descriptor_, &info) != 0) return SystemError(path_, "cannot read");
    std::string bytes(static_cast<size_t>(info.st_size), '\0');
    size_t have = 0;
    while (have < bytes.size()) {
      const ssize_t count =
          ::pread(descriptor_, bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return SystemError(path_, "cannot read");
      if (count == 0) break;
      have += static_cast<size_t>(count);
    }
    bytes.resize(have);
    return bytes;
  }

  Result<void> Allocate(uint64_t bytes) override {
    while (::fallocate(descriptor_, 0, 0, static_cast<off_t>(bytes)) != 0) {
      if (errno == EINTR) continue;
      // Some file systems cannot reserve; there a full disk is met while writing.
      if (errno == EOPNOTSUPP) return Extend(bytes);
      return SystemError(path_, "cannot reserve room");
    }
    return {};
  }

  Result<void> Truncate(uint64_t bytes) override {
    if (::ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) {
      return SystemError(path_, "cannot truncate");
    }
    return {};
  }

  Result<FileIdentity> Identity() override {
    struct stat info;
    if (::fstat(descriptor_, &info) != 0) return SystemError(path_, "cannot be looked at");
    const bool set_back =
        info.st_mtim.tv_sec != info.st_ctim.tv_sec || info.st_mtim.tv_nsec != info.st_ctim.tv_nsec;
    return FileIdentity{static_cast<uint64_t>(info.st_ino), set_back};
  }

  Result<void> Sync() override {
    if (::fdatasync(descriptor_) != 0) return SystemError(path_, "cannot sync");
    return {};
  }

 private:
  Result<void> Extend(uint64_t bytes) {
    struct stat info;
    if (::fstat(descriptor_, &info) != 0) return SystemError(path_, "cannot read the size");
    return static_cast<uint64_t>(info.st_size) >= bytes ? Result<void>() : Truncate(bytes);
  }

  const std::string path_;
  const int descriptor_;
};

class PosixFiles final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    const int flags = O_RDWR | O_CLOEXEC | (mode == OpenMode::kCreate ? O_CREAT | O_TRUNC : 0);
    const int descriptor = ::open(path.c_str(), flags, 0600);
    if (descriptor < 0) return SystemError(path, "cannot open");
    return std::make_unique<PosixFile>(path, descriptor);
  }

  Result<std::vector<std::string>> List(const std::string& directory) override {
    DIR* stream = ::opendir(directory.c_str());
    if (stream == nullptr) return SystemError(directory, "cannot list");
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(stream)) names.emplace_back(entry->d_name);
    ::closedir(stream);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<void> Remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return SystemError(path, "cannot remove");
    return {};
  }

  Result<void> SyncDirectory(const std::string& directory) override {
    const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return SystemError(directory, "cannot open");
    const bool synced = ::fsync(descriptor) == 0;
    const int error = errno;
    ::close(descriptor);
    errno = error;
    if (!synced) return SystemError(directory, "cannot sync");
    return {};
  }
};

}  // namespace

FileSystem* PosixFileSystem() {
  static PosixFiles files;
  return &files;
}

}  // namespace cartwheel
