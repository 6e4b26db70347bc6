#include "storage/lmdb/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/storage/faulty_file_system.h"
#include "tests/unit/storage/records.h"

namespace cartwheel {
namespace {

constexpr uint64_t kSalt = 0x5a175a175a175a17;

class LogTest : public testing::Test {
 protected:
  // What a replay showed: the images by sequence.
  struct Opened {
    std::unique_ptr<Log> log;
    std::vector<std::pair<uint64_t, std::string>> records;
    Status error{ErrorCode::kInvalid, ""};
  };

  Opened Open(bool recover = false, LogMark mark = {}) {
    Opened opened;
    LogOptions options;
    options.files = &files_;
    options.directory = "dir";
    options.segment_bytes = 4096;
    options.salt = kSalt;
    options.recover = recover;
    options.make_room = [this] { files_.SetCapacity(UINT64_MAX); };
    auto log = Log::Open(std::move(options), mark, [&](const LogRecord& record) -> Result<void> {
      opened.records.emplace_back(record.sequence, record.image);
      return {};
    });
    if (log) {
      opened.log = std::move(*log);
    } else {
      opened.error = log.error();
    }
    return opened;
  }

  static std::string ImageOf(uint64_t sequence) {
    return "image " + std::to_string(sequence) + std::string(sequence % 7, '.');
  }
  // Writes records up to the sequence, one by one.
  static void WriteTo(Log* log, uint64_t last) {
    while (log->last_sequence() < last) {
      const std::string key = std::to_string(log->last_sequence() + 1);
      log->Append(TestPosition(key), ImageOf(log->last_sequence() + 1));
      ASSERT_TRUE(log->Write());
    }
  }
  static void Sync(Log* log) {
    ASSERT_TRUE(log->file()->Sync());
    log->NoteSynced(log->last_sequence());
  }
  static void Roll(Log* log) {
    auto spare = MakeSegment(log->PlanSpare());
    ASSERT_TRUE(spare);
    log->SetSpare(std::move(*spare));
    log->Roll();
  }
  static std::vector<std::pair<uint64_t, std::string>> Images(
      const std::vector<uint64_t>& sequences) {
    std::vector<std::pair<uint64_t, std::string>> images;
    for (const uint64_t sequence : sequences) images.emplace_back(sequence, ImageOf(sequence));
    return images;
  }
  static std::vector<uint64_t> UpTo(uint64_t last) {
    std::vector<uint64_t> sequences;
    for (uint64_t i = 1; i <= last; ++i) sequences.push_back(i);
    return sequences;
  }
  static std::string PathOf(uint64_t number) { return "dir/" + SegmentName(number); }
  // Where the record of this sequence starts in its segment, of which it is number `index`.
  static size_t OffsetOf(uint64_t first, uint64_t sequence) {
    size_t offset = kSegmentHeaderBytes;
    for (uint64_t i = first; i < sequence; ++i) offset += kLogHeadBytes + ImageOf(i).size();
    return offset;
  }
  void Damage(const std::string& path, size_t offset) {
    std::string bytes = files_.Contents(path);
    ASSERT_LT(offset, bytes.size());
    bytes[offset] = static_cast<char>(bytes[offset] ^ 0x10);
    files_.SetContents(path, std::move(bytes));
  }

