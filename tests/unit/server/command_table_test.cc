#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/command.h"
#include "server/command_docs.h"

namespace cartwheel {
namespace {

TEST(CommandTableTest, RowsAreInOrderAndDocumented) {
  std::string_view last;
  for (const CommandRow& row : CommandTable()) {
    EXPECT_LT(last, row.name);
    last = row.name;
    EXPECT_EQ(DocOf(row.name).name, row.name);
    EXPECT_FALSE(DocOf(row.name).summary.empty());
    EXPECT_NE(row.handler, nullptr);
  }
}

TEST(CommandTableTest, AKeyIsAlwaysWithinTheLeastArity) {
  for (const CommandRow& row : CommandTable()) {
    const int least = row.arity >= 0 ? row.arity : -row.arity;
    EXPECT_LT(row.first_key, least) << row.name;
    // A row either reads or writes where it touches keys at all.
    const bool touches = row.first_key != 0 || (row.flags & kAllKeys) != 0;
    const bool marked = (row.flags & (kReadonly | kWrite)) != 0;
    EXPECT_TRUE(!touches || marked || row.name == "dyn.preflist") << row.name;
  }
}

TEST(CommandTableTest, NamesAreFoundInAnyCase) {
  ASSERT_NE(FindCommand("GeT"), nullptr);
  EXPECT_EQ(FindCommand("GeT")->name, "get");
  EXPECT_EQ(FindCommand("dyn.PUT")->name, "dyn.put");
  EXPECT_EQ(FindCommand("gets"), nullptr);
  EXPECT_EQ(FindCommand(""), nullptr);
  EXPECT_EQ(FindCommand(std::string(100000, 'g')), nullptr);
}

TEST(CommandTableTest, KeysFollowTheRow) {
  const auto keys_of = [](std::string_view name, size_t count) {
    std::vector<size_t> keys;
    ForEachKey(*FindCommand(name), count, [&keys](size_t index) { keys.push_back(index); });
    return keys;
  };
  EXPECT_EQ(keys_of("get", 2), (std::vector<size_t>{1}));
  EXPECT_EQ(keys_of("set", 7), (std::vector<size_t>{1}));
  EXPECT_EQ(keys_of("mget", 4), (std::vector<size_t>{1, 2, 3}));
  EXPECT_EQ(keys_of("mset", 5), (std::vector<size_t>{1, 3}));
  EXPECT_EQ(keys_of("ping", 2), (std::vector<size_t>{}));
}

}  // namespace
}  // namespace cartwheel
