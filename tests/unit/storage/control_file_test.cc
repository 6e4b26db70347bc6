#include "storage/control_file.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "base/random.h"
#include "tests/unit/storage/faulty_file_system.h"

namespace cartwheel {
namespace {

constexpr const char* kPaths[] = {"d/node.0", "d/node.1"};
constexpr size_t kRoom = 1024;

class ControlFileTest : public testing::Test {
 protected:
  // What a process that starts now reads.
  Result<std::string> ReadAgain() { return ControlFile(&files_, "d", kRoom).Read(); }

  void WriteVersions(int count) {
    ControlFile file(&files_, "d", kRoom);
    ASSERT_TRUE(file.Read());
    for (int i = 1; i <= count; ++i) ASSERT_TRUE(file.Write("version " + std::to_string(i)));
  }

  using FilesOnDisk = std::map<std::string, std::string>;
  FilesOnDisk Save() const {
    FilesOnDisk files;
    for (const std::string& path : files_.Paths()) files[path] = files_.Contents(path);
    return files;
  }
  void Restore(const FilesOnDisk& files) {
    for (const auto& [path, bytes] : files) files_.SetContents(path, bytes);
  }
  void Damage(const std::string& path, size_t at) {
    std::string bytes = files_.Contents(path);
    bytes.at(at) = static_cast<char>(bytes.at(at) ^ 1);
    files_.SetContents(path, bytes);
  }

  FaultyFileSystem files_;
};

TEST_F(ControlFileTest, NothingWasWrittenAtFirst) { EXPECT_EQ(ReadAgain().value(), ""); }

TEST_F(ControlFileTest, TheLastVersionIsReadWhateverItsSize) {
  ControlFile file(&files_, "d", kRoom);
  ASSERT_EQ(file.Read().value(), "");
  for (const size_t size : {1, 20, 100'000, 0, 16'384, 300'000, 5}) {
    const std::string bytes(size, 'x');
    ASSERT_TRUE(file.Write(bytes));
    EXPECT_EQ(ReadAgain().value(), bytes);
    files_.LosePowerCompletely();
    ControlFile next(&files_, "d", kRoom);
    EXPECT_EQ(next.Read().value(), bytes);
    file = std::move(next);
  }
}

// Neither a process that dies in a write nor a power loss leaves anything but the last version or
// the one that was on its way; and what was read once stays.
TEST_F(ControlFileTest, AWriteIsWholeOrNotThereWheneverItEnds) {
  size_t kept = 0;
  size_t whole = 0;
  for (uint64_t seed = 0; seed < 5000; ++seed) {
    Random random(seed);
    files_ = FaultyFileSystem();
    std::optional<ControlFile> file(std::in_place, &files_, "d", kRoom);
    ASSERT_EQ(file->Read().value(), "");
    std::string last;
    for (int round = 0; round < 6; ++round) {
      const std::string next(random.Below(size_t{1} << (4 + random.Below(13))) + 1,
                             static_cast<char>('a' + round));
      const uint64_t call = 1 + random.Below(round == 0 ? 14 : 6);
      random.Chance(1, 2) ? files_.DieAt(call, random.Chance(1, 2)) : files_.FailOnce(call);
      const bool written = file->Write(next).has_value();
      if (written) last = next;
      random.Chance(1, 2) ? files_.LosePower(&random) : files_.Revive();
      file.emplace(&files_, "d", kRoom);
      const auto read = file->Read();
      ASSERT_TRUE(read) << seed << ": " << read.error().message;
      ASSERT_TRUE(*read == last || (!written && *read == next)) << seed;
      ++(*read == last ? kept : whole);
      last = *read;
      if (!random.Chance(1, 4)) continue;
      files_.LosePowerCompletely();
      file.emplace(&files_, "d", kRoom);
      const auto again = file->Read();
      ASSERT_TRUE(again) << seed << " " << round << ": " << again.error().message;
      ASSERT_EQ(*again, last) << seed;
    }
  }
  EXPECT_GT(kept, 1000U);
  EXPECT_GT(whole, 1000U);
}

TEST_F(ControlFileTest, DamageToOneCopyDoesNoHarm) {
  WriteVersions(5);
  const FilesOnDisk good = Save();
  for (const std::string path : kPaths) {
    for (const size_t copy : {size_t{0}, good.at(path).size() / 2}) {
      for (size_t at = 0; at < 60; ++at) {
        Damage(path, copy + at);
        EXPECT_EQ(ReadAgain().value(), "version 5") << at;
        Restore(good);
      }
    }
  }
}

// Or what was promised would be forgotten. The first write is in both files.
TEST_F(ControlFileTest, DamageToAllOfAFileIsAnError) {
  for (const int count : {1, 2, 3, 4}) {
    files_ = FaultyFileSystem();
    WriteVersions(count);
    const FilesOnDisk good = Save();
    for (const std::string path : kPaths) {
      for (const size_t left : {size_t{0}, size_t{20}, good.at(path).size()}) {
        files_.SetContents(path, good.at(path).substr(0, left));
        if (left > 20) {
          Damage(path, 3);
          Damage(path, left / 2 + 30);
        }
        const auto read = ReadAgain();
        if (count == 1 && path == kPaths[0]) {
          EXPECT_EQ(read.value(), "version 1");
        } else {
          ASSERT_FALSE(read) << path << " of " << count << ", " << left;
          EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
          EXPECT_EQ(read.error().message, path + ": it is damaged");
        }
        Restore(good);
      }
    }
  }
}

TEST_F(ControlFileTest, AFileThatIsMissingIsAnError) {
  WriteVersions(4);
  const FilesOnDisk good = Save();
  for (const std::string path : kPaths) {
    ASSERT_TRUE(files_.Remove(path));
    const auto read = ReadAgain();
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().message, path + ": it is missing");
    Restore(good);
  }
  EXPECT_EQ(ReadAgain().value(), "version 4");
}

}  // namespace
}  // namespace cartwheel
