// FaultyFileSystem: files in memory that remember what a disk would hold: a power loss forgets,
// tears or keeps each thing that was not synced, as a seed decides. Any call that changes something
// can be made to fail, and all after it with it, as if the process had died there. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/random.h"
#include "storage/file.h"

namespace cartwheel {

class FaultyFileSystem final : public FileSystem {
 public:
  FaultyFileSystem() : disk_(std::make_shared<Disk>()) {}

  // The call with this number (1: the next one that changes something) and all after it fail. With
  // `tear` the first half of a failing write reaches the file.
  void DieAt(uint64_t call, bool tear);
  // Only that call fails. A sync that does is the last that hears of what it was to write.
  void FailOnce(uint64_t call);
  uint64_t calls() const;
  // The process is started again: handles of the last one stay dead.
  void Revive();
  // What was not synced is kept, lost or torn. Revives.
  void LosePower(Random* random);
  // Nothing that was not synced is kept. Revives.
  void LosePowerCompletely();
  // How much all files may take; Allocate fails with kFull beyond it.
  void SetCapacity(uint64_t bytes);

  // For tests that damage what is on the disk.
  std::string Contents(const std::string& path) const;
  void SetContents(const std::string& path, std::string bytes);
  std::vector<std::string> Paths() const;

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  Result<std::vector<std::string>> List(const std::string& directory) override;
  Result<void> Remove(const std::string& path) override;
  Result<void> SyncDirectory(const std::string& directory) override;

 private:
  friend class FaultyFile;

  struct Change {  // not synced yet
    uint64_t offset = 0;
    std::string bytes;
    bool resize = false;  // to `offset` bytes
  };
  struct Inode {
    std::string durable;
    std::string current;
    std::vector<Change> changes;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  struct Disk {
    mutable std::mutex mutex;
    Names current;
    Names durable;
    uint64_t calls = 0;
    uint64_t die_at = UINT64_MAX;
    uint64_t fail_at = UINT64_MAX;
    bool tear = false;
    uint64_t life = 0;  // handles of earlier ones are dead
    uint64_t capacity = UINT64_MAX;
  };

  static bool Fails(Disk* disk, uint64_t life);
  static void Apply(const Change& change, std::string* bytes);
  void LoseUnsynced(Random* random);

  std::shared_ptr<Disk> disk_;
};

}  // namespace cartwheel
