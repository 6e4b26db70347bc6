// What only the durable engine does: crash between checkpoint transactions, refuse what it must
// not open, bound its memory, live through a full disk, die of a failed sync.
#include "storage/lmdb/lmdb_engine.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "storage/memory/memory_engine.h"
#include "tests/unit/storage/faulty_file_system.h"
#include "tests/unit/storage/lmdb_engine_fixture.h"

namespace cartwheel {
namespace {

namespace fs = std::filesystem;

// The hook runs on the checkpoint thread before each commit: what lies on the disk then is what a
// kill -9 there would leave.
TEST_F(LmdbEngineTest, KeepsSumsExactWhenKilledBetweenCheckpointTransactions) {
  ScratchDirectory snapshots;
  std::atomic<int> commits{0};
  std::atomic<bool> copying{false};
  LmdbOptions options = Options();
  options.checkpoint_records = 40;
  options.buffer_bytes = 1 << 20;
  options.before_commit = [&] {
    if (!copying) return;
    const fs::path to = fs::path(snapshots.path()) / std::to_string(++commits);
    fs::create_directory(to);
    for (const auto& file : fs::directory_iterator(directory_.path())) {
      fs::copy_file(file.path(), to / file.path().filename());
    }
  };
  RecordMap wanted;
  {
    auto engine = Open(Options());
    ASSERT_NE(engine, nullptr);
    // An older state of half of the keys is in the tree already.
    for (int i = 0; i < 300; ++i) Put(engine.get(), i, 1);
    ASSERT_TRUE(engine->Close());
    engine = Open(std::move(options));
    ASSERT_NE(engine, nullptr);
    for (int i = 0; i < 600; ++i) Put(engine.get(), i, 2);
    for (int i = 0; i < 600; i += 7) engine->Drop(TestPosition("key" + std::to_string(i)));
    ASSERT_TRUE(engine->Flush());
    wanted = AllRecords(*engine);
    copying = true;
    ASSERT_TRUE(engine->Close());
  }
  ASSERT_GE(commits, 10);
  for (int i = 1; i <= commits; ++i) {
    SCOPED_TRACE(i);
    LmdbOptions snapshot = Options();
    snapshot.dir = (fs::path(snapshots.path()) / std::to_string(i)).string();
    const auto engine = Open(std::move(snapshot));
    ASSERT_NE(engine, nullptr);
    const RecordMap records = AllRecords(*engine);
    EXPECT_EQ(records, wanted);
    CheckSums(*engine, records);
    EXPECT_EQ(engine->stats().records, wanted.size());
  }
}

TEST_F(LmdbEngineTest, HasNothingToReplayAfterACleanStop) {
  auto engine = Open(Options());
  for (int i = 0; i < 100; ++i) Put(engine.get(), i, 1);
  ASSERT_TRUE(engine->Close());
  EXPECT_TRUE(Segments(directory_.path()).empty());
  engine = Open(Options());
  EXPECT_EQ(engine->replay().replayed, 0u);
  EXPECT_EQ(engine->stats().records, 100u);
  EXPECT_EQ(engine->sequences().applied, 0u) << "sequences count from each start";
}

TEST_F(LmdbEngineTest, SaysWhenAStartMayHaveLostSomething) {
  FaultyFileSystem files;
  LmdbOptions options = Options();
  options.files = &files;
  options.boot = std::string(kBootBytes, 'a');
  const auto live = [&](bool close) {
    auto engine = Open(options);
    const std::string lost = engine->may_have_lost();
    Put(engine.get(), 1, 1);
    EXPECT_TRUE(engine->Flush());
    if (close) {
      EXPECT_TRUE(engine->Close());
    } else {
      files.DieAt(1, false);
      EXPECT_FALSE(engine->Close());
      files.Revive();
    }
    return lost;
  };
  const auto reboot = [&] { ++options.boot[0]; };
  EXPECT_EQ(live(false), "") << "a first start";
  EXPECT_EQ(live(false), "") << "kill -9 under the same boot";
  reboot();
  EXPECT_EQ(live(true), "the machine went down while the last run had writes that were not synced");
  reboot();
  EXPECT_EQ(live(false), "") << "after a clean stop";
  reboot();
  {
    const auto engine = Open(options);
    EXPECT_NE(engine->may_have_lost(), "");
    EXPECT_TRUE(engine->Close());
  }
  EXPECT_NE(live(false), "") << "nobody had taken note of it";
  options.fsync = FsyncPolicy::kAlways;
  EXPECT_EQ(live(false), "");
  reboot();
  EXPECT_EQ(live(false), "") << "all that was acknowledged had been synced";
  files.SetContents(directory_.path() + "/run", "torn");
  EXPECT_EQ(live(false), "it is not known how the last run ended");
}

// Nothing else has it synced under this policy, so that whoever waits would wait for good.
TEST_F(LmdbEngineTest, SyncsWhatWasAskedForBeforeItWasWritten) {
  LmdbOptions options = Options();
  options.fsync = FsyncPolicy::kNo;
  const auto engine = Open(options);
  for (int i = 0; i < 20; ++i) {
    Put(engine.get(), i, 1);
    const uint64_t applied = engine->sequences().applied;
    engine->SyncSoon(applied);
    // The thread that syncs looks, and finds nothing yet.
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ASSERT_TRUE(
        waker_.FlushUntil(engine.get(), [&] { return engine->sequences().synced >= applied; }));
  }
}

TEST_F(LmdbEngineTest, NoticesThatItsTreeIsGoneOrItsDirectoryACopy) {
  LmdbOptions options = Options();
  options.boot = std::string(kBootBytes, 'a');
  auto engine = Open(options);
  ASSERT_TRUE(waker_.FlushUntil(engine.get(), [&] { return engine->stats().checkpoints > 0; }));
  Put(engine.get(), 1, 1);
  ASSERT_TRUE(engine->Flush());
  // What a kill -9 leaves now, restored whole and without its tree.
  const ScratchDirectory copies;
  for (const bool whole : {true, false}) {
    const fs::path copy = fs::path(copies.path()) / (whole ? "whole" : "part");
    fs::copy(options.dir, copy);
    if (!whole) fs::remove(copy / "tree.mdb");
    LmdbOptions copied = options;
    copied.dir = copy;
    {
      const auto restored = Open(copied);
      EXPECT_EQ(restored->may_have_lost(),
                whole ? "the directory is a copy: what came after it was made is not in it"
                      : "tree.mdb is gone");
      ASSERT_TRUE(restored->Flush());
    }
    EXPECT_EQ(Open(copied)->may_have_lost(), "") << "from then on it is this one";
  }
  // Back to where it was, with its old time, as cp -a does it.
  engine.reset();
  const fs::path run = fs::path(options.dir) / "run";
  const auto written = fs::last_write_time(run);
  fs::last_write_time(run, written - std::chrono::hours(1));
  EXPECT_NE(Open(options)->may_have_lost(), "");
}

TEST_F(LmdbEngineTest, LocksItsDirectory) {
  const auto engine = Open(Options());
  const auto second = LmdbEngine::Open(Options());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, directory_.path() + ": is in use by another process");
}

TEST_F(LmdbEngineTest, NamesWhatItCannotOpen) {
  LmdbOptions nowhere = Options();
  nowhere.dir = "/proc/none/store";
  const auto missing = LmdbEngine::Open(std::move(nowhere));
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("/proc/none/store"), std::string::npos);

