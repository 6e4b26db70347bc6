#include "tests/unit/storage/faulty_file_system.h"

#include <algorithm>
#include <set>
#include <utility>

namespace cartwheel {
namespace {

tl::unexpected<Status> Dead(const std::string& path) {
  return Error(ErrorCode::kIo, path + ": injected failure");
}

}  // namespace

class FaultyFile final : public File {
 public:
  using Disk = FaultyFileSystem::Disk;
  using Inode = FaultyFileSystem::Inode;
  using Change = FaultyFileSystem::Change;

  FaultyFile(std::string path, std::shared_ptr<Disk> disk, std::shared_ptr<Inode> inode)
      : path_(std::move(path)), disk_(std::move(disk)), inode_(inode), life_(disk_->life) {}

  Result<void> Write(uint64_t offset, std::string_view bytes) override {
    const std::lock_guard<std::mutex> lock(disk_->mutex);
    if (FaultyFileSystem::Fails(disk_.get(), life_)) {
      const bool first = disk_->calls == disk_->die_at && life_ == disk_->life;
      if (disk_->tear && first) Record({offset, std::string(bytes.substr(0, bytes.size() / 2))});
      return Dead(path_);
    }
    Record({offset, std::string(bytes)});
    return {};
  }

  Result<std::string> ReadAll() override {
    const std::lock_guard<std::mutex> lock(disk_->mutex);
    return inode_->current;
  }

  Result<void> Allocate(uint64_t bytes) override {
    const std::lock_guard<std::mutex> lock(disk_->mutex);
    if (FaultyFileSystem::Fails(disk_.get(), life_)) return Dead(path_);
    uint64_t used = 0;
    for (const auto& [name, inode] : disk_->current) used += inode->current.size();
    const uint64_t more = bytes - std::min<uint64_t>(bytes, inode_->current.size());
    if (used + more > disk_->capacity) return Error(ErrorCode::kFull, path_ + ": no room");
    if (more > 0) Record({bytes, "", true});
    return {};
  }

  Result<void> Truncate(uint64_t bytes) override {
    const std::lock_guard<std::mutex> lock(disk_->mutex);
    if (FaultyFileSystem::Fails(disk_.get(), life_)) return Dead(path_);
    Record({bytes, "", true});
    return {};
  }

  Result<FileIdentity> Identity() override { return FileIdentity(); }

  Result<void> Sync() override {
    const std::lock_guard<std::mutex> lock(disk_->mutex);
    const bool fails = FaultyFileSystem::Fails(disk_.get(), life_);
    if (fails && disk_->calls != disk_->fail_at) return Dead(path_);
    // After a sync that failed the pages count as written, though they are in memory only.
    for (const Change& change : inode_->changes) {
      if (!fails) FaultyFileSystem::Apply(change, &inode_->durable);
    }
    inode_->changes.clear();
    return fails ? Dead(path_) : Result<void>();
  }

 private:
  void Record(Change change) {
    FaultyFileSystem::Apply(change, &inode_->current);
    inode_->changes.push_back(std::move(change));
  }

