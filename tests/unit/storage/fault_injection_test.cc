// The log and the whole engine die at every call they make to the file layer, the machine loses
// what was not synced, and the next start must show a prefix of what was written: all of it that
// had been reported stored, and leaf sums that are exact.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "storage/lmdb/lmdb_engine.h"
#include "storage/lmdb/log.h"
#include "tests/unit/storage/engine_harness.h"
#include "tests/unit/storage/faulty_file_system.h"
#include "tests/unit/storage/records.h"

namespace cartwheel {
namespace {

// --- The log alone: no threads, every run exactly repeatable. ---

class LogUnderFaults {
 public:
  // Appends records in turns, syncing and rolling now and then, until done or dead. Goes on from
  // what an earlier life left.
  void Live(uint64_t turns) {
    replayed_.clear();
    LogOptions options;
    options.files = &files;
    options.directory = "dir";
    options.segment_bytes = 2048;
    options.salt = 7;
    auto opened = Log::Open(std::move(options), {}, [this](const LogRecord& record) {
      replayed_.emplace_back(record.image);
      return Result<void>();
    });
    open_error = opened ? "" : opened.error().message;
    if (!opened) return;
    Log& log = **opened;
    CheckReplay(log);
    for (uint64_t turn = 0; turn < turns; ++turn) {
      for (uint64_t i = 0; i <= turn % 3; ++i) {
        written_.push_back("life " + std::to_string(life_) + " record " +
                           std::to_string(written_.size()) + std::string(turn * 5, '.'));
        log.Append(TestPosition(written_.back()), written_.back());
      }
      if (!log.Write()) return;
      if (turn % 2 == 1) {
        if (!log.file()->Sync()) return;
        synced_ = log.last_sequence();
        log.NoteSynced(synced_);
      }
      // Only behind a sync: the engine never freezes without one before the tree is written.
      if (turn % 4 == 3) {
        auto spare = MakeSegment(log.PlanSpare());
        if (!spare) return;
        log.SetSpare(std::move(*spare));
        log.Roll();
      }
    }
  }

  FaultyFileSystem files;
  std::string open_error;

 private:
  void CheckReplay(const Log& log) {
    ASSERT_EQ(log.last_sequence(), replayed_.size());
    ASSERT_GE(replayed_.size(), synced_) << "a synced record is lost";
    ASSERT_LE(replayed_.size(), written_.size());
    written_.resize(replayed_.size());
    ASSERT_EQ(replayed_, written_);
    synced_ = replayed_.size();  // what a start shows is there to stay
    ++life_;
  }

