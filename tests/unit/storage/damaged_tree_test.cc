// The disk changes bits of LMDB's own file: reads say so, find nothing, or find a record whose
// checksum fails. None ends the process with a signal, and none shows bytes that nobody wrote.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "storage/lmdb/tree.h"
#include "tests/unit/storage/engine_harness.h"
#include "tests/unit/storage/records.h"

namespace cartwheel {
namespace {

constexpr int kRecords = 300;
// Few enough bytes for a unit test, odd so that all places of a page have their turn.
constexpr size_t kStep = 331;

std::string KeyOf(int i) { return "key" + std::to_string(i); }

std::string RecordOf(int i) {
  // Some are large: LMDB keeps those in pages of their own.
  return TestRecord(KeyOf(i), 1, std::string(i % 97 == 0 ? 9000 : 60, 'v'));
}

std::string MakeTree(const std::string& path) {
  {
    ObjectBuffer buffer;
    for (int i = 0; i < kRecords; ++i) buffer.Set(TestPosition(KeyOf(i)), Image(RecordOf(i)), 1);
    const auto tree = Tree::Open(path, 1 << 24);
    EXPECT_TRUE(tree);
    const auto entries = buffer.InOrder();
    const std::set<uint16_t> recounted;
    const auto outcome = (*tree)->WriteBatch({entries, &recounted, LogMark{1, 1}}, {});
    EXPECT_TRUE(outcome && *outcome == Tree::Outcome::kDone);
  }
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct Seen {
  int errors = 0;
  int missing = 0;
  int damaged = 0;
  int wrong = 0;
};

void ReadAll(Tree* tree, Seen* seen) {
  for (int i = 0; i < kRecords; ++i) {
    const auto found = tree->Get(TestPosition(KeyOf(i)));
    if (!found) {
      ++seen->errors;
    } else if (!found->has_value()) {
      ++seen->missing;
    } else if (!RecordIntact(**found)) {
      ++seen->damaged;
    } else {
      seen->wrong += **found == RecordOf(i) ? 0 : 1;
    }
  }
  auto cursor = tree->Seek({0, 0, 0});
  if (!cursor) {
    ++seen->errors;
    return;
  }
  // A damaged branch may lead in a circle.
  for (int steps = 0; (*cursor)->valid() && steps < 2 * kRecords; ++steps) {
    const std::string_view image = (*cursor)->image();
    seen->damaged += RecordIntact(image) ? 0 : 1;
    if (!(*cursor)->Next()) {
      ++seen->errors;
      return;
    }
  }
}

TEST(DamagedTree, IsReadWithoutASignalAndWithoutWrongBytes) {
  ScratchDirectory directory;
  const std::string path = directory.path() + "/tree.mdb";
  const std::string whole = MakeTree(path);
  ASSERT_GT(whole.size(), 100'000U);
  Seen seen;
  int refused = 0;
  for (size_t at = 0; at < whole.size(); at += kStep) {
    SCOPED_TRACE(at);
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 1 << at % 8);
    std::filesystem::remove(path + "-lock");
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    const auto tree = Tree::Open(path, 1 << 24);
    if (!tree) {
      ++refused;
      continue;
    }
    LeafTable leaves;
    if (!(*tree)->LoadLeaves(&leaves) || !(*tree)->LoadMark()) ++refused;
    ReadAll(tree->get(), &seen);
  }
  EXPECT_EQ(seen.wrong, 0);
  EXPECT_GT(seen.errors, 0);
  EXPECT_GT(seen.damaged, 100);
}

// A page that the disk cannot read is a signal for who looks at it through a map: here the file
// ends before it.
TEST(DamagedTree, SaysWhenAPageCannotBeRead) {
  ScratchDirectory directory;
  const std::string path = directory.path() + "/tree.mdb";
  const std::string whole = MakeTree(path);
  const auto tree = Tree::Open(path, 1 << 24);
  ASSERT_TRUE(tree);
  Seen before;
  ReadAll(tree->get(), &before);
  ASSERT_EQ(before.errors + before.missing + before.damaged + before.wrong, 0);
  std::filesystem::resize_file(path, 8192);
  Seen after;
  ReadAll(tree->get(), &after);
  EXPECT_GE(after.errors, kRecords);
  EXPECT_EQ(after.missing + after.damaged + after.wrong, 0);
  std::filesystem::resize_file(path, whole.size());
}

}  // namespace
}  // namespace cartwheel