  {
    auto engine = Open(Options());
    for (int i = 0; i < 2000; ++i) Put(engine.get(), i, 1);
  }
  const fs::path tree = fs::path(directory_.path()) / "tree.mdb";
  const auto size = fs::file_size(tree);
  fs::resize_file(tree, size - 8192);
  const auto cut = LmdbEngine::Open(Options());
  ASSERT_FALSE(cut);
  EXPECT_NE(cut.error().message.find("tree.mdb: is cut short at offset"), std::string::npos)
      << cut.error().message;
  fs::resize_file(tree, 0);
  std::ofstream(tree) << std::string(16384, 'x');
  const auto foreign = LmdbEngine::Open(Options());
  ASSERT_FALSE(foreign);
  EXPECT_NE(foreign.error().message.find("tree.mdb: cannot open"), std::string::npos)
      << foreign.error().message;
}

// On real files: a flipped bit in the log is found, named, and with recover costs one record.
TEST_F(LmdbEngineTest, RefusesDamageAndRecoversAroundIt) {
  ScratchDirectory copy;
  {
    LmdbOptions options = Options();
    options.fsync = FsyncPolicy::kAlways;
    const auto engine = Open(std::move(options));
    for (int i = 0; i < 10; ++i) {
      Put(engine.get(), i, 1);
      ASSERT_TRUE(waker_.FlushUntilStored(engine.get()));
    }
    for (const auto& file : fs::directory_iterator(directory_.path())) {
      fs::copy_file(file.path(), fs::path(copy.path()) / file.path().filename());
    }
  }
  const fs::path segment = Segments(copy.path()).front();
  {
    std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(kSegmentHeaderBytes + kLogHeadBytes + 5));
    file.put('!');
  }
  LmdbOptions options = Options();
  options.dir = copy.path();
  const auto refused = LmdbEngine::Open(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(refused.error().message.find(segment.string() + " at offset 32: damaged record 1"), 0u)
      << refused.error().message;
  options.recover = true;
  const auto recovered = Open(options);
  ASSERT_NE(recovered, nullptr);
  EXPECT_EQ(recovered->stats().records, 9u);
  EXPECT_EQ(recovered->replay().damaged.size(), 1u);
  EXPECT_EQ(recovered->stats().damaged_skipped, 1u);
  EXPECT_NE(recovered->may_have_lost().find(" at offset 32"), std::string::npos);
  CheckSums(*recovered, AllRecords(*recovered));
  // The damage is gone with the checkpoint of that start.
  ASSERT_TRUE(recovered->Close());
  options.recover = false;
  const auto again = Open(options);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->stats().records, 9u);
}

