// One suite over both engines, and a model check: an engine is a std::map that remembers.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "base/random.h"
#include "storage/lmdb/lmdb_engine.h"
#include "storage/memory/memory_engine.h"
#include "tests/unit/storage/engine_harness.h"
#include "tests/unit/storage/records.h"

namespace cartwheel {
namespace {

struct Memory {
  static constexpr bool kReopens = false;
  std::unique_ptr<StorageEngine> engine = std::make_unique<MemoryEngine>();
  bool FlushUntilStored() { return engine->Flush().has_value(); }
  void Reopen() {}
};

// Buffers, transactions and map so small that checkpoints and growth happen all the time.
struct Lmdb {
  static constexpr bool kReopens = true;
  ScratchDirectory directory;
  Waker waker;
  std::unique_ptr<StorageEngine> engine;

  Lmdb() { Reopen(); }
  ~Lmdb() { engine.reset(); }
  bool FlushUntilStored() { return waker.FlushUntilStored(engine.get()); }
  void Reopen() {
    engine.reset();
    LmdbOptions options;
    options.dir = directory.path();
    options.wake = [this] { waker.Wake(); };
    options.buffer_bytes = 48 << 10;
    options.segment_bytes = 32 << 10;
    options.reserve_bytes = 1 << 20;
    options.checkpoint_records = 24;
    options.map_bytes = 128 << 10;
    auto opened = LmdbEngine::Open(std::move(options));
    ASSERT_TRUE(opened) << opened.error().message;
    engine = std::move(*opened);
  }
};

template <typename Harness>
class EngineTest : public testing::Test {
 protected:
  StorageEngine& engine() { return *harness_.engine; }

  std::string ImageAt(const Position& position) {
    const auto found = engine().Get(position);
    EXPECT_TRUE(found);
    return found->has_value() ? std::string((*found)->image) : "";
  }

