#include "server/data_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace cartwheel {
namespace {

class DataDirectoryTest : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/data_directory_test_XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    root_ = path;
    path_ = root_ + "/a/b";
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string ReadNodeFile() const {
    std::ifstream file(path_ + "/node", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string root_;
  std::string path_;
};

TEST_F(DataDirectoryTest, ANodeKeepsItsIdAndItsLastControlImage) {
  NodeId id = 0;
  {
    Result<DataDirectory> first = DataDirectory::Open(path_);
    ASSERT_TRUE(first) << first.error().message;
    id = first->id();
    EXPECT_NE(id, 0u);
    EXPECT_EQ(first->control(), "");
    ASSERT_TRUE(first->WriteControl("one"));
    ASSERT_TRUE(first->WriteControl(std::string(100000, 'x')));
    ASSERT_TRUE(first->WriteControl(std::string_view("two\0three", 9)));
  }
  const Result<DataDirectory> second = DataDirectory::Open(path_);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->id(), id);
  EXPECT_EQ(second->control(), std::string_view("two\0three", 9));
}

TEST_F(DataDirectoryTest, TwoDirectoriesAreTwoNodes) {
  const Result<DataDirectory> one = DataDirectory::Open(root_ + "/one");
  const Result<DataDirectory> two = DataDirectory::Open(root_ + "/two");
  ASSERT_TRUE(one && two);
  EXPECT_NE(one->id(), two->id());
}

TEST_F(DataDirectoryTest, OnlyOneMayUseADirectory) {
  const Result<DataDirectory> first = DataDirectory::Open(path_);
  ASSERT_TRUE(first);
  const Result<DataDirectory> second = DataDirectory::Open(path_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message,
            "option 'dir': bad value '" + path_ + "': another process uses it");
}

TEST_F(DataDirectoryTest, ADirectoryThatCannotBeMadeIsNamed) {
  std::ofstream(root_ + "/file") << "x";
  const Result<DataDirectory> opened = DataDirectory::Open(root_ + "/file/below");
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("option 'dir': bad value '" + root_ + "/file/below'"),
            std::string::npos);
}

TEST_F(DataDirectoryTest, ADamagedNodeFileIsRefused) {
  {
    Result<DataDirectory> directory = DataDirectory::Open(path_);
    ASSERT_TRUE(directory);
    ASSERT_TRUE(directory->WriteControl("control"));
  }
  const std::string good = ReadNodeFile();
  const auto opens_with = [&](std::string bytes) {
    std::ofstream(path_ + "/node", std::ios::binary) << bytes;
    return DataDirectory::Open(path_).has_value();
  };
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_FALSE(opens_with(bad)) << at;
    EXPECT_FALSE(opens_with(good.substr(0, at))) << at;
  }
  EXPECT_TRUE(opens_with(good));
}

TEST_F(DataDirectoryTest, AHalfWrittenImageBesideTheLastOneDoesNoHarm) {
  {
    Result<DataDirectory> directory = DataDirectory::Open(path_);
    ASSERT_TRUE(directory);
    ASSERT_TRUE(directory->WriteControl("control"));
  }
  std::ofstream(path_ + "/node.new") << "CARTWH";
  const Result<DataDirectory> again = DataDirectory::Open(path_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->control(), "control");
}

}  // namespace
}  // namespace cartwheel
