// A shim for LD_PRELOAD that remembers what a disk would not have yet. For the files under
// $POWER_LOSS_DIR every write, change of size, creation, removal and renaming is noted in the file
// $POWER_LOSS_JOURNAL, with the bytes before and after, and every sync as well; power_loss.py
// undoes or tears after a kill -9 what no sync had reached. O_DSYNC writes count as synced.
//
//   journal := entry*
//   entry   := kind:u8 file:u32 a:u64 b:u64 old:u64 new:u64 bytes   (old + new bytes)
//     'F' a file: its path in `new`                     'W' a write at a, size before b
//     'R' a size: a now, b before; what was cut in old  'S' file synced up to the entry with number
//     a 'C' made, 'U' removed (kept as link a in $POWER_LOSS_JOURNAL.d), 'M' renamed to `new` (what
//     that was before is link a, if a is not 0)         'D' the names up to entry a are synced
// `old` and `new` with their highest bit set are that many zeros, which are not written out.
//
// For tests of failures: while $POWER_LOSS_JOURNAL.fail holds one of these words, calls fail:
//   full: no room when something is to be allocated;  sync: syncing;  read: pread.
// $POWER_LOSS_BOOT names a file that is read instead of the kernel's boot id; with
// $POWER_LOSS_LIES=1 the disk lies: syncs are not noted.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace {

constexpr uint64_t kZeros = 1ULL << 63;

template <typename Function>
Function* Real(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}
#define REAL(name) Real(&name, #name)

struct Shim {
  std::recursive_mutex mutex;
  std::string directory;
  std::string journal_path;
  int journal = -1;
  bool lies = false;
  uint64_t entries = 0;
  uint64_t links = 0;
  uint32_t files = 0;
  std::map<int, uint32_t> numbers;  // by descriptor
  std::map<ino_t, uint32_t> known;  // by inode
  std::map<int, bool> directories;  // open ones under ours

