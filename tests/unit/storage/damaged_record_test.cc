// The disk changes a record under the durable engine: it says so, and its leaf sums stay exact.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/unit/storage/lmdb_engine_fixture.h"

namespace cartwheel {
namespace {

namespace fs = std::filesystem;

// Flips a bit in the tree's file, `offset` bytes into where the text stands (pages that are no
// longer used have it, too).
void DamageTree(const fs::path& tree, const std::string& text, int offset) {
  std::fstream file(tree, std::ios::in | std::ios::out | std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  int copies = 0;
  for (size_t at = bytes.find(text); at != std::string::npos; at = bytes.find(text, at + 1)) {
    const size_t damaged = at + static_cast<size_t>(offset);
    file.seekp(static_cast<std::streamoff>(damaged));
    file.put(static_cast<char>(bytes[damaged] ^ 0x10));
    ++copies;
  }
  ASSERT_TRUE(file.flush());
  ASSERT_GT(copies, 0);
}

// The sums are of what is there, whatever byte was damaged: of the head or behind it.
TEST_F(LmdbEngineTest, SaysWhatIsDamagedAndCountsItsSlotAnew) {
  const std::string key = "{tag}5";
  const std::string image = TestRecord(key, 1, std::string(40, 'v'));
  for (const int offset : {0, 1, 10, 13, 14, static_cast<int>(image.size()) - 1}) {
    for (const bool replaced : {false, true}) {
      SCOPED_TRACE(std::to_string(offset) + (replaced ? " replaced" : " dropped"));
      ScratchDirectory directory;
      LmdbOptions options = Options();
      options.dir = directory.path();
      options.checkpoint_records = 3;
      {
        const auto engine = Open(options);
        for (int i = 0; i < 20; ++i) {
          const std::string other = "{tag}" + std::to_string(i);
          engine->Put(TestPosition(other), TestRecord(other, 1, std::string(40, 'v')));
        }
        ASSERT_TRUE(engine->Close());
      }
      DamageTree(fs::path(directory.path()) / "tree.mdb", image, offset);
      for (const bool first : {true, false}) {
        const auto engine = Open(options);
        ASSERT_NE(engine, nullptr);
        if (first) {
          const auto found = engine->Get(TestPosition(key));
          ASSERT_TRUE(found && found->has_value());
          EXPECT_TRUE((*found)->damaged);
          if (replaced) {
            engine->Put(TestPosition(key), TestRecord(key, 2, "new"));
          } else {
            engine->Drop(TestPosition(key));
          }
        }
        ASSERT_TRUE(engine->Flush());
        EXPECT_EQ(engine->may_have_lost().empty(), first || replaced) << engine->may_have_lost();
        const RecordMap records = AllRecords(*engine);
        EXPECT_EQ(records.size(), replaced ? 20U : 19U);
        CheckSums(*engine, records);
        EXPECT_EQ(engine->stats().records, records.size());
        ASSERT_TRUE(engine->Close());
      }
    }
  }
}

// Memory still has what the disk has damaged: a scan meets it, and who drops it knows.
TEST_F(LmdbEngineTest, DropsWhatTheTreeHas) {
  LmdbOptions options = Options();
  options.checkpoint_interval = std::chrono::milliseconds(30);
  const std::string image = TestRecord("key7", 1, std::string(40, 'v'));
  const Position position = TestPosition("key7");
  {
    const auto engine = Open(options);
    for (int i = 0; i < 20; ++i) Put(engine.get(), i, 1);
    const auto written = [&] { return engine->stats().checkpoints >= 2; };
    ASSERT_TRUE(waker_.FlushUntil(engine.get(), written));
    DamageTree(fs::path(directory_.path()) / "tree.mdb", image, 14);
    const auto shows = [&] { return AllRecords(*engine).at(position) != image; };
    ASSERT_TRUE(waker_.FlushUntil(engine.get(), shows));
    const auto found = engine->Get(position);
    ASSERT_TRUE(found && found->has_value());
    EXPECT_EQ((*found)->image, image);
    engine->Drop(position);
    ASSERT_TRUE(engine->Flush());
    CheckSums(*engine, AllRecords(*engine));
    ASSERT_TRUE(engine->Close());
  }
  EXPECT_FALSE(Open(options)->may_have_lost().empty());
}

TEST_F(LmdbEngineTest, KeepsWhatWasRecounted) {
  {
    const auto engine = Open(Options());
    for (int i = 0; i < 50; ++i) Put(engine.get(), i, 1);
    ASSERT_TRUE(engine->Close());
  }
  // The disk changes a record that nobody reads: its slot's row in the tree does not know.
  const std::string image = TestRecord("key7", 1, std::string(40, 'v'));
  DamageTree(fs::path(directory_.path()) / "tree.mdb", image, 1);
  const uint16_t slot = TestPosition("key7").slot;
  {
    const auto engine = Open(Options());
    ASSERT_TRUE(engine->RecountSlot(slot));
    CheckSums(*engine, AllRecords(*engine));
    ASSERT_TRUE(engine->Close()) << "with nothing else to checkpoint";
  }
  const auto engine = Open(Options());
  CheckSums(*engine, AllRecords(*engine));
}

}  // namespace
}  // namespace cartwheel
