// A durable engine in a directory of its own, and keys to put into it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/lmdb/lmdb_engine.h"
#include "tests/unit/storage/engine_harness.h"
#include "tests/unit/storage/records.h"

namespace cartwheel {

class LmdbEngineTest : public testing::Test {
 protected:
  LmdbOptions Options() {
    LmdbOptions options;
    options.dir = directory_.path();
    options.wake = [this] { waker_.Wake(); };
    options.segment_bytes = 256 << 10;
    options.reserve_bytes = 64 << 10;
    return options;
  }
  static std::unique_ptr<LmdbEngine> Open(LmdbOptions options) {
    auto engine = LmdbEngine::Open(std::move(options));
    EXPECT_TRUE(engine) << engine.error().message;
    return engine ? std::move(*engine) : nullptr;
  }
  static void Put(StorageEngine* engine, int number, uint64_t version, size_t bytes = 40) {
    const std::string key = "key" + std::to_string(number);
    engine->Put(TestPosition(key), TestRecord(key, version, std::string(bytes, 'v')));
  }
  static std::vector<std::filesystem::path> Segments(const std::filesystem::path& directory) {
    std::vector<std::filesystem::path> segments;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      if (entry.path().filename().string().starts_with("log-")) segments.push_back(entry.path());
    }
    std::sort(segments.begin(), segments.end());
    return segments;
  }

  ScratchDirectory directory_;
  Waker waker_;
};

}  // namespace cartwheel