TEST_F(LmdbEngineTest, BoundsItsBuffersWhileCheckpointsAreSlow) {
  LmdbOptions options = Options();
  options.buffer_bytes = 256 << 10;
  options.checkpoint_records = 64;
  std::mutex gate;  // slow, without sleeping: each commit yields a lot
  options.before_commit = [&gate] {
    for (int i = 0; i < 200; ++i) {
      const std::lock_guard<std::mutex> lock(gate);
      std::this_thread::yield();
    }
  };
  const auto engine = Open(std::move(options));
  uint64_t most = 0;
  for (int i = 0; i < 20'000; ++i) {
    Put(engine.get(), i, 1);
    if (i % 16 == 0) {
      ASSERT_TRUE(engine->Flush());
    }
    most = std::max(most, engine->stats().memory_bytes);
  }
  EXPECT_LE(most, 2u * (256 << 10) + 16 * 400);
  EXPECT_GT(engine->stats().checkpoints, 5u);
  EXPECT_EQ(AllRecords(*engine).size(), 20'000u);
}

TEST_F(LmdbEngineTest, CheckpointsAnOldBufferWithoutBeingFull) {
  LmdbOptions options = Options();
  options.checkpoint_interval = std::chrono::milliseconds(30);
  const auto engine = Open(std::move(options));
  const auto idle = engine->stats().checkpoints;
  Put(engine.get(), 1, 1);
  EXPECT_TRUE(waker_.FlushUntil(
      engine.get(), [&] { return engine->stats().checkpoints >= std::max(idle, 1UL) + 1; }));
}

// A position may stand in the active buffer, in a frozen one, in a settled one and in the tree.
TEST_F(LmdbEngineTest, ReadsTheNewestOfAllItsPlaces) {
  LmdbOptions options = Options();
  options.checkpoint_interval = std::chrono::milliseconds(1);
  const auto engine = Open(std::move(options));
  Random random(7);
  std::map<Position, std::string> expected;
  for (uint64_t i = 1; engine->stats().checkpoints < 20; ++i) {
    const std::string key = "key" + std::to_string(random.Below(30));
    const Position position = TestPosition(key);
    if (random.Below(4) == 0) {
      engine->Drop(position);
      expected.erase(position);
    } else {
      expected[position] = TestRecord(key, i, "v");
      engine->Put(position, expected[position]);
    }
    const Position other = TestPosition("key" + std::to_string(random.Below(30)));
    const auto found = engine->Get(other);
    ASSERT_TRUE(found);
    const auto newest = expected.find(other);
    ASSERT_EQ(found->has_value(), newest != expected.end()) << i;
    if (found->has_value()) {
      ASSERT_EQ((*found)->image, newest->second) << i;
    }
    if (random.Below(3) == 0) {
      ASSERT_TRUE(engine->Flush());
    }
  }
  CheckSums(*engine, AllRecords(*engine));
}

TEST_F(LmdbEngineTest, RefusesValuesOnAFullDiskAndHeals) {
  FaultyFileSystem files;
  LmdbOptions options = Options();
  options.buffer_bytes = 64 << 10;
  options.segment_bytes = 64 << 10;
  options.files = &files;
  const auto engine = Open(std::move(options));
  EXPECT_FALSE(engine->Full());
  // The active segment, the spare one and the reserve: no room for the next spare.
  files.SetCapacity(3 * (64 << 10) + 8000);
  int puts = 0;
  while (!engine->Full() && puts < 5000) {
    Put(engine.get(), ++puts, 1);
    ASSERT_TRUE(engine->Flush());
  }
  EXPECT_TRUE(engine->Full());
  // What was accepted stays, tombstones and drops still go.
  engine->Drop(TestPosition("key1"));
  ASSERT_TRUE(waker_.FlushUntilStored(engine.get()));
  EXPECT_EQ(AllRecords(*engine).size(), static_cast<size_t>(puts) - 1);
  files.SetCapacity(UINT64_MAX);
  EXPECT_TRUE(waker_.FlushUntil(engine.get(), [&] { return !engine->Full(); }));
  EXPECT_TRUE(engine->Close());
}

TEST_F(LmdbEngineTest, FailsForGoodWhenASyncFails) {
  FaultyFileSystem files;
  LmdbOptions options = Options();
  options.fsync = FsyncPolicy::kAlways;
  options.files = &files;
  const auto engine = Open(std::move(options));
  Put(engine.get(), 1, 1);
  ASSERT_TRUE(waker_.FlushUntilStored(engine.get()));
  // Until the start's checkpoint has made its spare segment, its calls come in between.
  ASSERT_TRUE(waker_.FlushUntil(engine.get(), [&] { return engine->stats().checkpoints > 0; }));
  Put(engine.get(), 2, 1);
  files.DieAt(2, false);  // the write is the first call, its sync the second
  EXPECT_FALSE(waker_.FlushUntilStored(engine.get()));
  const auto flushed = engine->Flush();
  ASSERT_FALSE(flushed);
  EXPECT_NE(flushed.error().message.find("log-"), std::string::npos);
  EXPECT_LT(engine->sequences().stored, engine->sequences().applied);
}

TEST_F(LmdbEngineTest, ReportsSyncedWithinASecondOrTwoUnderEverySecond) {
  const auto engine = Open(Options());
  Put(engine.get(), 1, 1);
  ASSERT_TRUE(engine->Flush());
  EXPECT_EQ(engine->sequences().stored, 1u);
  EXPECT_TRUE(waker_.FlushUntil(engine.get(), [&] { return engine->sequences().synced == 1; }));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(EngineMemory, CountsWhatTheAllocatorHolds) {
  for (const int records : {3'000, 60'000}) {
    const auto before = mallinfo2().uordblks + mallinfo2().hblkhd;
    ObjectBuffer buffer;
    MemoryEngine engine;
    const auto empty = mallinfo2().uordblks + mallinfo2().hblkhd;
    ASSERT_LT(empty - before, 3u << 20);
    for (int i = 0; i < records; ++i) {
      const std::string key = std::to_string(i);
      const Position at = TestPosition(key);
      const std::string image = TestRecord(key, 1, std::string(i % 50, 'v'));
      buffer.Set(at, Image(image), 1);
    }
    const auto buffered = mallinfo2().uordblks + mallinfo2().hblkhd - empty;
    EXPECT_NEAR(static_cast<double>(buffer.held()), static_cast<double>(buffered),
                0.15 * static_cast<double>(buffered));
    const auto between = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (int i = 0; i < records; ++i) {
      const std::string key = std::to_string(i);
      engine.Put(TestPosition(key), TestRecord(key, 1, std::string(i % 50, 'v')));
    }
    const auto held = mallinfo2().uordblks + mallinfo2().hblkhd - between - (2 << 20) -
                      kSlotCount * sizeof(uint64_t);
    EXPECT_NEAR(static_cast<double>(engine.stats().memory_bytes), static_cast<double>(held),
                0.15 * static_cast<double>(held));
  }
}
#endif

}  // namespace
}  // namespace cartwheel