  std::vector<std::string> written_;
  std::vector<std::string> replayed_;
  uint64_t synced_ = 0;
  int life_ = 0;
};

uint64_t CallsOfAQuietLogLife() {
  LogUnderFaults quiet;
  quiet.Live(12);
  return quiet.files.calls();
}

TEST(LogFaults, SurviveDeathAndPowerLossAtEveryCall) {
  const uint64_t calls = CallsOfAQuietLogLife();
  ASSERT_GT(calls, 30u);
  for (uint64_t call = 1; call <= calls; ++call) {
    for (uint64_t seed = 0; seed < 24; ++seed) {
      SCOPED_TRACE("call " + std::to_string(call) + " seed " + std::to_string(seed));
      Random random(seed * 1000 + call);
      LogUnderFaults run;
      run.files.DieAt(call, seed % 2 == 0);
      run.Live(12);
      if (seed == 0) run.files.Revive();  // kill -9: the kernel keeps all
      if (seed == 1) run.files.LosePowerCompletely();
      if (seed > 1) run.files.LosePower(&random);
      // The second life dies early: in its replay, in its cutting off, or soon after.
      run.files.DieAt(1 + random.Below(20), seed % 3 == 0);
      run.Live(4);
      ASSERT_TRUE(run.open_error.empty() || run.open_error.find("injected") != std::string::npos)
          << run.open_error;
      run.files.LosePower(&random);
      run.Live(4);
      ASSERT_EQ(run.open_error, "");
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(LogFaults, NothingIsWrittenAfterAFailedWrite) {
  LogUnderFaults run;
  // Of all the calls one fails, and only that one: the log must not go on as if nothing were.
  for (uint64_t call = 1; call <= 40; ++call) {
    run.files.FailOnce(call);
    run.Live(12);
    run.files.Revive();
    run.Live(1);
    ASSERT_EQ(run.open_error, "");
  }
}

// --- The engine: its log on a faulty file system, its tree on a real one. ---

class EngineUnderFaults {
 public:
  EngineUnderFaults(FsyncPolicy fsync, uint64_t seed) : fsync_(fsync), random_(seed) {}

  // Writes until done or dead.
  void Live(int turns) {
    auto opened = LmdbEngine::Open(Options());
    open_error = opened ? "" : opened.error().message;
    closed_cleanly = false;
    if (!opened) return;
    LmdbEngine& engine = **opened;
    CheckStart(engine);
    for (int turn = 0; turn < turns && !testing::Test::HasFatalFailure(); ++turn) {
      for (int i = 0; i < 6; ++i) WriteOne(&engine);
      const bool alive =
          turn % 4 == 3 ? waker_.FlushUntilStored(&engine) : engine.Flush().has_value();
      // At the very end this is what a client could have been told.
      stored_ = base_ + engine.sequences().stored;
      if (!alive) break;
    }
    stored_ = base_ + engine.sequences().stored;
    closed_cleanly = engine.Close().has_value();
    if (closed_cleanly) stored_ = history_.size() - 1;
  }

  void LosePower(bool all) {
    if (all) {
      files.LosePowerCompletely();
    } else {
      files.LosePower(&random_);
    }
    acknowledged_ = stored_;
    ++boots_;
    if (fsync_ != FsyncPolicy::kAlways && !closed_cleanly) stored_ = base_;
  }

  FaultyFileSystem files;
  std::string open_error;
  bool closed_cleanly = false;

 private:
  LmdbOptions Options() {
    LmdbOptions options;
    options.dir = directory_.path();
    options.fsync = fsync_;
    options.wake = [this] { waker_.Wake(); };
    options.buffer_bytes = 6 << 10;
    options.segment_bytes = 4 << 10;
    options.reserve_bytes = 1 << 10;
    options.checkpoint_records = 5;
    options.files = &files;
    options.boot = std::string(kBootBytes, static_cast<char>('0' + boots_));
    return options;
  }

  void WriteOne(LmdbEngine* engine) {
    const std::string key = "key" + std::to_string(random_.Below(25));
    const Position at = TestPosition(key);
    RecordMap next = history_.back();
    if (random_.Chance(1, 6)) {
      engine->Drop(at);
      next.erase(at);
    } else {
      const std::string image = TestRecord(key, ++version_, std::string(random_.Below(90), 'v'));
      engine->Put(at, image);
      next[at] = image;
    }
    history_.push_back(std::move(next));
  }

  // The state is that after some prefix of the writes, no shorter than what was reported stored.
  void CheckStart(const LmdbEngine& engine) {
    ASSERT_TRUE(engine.replay().damaged.empty());
    const RecordMap records = AllRecords(engine);
    CheckSums(engine, records);
    ASSERT_EQ(engine.stats().records, records.size());
    size_t length = history_.size();
    while (length > stored_ && history_[length - 1] != records) --length;
    ASSERT_GT(length, stored_) << "what was reported stored is lost, or a state that never was";
    if (length <= acknowledged_) {
      ASSERT_NE(engine.may_have_lost(), "");
    }
    history_.resize(length);
    base_ = stored_ = acknowledged_ = length - 1;
  }

  const FsyncPolicy fsync_;
  Random random_;
  ScratchDirectory directory_;
  Waker waker_;
  std::vector<RecordMap> history_{RecordMap{}};  // [n]: after n writes
  uint64_t stored_ = 0;
  uint64_t base_ = 0;
  uint64_t acknowledged_ = 0;  // before the last power loss
  int boots_ = 0;
  uint64_t version_ = 0;
};

class EngineFaults : public testing::TestWithParam<FsyncPolicy> {};

TEST_P(EngineFaults, SurviveDeathAndPowerLossAtEveryCall) {
  uint64_t calls = 0;
  {
    EngineUnderFaults quiet(GetParam(), 1);
    quiet.Live(16);
    ASSERT_TRUE(quiet.closed_cleanly);
    calls = quiet.files.calls();
  }
  ASSERT_GT(calls, 40u);
  // The policies differ in little: the two weak ones share the calls between them.
  const uint64_t step = GetParam() == FsyncPolicy::kAlways ? 1 : 3;
  const uint64_t start = GetParam() == FsyncPolicy::kNo ? 2 : 1;
  for (uint64_t call = start; call <= calls; call += step) {
    SCOPED_TRACE("call " + std::to_string(call));
    EngineUnderFaults run(GetParam(), call);
    run.files.DieAt(call, call % 2 == 0);
    run.Live(16);
    if (call % 4 == 0) {
      run.files.Revive();  // kill -9
    } else {
      run.LosePower(call % 4 == 1);
    }
    run.files.DieAt(1 + call % 23, call % 3 == 0);
    run.Live(3);
    ASSERT_TRUE(run.open_error.empty() || run.open_error.find("injected") != std::string::npos)
        << run.open_error;
    run.LosePower(false);
    run.Live(2);
    ASSERT_EQ(run.open_error, "");
    ASSERT_TRUE(run.closed_cleanly);
    run.LosePower(true);
    run.Live(0);
    ASSERT_EQ(run.open_error, "");
    if (testing::Test::HasFatalFailure()) return;
  }
}

std::string NameOf(const testing::TestParamInfo<FsyncPolicy>& policy) {
  switch (policy.param) {
    case FsyncPolicy::kAlways: return "Always";
    case FsyncPolicy::kEverySecond: return "EverySecond";
    case FsyncPolicy::kNo: return "No";
  }
  return "";
}

INSTANTIATE_TEST_SUITE_P(Policies, EngineFaults,
                         testing::Values(FsyncPolicy::kAlways, FsyncPolicy::kEverySecond,
                                         FsyncPolicy::kNo),
                         NameOf);

}  // namespace
}  // namespace cartwheel