  Harness harness_;
};

using Harnesses = testing::Types<Memory, Lmdb>;
TYPED_TEST_SUITE(EngineTest, Harnesses);

TYPED_TEST(EngineTest, ShowsWhatWasPutAndNothingElse) {
  const Position at = TestPosition("key");
  EXPECT_EQ(this->ImageAt(at), "");
  const std::string first = TestRecord("key", 1, "one");
  const std::string second = TestRecord("key", 2, "two");
  EXPECT_EQ(this->engine().Put(at, first), 1u);
  EXPECT_EQ(this->ImageAt(at), first);
  EXPECT_EQ(this->engine().Put(at, second), 2u);
  EXPECT_EQ(this->ImageAt(at), second);
  EXPECT_EQ(this->ImageAt(TestPosition("other")), "");
  EXPECT_EQ(this->engine().Drop(at), 3u);
  EXPECT_EQ(this->ImageAt(at), "");
  EXPECT_EQ(this->engine().sequences().applied, 3u);
}

TYPED_TEST(EngineTest, ReportsStoredOnlyWhatIsApplied) {
  this->engine().Put(TestPosition("a"), TestRecord("a", 1, "x"));
  EXPECT_LE(this->engine().sequences().stored, this->engine().sequences().applied);
  ASSERT_TRUE(this->harness_.FlushUntilStored());
  EXPECT_EQ(this->engine().sequences().stored, 1u);
  EXPECT_LE(this->engine().sequences().synced, 1u);
}

TYPED_TEST(EngineTest, ScansInOrderBetweenBoundsUntilToldToStop) {
  for (int i = 0; i < 500; ++i) {
    const std::string key = "key" + std::to_string(i);
    this->engine().Put(TestPosition(key), TestRecord(key, 1, "v"));
    if (i % 50 == 0) {
      ASSERT_TRUE(this->engine().Flush());
    }
  }
  std::vector<Position> all;
  for (const auto& [position, image] : AllRecords(this->engine())) all.push_back(position);
  ASSERT_EQ(all.size(), 500u);

  std::vector<Position> seen;
  const auto collect = [&seen](const Position& at, std::string_view) {
    seen.push_back(at);
    return seen.size() < 20;
  };
  ASSERT_TRUE(this->engine().Scan(all[100], all[400], collect));
  EXPECT_EQ(seen, std::vector<Position>(all.begin() + 100, all.begin() + 120));
  seen.clear();
  ASSERT_TRUE(this->engine().Scan(all[100], all[102], collect));
  EXPECT_EQ(seen, std::vector<Position>(all.begin() + 100, all.begin() + 103));
  seen.clear();
  Position after = all[499];
  ++after.low;
  ASSERT_TRUE(this->engine().Scan(after, kLastPosition, collect));
  EXPECT_TRUE(seen.empty());
}

TYPED_TEST(EngineTest, CountsValuesAndNotTombstones) {
  const Position at = TestPosition("k", 2);
  const uint64_t empty_sum = this->engine().LeafSum(at.leaf());
  EXPECT_EQ(empty_sum, 0u);
  this->engine().Put(at, TestRecord("k", 1, "v", 2));
  EXPECT_EQ(this->engine().ValueCount(2, at.slot), 1u);
  EXPECT_EQ(this->engine().ValueCount(0, at.slot), 0u);
  const uint64_t value_sum = this->engine().LeafSum(at.leaf());
  this->engine().Put(at, TestRecord("k", 2, "", 2, Kind::kTombstone));
  EXPECT_EQ(this->engine().ValueCount(2, at.slot), 0u);
  EXPECT_NE(this->engine().LeafSum(at.leaf()), value_sum);
  this->engine().Put(TestPosition("other", 2), TestRecord("other", 1, "v", 2));
  const uint32_t other = TestPosition("other", 2).leaf();
  EXPECT_EQ(this->engine().SumOfLeaves(0, kLeafCount),
            this->engine().LeafSum(at.leaf()) + this->engine().LeafSum(other));
  EXPECT_EQ(this->engine().SumOfLeaves(other, other + 1), this->engine().LeafSum(other));
  EXPECT_EQ(this->engine().SumOfLeaves(other, other), 0u);
  this->engine().Drop(TestPosition("other", 2));
  EXPECT_EQ(this->engine().stats().records, 1u);
  this->engine().Drop(at);
  EXPECT_EQ(this->engine().LeafSum(at.leaf()), 0u);
  EXPECT_EQ(this->engine().stats().records, 0u);
}

TYPED_TEST(EngineTest, HoldsLongKeysAndLargeValues) {
  const std::string key(64 << 10, 'k');
  const std::string image = TestRecord(key, 1, std::string(3 << 20, 'v'));
  const std::string small = TestRecord("small", 1, "v");
  this->engine().Put(TestPosition(key), image);
  this->engine().Put(TestPosition("small"), small);
  ASSERT_TRUE(this->harness_.FlushUntilStored());
  this->harness_.Reopen();
  if (!TypeParam::kReopens) return;
  EXPECT_EQ(this->ImageAt(TestPosition(key)), image);
  EXPECT_EQ(this->ImageAt(TestPosition("small")), small);
}

// Random operations against a std::map; every reopen and every few thousand steps all is compared.
TYPED_TEST(EngineTest, BehavesAsAMapThatRemembers) {
  Random random(20070);
  RecordMap model;
  std::vector<std::string> keys;
  for (int i = 0; i < 700; ++i) keys.push_back("key:" + std::to_string(i));
  const auto compare = [&] {
    const RecordMap records = AllRecords(this->engine());
    ASSERT_EQ(records, model);
    CheckSums(this->engine(), records);
    ASSERT_EQ(this->engine().stats().records, model.size());
  };
  for (uint64_t step = 1; step <= 30'000; ++step) {
    const auto db = static_cast<uint32_t>(random.Below(2));
    const std::string& key = keys[random.Below(keys.size())];
    const Position at = TestPosition(key, db);
    const auto wanted = model.find(at);
    // Writes with a read of the same position before them take another path than those without.
    if (random.Chance(1, 2)) {
      ASSERT_EQ(this->ImageAt(at), wanted == model.end() ? "" : wanted->second) << step;
    }
    if (random.Chance(1, 20)) this->ImageAt(TestPosition(keys[random.Below(keys.size())], db));
    if (random.Chance(3, 4)) {
      const Kind kind = random.Chance(1, 5) ? Kind::kTombstone : Kind::kValue;
      const std::string value(random.Chance(1, 200) ? 5000 : random.Below(60), 'v');
      const std::string image = TestRecord(key, step, value, db, kind);
      this->engine().Put(at, image);
      model[at] = image;
    } else if (random.Chance(1, 3)) {
      this->engine().Drop(at);
      model.erase(at);
    }
    if (random.Chance(1, 16)) {
      ASSERT_TRUE(this->engine().Flush());
    }
    if (step % 3000 == 0) compare();
    if (step % 6000 == 0) {
      ASSERT_TRUE(this->harness_.FlushUntilStored());
      this->harness_.Reopen();
      compare();
    }
  }
}

TEST(MemoryEngine, RefusesValuesOnlyWhenItIsFull) {
  MemoryEngine engine(MemoryOptions{.max_bytes = 10'000});
  int puts = 0;
  while (!engine.Full()) {
    const std::string key = std::to_string(++puts);
    engine.Put(TestPosition(key), TestRecord(key, 1, "value"));
  }
  EXPECT_GT(puts, 20);
  EXPECT_LT(puts, 100);
  EXPECT_GE(engine.stats().memory_bytes, 10'000u);
  for (int i = 1; i <= puts / 2; ++i) engine.Drop(TestPosition(std::to_string(i)));
  EXPECT_FALSE(engine.Full());
}

}  // namespace
}  // namespace cartwheel