  const std::string path_;
  const std::shared_ptr<Disk> disk_;
  const std::shared_ptr<Inode> inode_;
  const uint64_t life_;
};

bool FaultyFileSystem::Fails(Disk* disk, uint64_t life) {
  if (life != disk->life) return true;
  ++disk->calls;
  return disk->calls >= disk->die_at || disk->calls == disk->fail_at;
}

void FaultyFileSystem::Apply(const Change& change, std::string* bytes) {
  if (change.resize) {
    bytes->resize(change.offset);
    return;
  }
  const uint64_t end = change.offset + change.bytes.size();
  if (bytes->size() < end) bytes->resize(end);
  bytes->replace(change.offset, change.bytes.size(), change.bytes);
}

void FaultyFileSystem::DieAt(uint64_t call, bool tear) {
  const std::lock_guard<std::mutex> lock(disk_->mutex);
  disk_->die_at = disk_->calls + call;
  disk_->tear = tear;
}

void FaultyFileSystem::FailOnce(uint64_t call) {
  const std::lock_guard<std::mutex> lock(disk_->mutex);
  disk_->fail_at = disk_->calls + call;
}

uint64_t FaultyFileSystem::calls() const {
  const std::lock_guard<std::mutex> lock(disk_->mutex);
  return disk_->calls;
}

void FaultyFileSystem::Revive() {
  const std::lock_guard<std::mutex> lock(disk_->mutex);
  disk_->die_at = disk_->fail_at = UINT64_MAX;
  ++disk_->life;
}

void FaultyFileSystem::LosePower(Random* random) {
  LoseUnsynced(random);
  Revive();
}

void FaultyFileSystem::LosePowerCompletely() {
  LoseUnsynced(nullptr);
  Revive();
}

void FaultyFileSystem::LoseUnsynced(Random* random) {
  const std::lock_guard<std::mutex> lock(disk_->mutex);
  std::set<std::string> names;
  for (const auto& [name, inode] : disk_->current) names.insert(name);
  for (const auto& [name, inode] : disk_->durable) names.insert(name);
  for (const std::string& name : names) {
    const bool keep = random != nullptr && random->Chance(1, 2);
    const Names& from = keep ? disk_->current : disk_->durable;
    const auto found = from.find(name);
    const std::shared_ptr<Inode> inode = found == from.end() ? nullptr : found->second;
    if (inode == nullptr) {
      disk_->current.erase(name);
    } else {
      disk_->current[name] = inode;
    }
  }
  disk_->durable = disk_->current;
  for (const auto& [name, inode] : disk_->current) {
    for (Change& change : inode->changes) {
      const uint64_t fate = random == nullptr ? 0 : random->Below(3);
      if (fate == 0) continue;
      if (fate == 1 && !change.resize) {
        // Sectors of a write reach the disk in any order.
        const uint64_t start = random->Below(change.bytes.size() + 1);
        const uint64_t length = random->Below(change.bytes.size() - start + 1);
        change = {change.offset + start, change.bytes.substr(start, length)};
      }
      Apply(change, &inode->durable);
    }
    inode->changes.clear();
    inode->current = inode->durable;
  }
}

void FaultyFileSystem::SetCapacity(uint64_t bytes) {
  const std::lock_guard<std::mutex> lock(disk_->mutex);
  disk_->capacity = bytes;
}

std::string FaultyFileSystem::Contents(const std::string& path) const {
  const std::lock_guard<std::mutex> lock(disk_->mutex);
  return disk_->current.at(path)->current;
}

void FaultyFileSystem::SetContents(const std::string& path, std::string bytes) {
  const std::lock_guard<std::mutex> lock(disk_->mutex);
  const auto inode = std::make_shared<Inode>();
  inode->durable = inode->current = std::move(bytes);
  disk_->current[path] = disk_->durable[path] = inode;
}

std::vector<std::string> FaultyFileSystem::Paths() const {
  const std::lock_guard<std::mutex> lock(disk_->mutex);
  std::vector<std::string> paths;
  for (const auto& [name, inode] : disk_->current) paths.push_back(name);
  return paths;
}

Result<std::unique_ptr<File>> FaultyFileSystem::Open(const std::string& path, OpenMode mode) {
  const std::lock_guard<std::mutex> lock(disk_->mutex);
  if (mode == OpenMode::kCreate) {
    if (Fails(disk_.get(), disk_->life)) return Dead(path);
    auto& inode = disk_->current[path];
    if (inode == nullptr) {
      inode = std::make_shared<Inode>();
    } else {
      inode->changes.push_back({0, "", true});
      inode->current.clear();
    }
  }
  const auto found = disk_->current.find(path);
  if (found == disk_->current.end()) return Error(ErrorCode::kIo, path + ": does not exist");
  return std::make_unique<FaultyFile>(path, disk_, found->second);
}

Result<std::vector<std::string>> FaultyFileSystem::List(const std::string& directory) {
  const std::lock_guard<std::mutex> lock(disk_->mutex);
  std::vector<std::string> names;
  for (const auto& [name, inode] : disk_->current) {
    if (name.starts_with(directory + "/")) names.push_back(name.substr(directory.size() + 1));
  }
  return names;
}

Result<void> FaultyFileSystem::Remove(const std::string& path) {
  const std::lock_guard<std::mutex> lock(disk_->mutex);
  if (Fails(disk_.get(), disk_->life)) return Dead(path);
  if (disk_->current.erase(path) == 0) return Error(ErrorCode::kIo, path + ": does not exist");
  return {};
}

Result<void> FaultyFileSystem::SyncDirectory(const std::string& directory) {
  const std::lock_guard<std::mutex> lock(disk_->mutex);
  if (Fails(disk_.get(), disk_->life)) return Dead(directory);
  disk_->durable = disk_->current;
  return {};
}

}  // namespace cartwheel
