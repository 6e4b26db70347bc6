// What the tests of the engines share: a scratch directory, a wait for helper threads without
// sleeping, and the check that leaf sums and value counts are what the records say.
#pragma once

#include <gtest/gtest.h>

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
    std::string name = (std::filesystem::temp_directory_path() / "cartwheel-XXXXXX").string();
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

// Leaf sums and value counts equal those computed anew from the records.
inline void CheckSums(const StorageEngine& engine, const RecordMap& records) {
  LeafTable wanted;
  for (const auto& [position, image] : records) wanted.Replace(position, {}, HeadOf(image));
  uint64_t wrong = 0;
  for (uint32_t leaf = 0; leaf < kLeafCount; ++leaf) {
    wrong += engine.LeafSum(leaf) != wanted.sum(leaf);
  }
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    for (uint32_t db = 0; db < 3; ++db) {
      const auto at = static_cast<uint16_t>(slot);
      wrong += engine.ValueCount(db, at) != wanted.count(db, at);
    }
  }
  EXPECT_EQ(wrong, 0u) << "leaf sums or value counts that are off";
}

}  // namespace cartwheel