  Shim() {
    const char* const dir = getenv("POWER_LOSS_DIR");
    const char* const path = getenv("POWER_LOSS_JOURNAL");
    if (dir == nullptr || path == nullptr) return;
    directory = dir;
    journal_path = path;
    lies = getenv("POWER_LOSS_LIES") != nullptr;
    journal = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
};

Shim& TheShim() {
  static Shim* const shim = new Shim;  // outlives all that still writes
  return *shim;
}

bool IsZero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

void Note(char kind, uint32_t file, uint64_t a, uint64_t b, std::string_view old_bytes,
          std::string_view new_bytes) {
  Shim& shim = TheShim();
  const auto length = [](std::string_view bytes) {
    return bytes.size() | (!bytes.empty() && IsZero(bytes) ? kZeros : 0);
  };
  std::string entry(1, kind);
  const auto put = [&entry](const auto& value) {
    entry.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  put(file);
  put(a);
  put(b);
  put(length(old_bytes));
  put(length(new_bytes));
  if (!IsZero(old_bytes)) entry += old_bytes;
  if (!IsZero(new_bytes)) entry += new_bytes;
  ++shim.entries;
  if (REAL(write)(shim.journal, entry.data(), entry.size()) != static_cast<ssize_t>(entry.size())) {
    abort();  // a test that knows half of it would lie
  }
}

bool Fails(std::string_view what) {
  Shim& shim = TheShim();
  if (shim.journal < 0) return false;
  const int fd = REAL(open)((shim.journal_path + ".fail").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char word[16] = "";
  const ssize_t count = REAL(read)(fd, word, sizeof(word) - 1);
  close(fd);
  return count > 0 && what == std::string_view(word, static_cast<size_t>(count));
}

std::string Absolute(int at, const char* path) {
  if (path[0] == '/') return path;
  char base[4096] = "";
  if (at == AT_FDCWD) {
    if (getcwd(base, sizeof(base)) == nullptr) return path;
  } else {
    const std::string link = "/proc/self/fd/" + std::to_string(at);
    const ssize_t count = readlink(link.c_str(), base, sizeof(base) - 1);
    if (count > 0) base[count] = '\0';
  }
  return std::string(base) + "/" + path;
}

bool Ours(const std::string& path) {
  const Shim& shim = TheShim();
  return shim.journal >= 0 && path.starts_with(shim.directory + "/");
}

// The number of the file behind a descriptor, 0: not one of ours.
uint32_t FileOf(int fd) {
  Shim& shim = TheShim();
  const auto found = shim.numbers.find(fd);
  return found == shim.numbers.end() ? 0 : found->second;
}

std::string Bytes(int fd, uint64_t offset, uint64_t count) {
  std::string bytes(count, '\0');
  const ssize_t got = REAL(pread)(fd, bytes.data(), count, static_cast<off_t>(offset));
  bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return bytes;
}

uint64_t SizeOf(int fd) {
  struct stat info {};
  fstat(fd, &info);
  return static_cast<uint64_t>(info.st_size);
}

void NoteWrite(int fd, uint64_t offset, std::string_view bytes) {
  const uint32_t file = FileOf(fd);
  // The meta page's descriptor of LMDB: what it writes is on the disk when the call returns.
  if (file == 0 || (fcntl(fd, F_GETFL) & O_DSYNC) != 0) return;
  Note('W', file, offset, SizeOf(fd), Bytes(fd, offset, bytes.size()), bytes);
}

void NoteResize(int fd, uint64_t bytes) {
  const uint32_t file = FileOf(fd);
  if (file == 0) return;
  const uint64_t before = SizeOf(fd);
  if (before == bytes) return;
  Note('R', file, bytes, before, bytes < before ? Bytes(fd, bytes, before - bytes) : "", "");
}

void Opened(int fd, const std::string& path, bool existed, uint64_t size_before,
            const std::string& cut) {
  Shim& shim = TheShim();
  struct stat info {};
  fstat(fd, &info);
  if (S_ISDIR(info.st_mode)) {
    shim.directories[fd] = true;
    return;
  }
  if (!existed) shim.known.erase(info.st_ino);
  uint32_t& number = shim.known[info.st_ino];
  if (number == 0) {
    number = ++shim.files;
    Note('F', number, 0, 0, "", path);
  }
  if (!existed) Note('C', number, 0, 0, "", path);
  if (existed && size_before > info.st_size + uint64_t{0} && info.st_size == 0) {
    Note('R', number, 0, size_before, cut, "");
  }
  shim.numbers[fd] = number;
}

template <typename Open>
int OpenNoted(int at, const char* name, int flags, const Open& open_it) {
  Shim& shim = TheShim();
  const std::string path = Absolute(at, name);
  if (!Ours(path)) return open_it(name);
  const std::lock_guard<std::recursive_mutex> lock(shim.mutex);
  struct stat before {};
  const bool existed = stat(path.c_str(), &before) == 0;
  std::string cut;
  if (existed && (flags & O_TRUNC) != 0 && before.st_size > 0) {
    const int old = REAL(open)(path.c_str(), O_RDONLY | O_CLOEXEC);
    cut = Bytes(old, 0, static_cast<uint64_t>(before.st_size));
    close(old);
  }
  const int fd = open_it(name);
  const int error = errno;
  if (fd >= 0) Opened(fd, path, existed, static_cast<uint64_t>(before.st_size), cut);
  errno = error;
  return fd;
}

mode_t ModeOf(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

const char* Redirected(const char* name) {
  if (strcmp(name, "/proc/sys/kernel/random/boot_id") != 0) return name;
  const char* const boot = getenv("POWER_LOSS_BOOT");
  return boot != nullptr ? boot : name;
}

template <typename Call>
ssize_t WriteNoted(int fd, const struct iovec* parts, int count, off_t offset, const Call& call) {
  Shim& shim = TheShim();
  if (shim.journal < 0) return call();
  std::unique_lock<std::recursive_mutex> lock(shim.mutex);
  if (FileOf(fd) == 0) {
    lock.unlock();
    return call();
  }
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  }
  if (offset < 0) offset = lseek(fd, 0, SEEK_CUR);
  const auto end = static_cast<uint64_t>(offset) + bytes.size();
  if (end > SizeOf(fd) && Fails("full")) {
    errno = ENOSPC;
    return -1;
  }
  NoteWrite(fd, static_cast<uint64_t>(offset), bytes);
  return call();
}

template <typename Call>
int SyncNoted(int fd, const Call& call) {
  Shim& shim = TheShim();
  std::unique_lock<std::recursive_mutex> lock(shim.mutex);
  const uint32_t file = FileOf(fd);
  const bool names = shim.directories.contains(fd);
  // Only what was written before the call is on the disk after it.
  const uint64_t reached = shim.entries;
  lock.unlock();
  if (file == 0 && !names) return call();
  if (Fails("sync")) {
    errno = EIO;
    return -1;
  }
  const int result = call();
  lock.lock();
  if (result == 0 && !shim.lies) Note(names ? 'D' : 'S', file, reached, 0, "", "");
  return result;
}

// Keeps what a name stands for now: its number, 0 when there is nothing.
uint64_t KeepLink(const std::string& path) {
  Shim& shim = TheShim();
  const std::string to = shim.journal_path + ".d/" + std::to_string(shim.links + 1);
  if (link(path.c_str(), to.c_str()) != 0) return 0;
  return ++shim.links;
}

template <typename Call>
int RenameNoted(const std::string& from, const std::string& to, const Call& call) {
  Shim& shim = TheShim();
  if (!Ours(from) || !Ours(to)) return call();
  const std::lock_guard<std::recursive_mutex> lock(shim.mutex);
  const uint64_t kept = KeepLink(to);
  const int result = call();
  if (result == 0) Note('M', 0, kept, 0, "", from + '\n' + to);
  return result;
}

template <typename Call>
int UnlinkNoted(const std::string& path, const Call& call) {
  Shim& shim = TheShim();
  if (!Ours(path)) return call();
  const std::lock_guard<std::recursive_mutex> lock(shim.mutex);
  const uint64_t kept = KeepLink(path);
  const int result = call();
  if (result == 0) Note('U', 0, kept, 0, "", path);
  return result;
}

int AllocateNoted(int fd, off_t offset, off_t bytes, int (*real)(int, int, off_t, off_t)) {
  Shim& shim = TheShim();
  const std::lock_guard<std::recursive_mutex> lock(shim.mutex);
  const auto end = static_cast<uint64_t>(offset + bytes);
  if (FileOf(fd) != 0 && end > SizeOf(fd)) {
    if (Fails("full")) {
      errno = ENOSPC;
      return -1;
    }
    NoteResize(fd, end);
  }
  return real(fd, 0, offset, bytes);
}

}  // namespace

// libc's functions, in the forms that programs on Linux call.
extern "C" {

#define DEFINE_OPEN(name)                                                                \
  int name(const char* path, int flags, ...) {                                           \
    va_list arguments;                                                                   \
    va_start(arguments, flags);                                                          \
    const mode_t mode = ModeOf(flags, arguments);                                        \
    va_end(arguments);                                                                   \
    return OpenNoted(AT_FDCWD, Redirected(path), flags,                                  \
                     [&](const char* name_) { return REAL(name)(name_, flags, mode); }); \
  }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

int openat(int at, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  return OpenNoted(at, path, flags,
                   [&](const char* name) { return REAL(openat)(at, name, flags, mode); });
}

int close(int fd) {
  Shim& shim = TheShim();
  const std::lock_guard<std::recursive_mutex> lock(shim.mutex);
  shim.numbers.erase(fd);
  shim.directories.erase(fd);
  return REAL(close)(fd);
}

ssize_t write(int fd, const void* bytes, size_t count) {
  const iovec part{const_cast<void*>(bytes), count};
  return WriteNoted(fd, &part, 1, -1, [&] { return REAL(write)(fd, bytes, count); });
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  return WriteNoted(fd, parts, count, -1, [&] { return REAL(writev)(fd, parts, count); });
}

#define DEFINE_PWRITE(name)                                                                        \
  ssize_t name(int fd, const void* bytes, size_t count, off_t offset) {                            \
    const iovec part{const_cast<void*>(bytes), count};                                             \
    return WriteNoted(fd, &part, 1, offset, [&] { return REAL(name)(fd, bytes, count, offset); }); \
  }
DEFINE_PWRITE(pwrite)
DEFINE_PWRITE(pwrite64)

#define DEFINE_PWRITEV(name)                                                 \
  ssize_t name(int fd, const struct iovec* parts, int count, off_t offset) { \
    return WriteNoted(fd, parts, count, offset,                              \
                      [&] { return REAL(name)(fd, parts, count, offset); }); \
  }
DEFINE_PWRITEV(pwritev)
DEFINE_PWRITEV(pwritev64)

#define DEFINE_PREAD(name)                                        \
  ssize_t name(int fd, void* bytes, size_t count, off_t offset) { \
    if (FileOf(fd) != 0 && Fails("read")) {                       \
      errno = EIO;                                                \
      return -1;                                                  \
    }                                                             \
    return REAL(name)(fd, bytes, count, offset);                  \
  }
DEFINE_PREAD(pread)
DEFINE_PREAD(pread64)

#define DEFINE_FTRUNCATE(name)                                    \
  int name(int fd, off_t bytes) noexcept {                        \
    Shim& shim = TheShim();                                       \
    const std::lock_guard<std::recursive_mutex> lock(shim.mutex); \
    NoteResize(fd, static_cast<uint64_t>(bytes));                 \
    return REAL(name)(fd, bytes);                                 \
  }
DEFINE_FTRUNCATE(ftruncate)
DEFINE_FTRUNCATE(ftruncate64)

int fallocate(int fd, int, off_t offset, off_t bytes) {
  return AllocateNoted(fd, offset, bytes, REAL(fallocate));
}
int fallocate64(int fd, int, off_t offset, off_t bytes) {
  return AllocateNoted(fd, offset, bytes, REAL(fallocate64));
}

int fdatasync(int fd) {
  return SyncNoted(fd, [fd] { return REAL(fdatasync)(fd); });
}
int fsync(int fd) {
  return SyncNoted(fd, [fd] { return REAL(fsync)(fd); });
}

int rename(const char* from, const char* to) noexcept {
  return RenameNoted(Absolute(AT_FDCWD, from), Absolute(AT_FDCWD, to),
                     [&] { return REAL(rename)(from, to); });
}
int renameat(int from_at, const char* from, int to_at, const char* to) noexcept {
  return RenameNoted(Absolute(from_at, from), Absolute(to_at, to),
                     [&] { return REAL(renameat)(from_at, from, to_at, to); });
}
int unlink(const char* path) noexcept {
  return UnlinkNoted(Absolute(AT_FDCWD, path), [&] { return REAL(unlink)(path); });
}
int unlinkat(int at, const char* path, int flags) noexcept {
  return UnlinkNoted(Absolute(at, path), [&] { return REAL(unlinkat)(at, path, flags); });
}
}
