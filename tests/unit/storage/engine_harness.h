// What the tests of the engines share: a scratch directory, a wait for helper threads without
// sleeping, and the check that leaf sums and value counts are what the records say.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "storage/engine.h"
#include "storage/leaf_table.h"
#include "storage/record.h"

namespace cartwheel {

class ScratchDirectory {
 public:
  ScratchDirectory() {
    // In memory where that is possible: LMDB syncs a lot, and no test pulls the plug of the disk.
    const std::filesystem::path memory = "/dev/shm";
    const bool usable = access(memory.c_str(), W_OK) == 0;
    const auto parent = usable ? memory : std::filesystem::temp_directory_path();
    std::string name = (parent / "cartwheel-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no scratch directory " << name;
    path_ = name;
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Stands for the loop: helper threads wake it.
class Waker {
 public:
  void Wake() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ++wakes_;
    }
    changed_.notify_all();
  }

  // Flushes at every wake until `done` holds; false after a failure or a minute.
  template <typename Done>
  bool FlushUntil(StorageEngine* engine, const Done& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (std::chrono::steady_clock::now() < deadline) {
      std::unique_lock<std::mutex> lock(mutex_);
      const uint64_t seen = wakes_;
      lock.unlock();
      if (!engine->Flush()) return false;
      if (done()) return true;
      lock.lock();
      changed_.wait_for(lock, std::chrono::milliseconds(20), [&] { return wakes_ != seen; });
    }
    return false;
  }
  bool FlushUntilStored(StorageEngine* engine) {
    return FlushUntil(
        engine, [engine] { return engine->sequences().stored == engine->sequences().applied; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t wakes_ = 0;
};

using RecordMap = std::map<Position, std::string>;

inline RecordMap AllRecords(const StorageEngine& engine) {
  RecordMap records;
  const auto done = engine.Scan({}, kLastPosition, [&](const Position& at, std::string_view image) {
    EXPECT_TRUE(records.empty() || records.rbegin()->first < at) << "out of order";
    records.emplace(at, image);
    return true;
  });
  EXPECT_TRUE(done);
  return records;
}

// Leaf sums and value counts equal those computed anew from the records (of dbs 0 and 1).
inline void CheckSums(const StorageEngine& engine, const RecordMap& records) {
  std::map<uint32_t, uint64_t> sums;
  std::map<std::pair<uint32_t, uint16_t>, uint64_t> counts;
  for (const auto& [position, image] : records) {
    const RecordHead head = HeadOf(image);
    sums[position.leaf()] += head.version_hash;
    if (head.has_value) ++counts[{head.db, position.slot}];
  }
  std::map<uint32_t, uint64_t> seen_sums;
  for (uint32_t leaf = 0; leaf < kLeafCount; ++leaf) {
    if (const uint64_t sum = engine.LeafSum(leaf); sum != 0) seen_sums[leaf] = sum;
  }
  EXPECT_EQ(seen_sums, sums);
  std::map<std::pair<uint32_t, uint16_t>, uint64_t> seen_counts;
  for (uint32_t db = 0; db < 2; ++db) {
    for (uint32_t at = 0; at < kSlotCount; ++at) {
      const auto slot = static_cast<uint16_t>(at);
      if (const uint64_t n = engine.ValueCount(db, slot); n != 0) seen_counts[{db, slot}] = n;
    }
  }
  EXPECT_EQ(seen_counts, counts);
}

}  // namespace cartwheel