  FaultyFileSystem files_;
};

TEST_F(LogTest, ReplaysInOrderOverSegmentsAndGoesOn) {
  auto first = Open();
  ASSERT_NE(first.log, nullptr);
  WriteTo(first.log.get(), 5);
  Roll(first.log.get());
  WriteTo(first.log.get(), 9);
  auto second = Open();
  ASSERT_NE(second.log, nullptr) << second.error.message;
  EXPECT_EQ(second.records, Images(UpTo(9)));
  EXPECT_EQ(second.log->last_sequence(), 9u);
  EXPECT_EQ(second.log->report().cut, "");
  WriteTo(second.log.get(), 12);
  EXPECT_EQ(Open().records, Images(UpTo(12)));
}

TEST_F(LogTest, WritesATurnInOneCall) {
  auto opened = Open();
  const uint64_t before = files_.calls();
  for (int i = 0; i < 50; ++i) opened.log->Append(TestPosition("k"), "an image");
  EXPECT_EQ(files_.calls(), before);
  ASSERT_TRUE(opened.log->Write());
  EXPECT_EQ(files_.calls(), before + 1);
}

TEST_F(LogTest, KeepsDropsAndLargeImages) {
  auto opened = Open();
  const std::string large(300'000, 'x');
  opened.log->Append(TestPosition("a"), large);
  opened.log->Append(TestPosition("a"), {});
  ASSERT_TRUE(opened.log->Write());
  using Records = std::vector<std::pair<uint64_t, std::string>>;
  EXPECT_EQ(Open().records, (Records{{1, large}, {2, ""}}));
}

TEST_F(LogTest, MakesRoomOnceWhenTheDiskIsFull) {
  auto opened = Open();
  files_.SetCapacity(5000);
  opened.log->Append(TestPosition("a"), std::string(50'000, 'x'));
  EXPECT_TRUE(opened.log->Write());
  EXPECT_EQ(Open().records.size(), 1u);
}

TEST_F(LogTest, NeedsNoSegmentBelowTheMark) {
  auto opened = Open();
  WriteTo(opened.log.get(), 5);
  const uint64_t old = opened.log->segment();
  Roll(opened.log.get());
  WriteTo(opened.log.get(), 8);
  Damage(PathOf(old), OffsetOf(1, 2));
  auto again = Open(false, LogMark{5, opened.log->segment()});
  ASSERT_NE(again.log, nullptr) << again.error.message;
  EXPECT_EQ(again.records, Images({6, 7, 8}));
  const auto paths = files_.Paths();
  EXPECT_EQ(std::count(paths.begin(), paths.end(), PathOf(old)), 0);
}

// Every single byte of a record that later records know to be synced.
TEST_F(LogTest, RefusesADamagedSyncedRecordAndRecoversTheRest) {
  auto opened = Open();
  WriteTo(opened.log.get(), 4);
  Sync(opened.log.get());
  WriteTo(opened.log.get(), 8);
  const std::string path = PathOf(opened.log->segment());
  const std::string intact = files_.Contents(path);
  for (size_t offset = OffsetOf(1, 3); offset < OffsetOf(1, 4); ++offset) {
    files_.SetContents(path, intact);
    Damage(path, offset);
    const auto refused = Open();
    ASSERT_EQ(refused.log, nullptr) << offset;
    EXPECT_EQ(refused.error.code, ErrorCode::kCorrupt);
    const std::string place = path + " at offset " + std::to_string(OffsetOf(1, 3));
    EXPECT_EQ(refused.error.message.find(place), 0u) << refused.error.message;
    EXPECT_EQ(refused.error.message.find('\n'), std::string::npos);
    const auto recovered = Open(true);
    ASSERT_NE(recovered.log, nullptr) << recovered.error.message;
    EXPECT_EQ(recovered.records, Images({1, 2, 4, 5, 6, 7, 8}));
    EXPECT_EQ(recovered.log->report().damaged, std::vector<std::string>{place});
  }
}

TEST_F(LogTest, KnowsOfSyncsFromLaterSegments) {
  auto opened = Open();
  WriteTo(opened.log.get(), 4);
  const std::string path = PathOf(opened.log->segment());
  Sync(opened.log.get());
  Roll(opened.log.get());
  WriteTo(opened.log.get(), 6);
  Damage(path, OffsetOf(1, 4) + 3);
  EXPECT_EQ(Open().error.code, ErrorCode::kCorrupt);
  EXPECT_EQ(Open(true).records, Images({1, 2, 3, 5, 6}));
}

TEST_F(LogTest, RefusesWhenASyncedSegmentIsMissing) {
  auto opened = Open();
  WriteTo(opened.log.get(), 4);
  const std::string path = PathOf(opened.log->segment());
  Sync(opened.log.get());
  Roll(opened.log.get());
  WriteTo(opened.log.get(), 6);
  ASSERT_TRUE(files_.Remove(path));
  const auto refused = Open();
  ASSERT_EQ(refused.log, nullptr);
  EXPECT_NE(refused.error.message.find("damaged record 1"), std::string::npos)
      << refused.error.message;
  EXPECT_EQ(Open(true).records, Images({5, 6}));
}

TEST_F(LogTest, RefusesADamagedHeaderAndReadsPastItWithTheSaltOfOthers) {
  auto opened = Open();
  WriteTo(opened.log.get(), 2);
  const std::string path = PathOf(opened.log->segment());
  Roll(opened.log.get());
  WriteTo(opened.log.get(), 4);
  Damage(path, 17);
  const auto refused = Open();
  ASSERT_EQ(refused.log, nullptr);
  EXPECT_EQ(refused.error.message.find(path + " at offset 0"), 0u) << refused.error.message;
  EXPECT_EQ(Open(true).records, Images({1, 2, 3, 4}));
}

// Unsynced pages reach a disk in any order: a hole that nobody knows to have been synced is the
// end.
TEST_F(LogTest, EndsAtAnUnsyncedHoleAndForgetsWhatIsBehind) {
  auto opened = Open();
  WriteTo(opened.log.get(), 3);
  Sync(opened.log.get());
  WriteTo(opened.log.get(), 6);
  const std::string path = PathOf(opened.log->segment());
  Roll(opened.log.get());
  WriteTo(opened.log.get(), 9);
  std::string bytes = files_.Contents(path);
  const size_t hole = OffsetOf(1, 5);
  std::fill(bytes.begin() + static_cast<ptrdiff_t>(hole),
            bytes.begin() + static_cast<ptrdiff_t>(OffsetOf(1, 6)), '\0');
  files_.SetContents(path, std::move(bytes));

  auto cut = Open();
  ASSERT_NE(cut.log, nullptr) << cut.error.message;
  EXPECT_EQ(cut.records, Images(UpTo(4)));
  EXPECT_EQ(cut.log->report().cut, path + " at offset " + std::to_string(hole));
  // The sequences are used again; what was cut off must not come back among them.
  WriteTo(cut.log.get(), 7);
  Sync(cut.log.get());
  WriteTo(cut.log.get(), 8);
  auto again = Open();
  ASSERT_NE(again.log, nullptr) << again.error.message;
  EXPECT_EQ(again.records, Images(UpTo(8)));
  EXPECT_EQ(again.log->report().cut, "");
}

TEST_F(LogTest, EndsWhereAWholeUnsyncedSegmentIsMissing) {
  auto opened = Open();
  WriteTo(opened.log.get(), 3);
  Roll(opened.log.get());
  WriteTo(opened.log.get(), 6);
  const std::string middle = PathOf(opened.log->segment());
  Roll(opened.log.get());
  WriteTo(opened.log.get(), 9);
  files_.SetContents(middle, files_.Contents(middle).substr(0, kSegmentHeaderBytes));
  const auto cut = Open();
  EXPECT_EQ(cut.records, Images(UpTo(3)));
  EXPECT_NE(cut.log->report().cut, "");
  // The last segment is gone with it: its sequences are used again.
  WriteTo(cut.log.get(), 5);
  Sync(cut.log.get());
  WriteTo(cut.log.get(), 8);
  EXPECT_EQ(Open().records, Images(UpTo(8)));
}

// A client may send bytes that look like a record which claims that everything was synced.
TEST_F(LogTest, IsNotDeceivedByRecordsInsideValues) {
  std::string forged;
  AppendLogHead({50, 49, TestPosition("x"), {}}, /*salt=*/1, &forged);
  auto opened = Open();
  WriteTo(opened.log.get(), 1);
  opened.log->Append(TestPosition("k"), "value " + forged);
  opened.log->Append(TestPosition("k"), "value " + forged);
  ASSERT_TRUE(opened.log->Write());
  Damage(PathOf(opened.log->segment()), OffsetOf(1, 2));
  const auto cut = Open();
  ASSERT_NE(cut.log, nullptr) << cut.error.message;
  EXPECT_EQ(cut.records, Images({1}));

  // With the log's own salt it would be believed: the salt is what protects.
  forged.clear();
  AppendLogHead({50, 49, TestPosition("x"), {}}, kSalt, &forged);
  auto knowing = Open();
  knowing.log->Append(TestPosition("k"), "value " + forged);
  ASSERT_TRUE(knowing.log->Write());
  Damage(PathOf(knowing.log->segment()), kSegmentHeaderBytes);
  EXPECT_EQ(Open().log, nullptr);
}

TEST_F(LogTest, IgnoresFilesThatAreNoSegments) {
  files_.SetContents("dir/tree.mdb", "x");
  files_.SetContents("dir/log-12", "x");
  files_.SetContents("dir/log-00000000xx", "x");
  EXPECT_NE(Open().log, nullptr);
  EXPECT_EQ(files_.Contents("dir/log-12"), "x");
}

}  // namespace
}  // namespace cartwheel
