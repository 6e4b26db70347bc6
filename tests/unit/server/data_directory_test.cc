#include "server/data_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
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

TEST_F(DataDirectoryTest, DamagedFilesAreRefused) {
  {
    Result<DataDirectory> directory = DataDirectory::Open(path_);
    ASSERT_TRUE(directory);
    ASSERT_TRUE(directory->WriteControl("control"));
  }
  for (const char* name : {"/node.0", "/node.1"}) std::ofstream(path_ + name) << "CARTWHEEL";
  const Result<DataDirectory> again = DataDirectory::Open(path_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, path_ + "/node.0: it is damaged");
}

}  // namespace
}  // namespace cartwheel
