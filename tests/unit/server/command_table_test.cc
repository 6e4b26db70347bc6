#include "server/command_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cartwheel {
namespace {

// Commands and their subcommands.
std::vector<const Command*> All() {
  std::vector<const Command*> all;
  for (const Command& command : CommandTable()) {
    all.push_back(&command);
    for (const Command& subcommand : command.subcommands) all.push_back(&subcommand);
  }
  return all;
}

TEST(CommandTableTest, CommandsAreInOrderDocumentedAndNumbered) {
  std::string_view last;
  for (const Command& command : CommandTable()) {
    EXPECT_LT(last, command.name);
    last = command.name;
    EXPECT_TRUE(command.handler != nullptr || !command.subcommands.empty()) << command.name;
  }
  std::vector<bool> ids(CommandCount(), false);
  for (const Command* command : All()) {
    EXPECT_FALSE(command->summary.empty()) << command->name;
    ASSERT_LT(command->id, ids.size());
    EXPECT_FALSE(ids[command->id]);
    ids[command->id] = true;
  }
  EXPECT_EQ(All().size(), CommandCount());
}

TEST(CommandTableTest, AKeyIsAlwaysWithinTheLeastArity) {
  for (const Command* command : All()) {
    const int least = command->arity >= 0 ? command->arity : -command->arity;
    bool touches = (command->flags & kAllKeys) != 0;
    for (const KeyRange& range : command->keys) {
      if (range.first == 0 || (range.flags & kKeyNotKey) != 0) continue;
      // PFMERGE does without sources.
      EXPECT_LT(range.first, least + (command->name == "pfmerge" ? 1 : 0)) << command->name;
      touches = true;
    }
    // A row either reads or writes where it touches keys at all.
    const bool marked = (command->flags & (kReadonly | kWrite)) != 0;
    const bool looks = command->name == "dyn.preflist" || command->name == "watch";
    EXPECT_TRUE(!touches || marked || looks) << command->name;
  }
}

TEST(CommandTableTest, SubcommandsAreFoundByTheirContainer) {
  const std::string_view words[] = {"CLIENT", "Id"};
  const Command* const found = FindCommand(words);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->name, "client|id");
  EXPECT_EQ(found->short_name(), "id");
  EXPECT_EQ(found->container->name, "client");
  const std::string_view help[] = {"config", "HELP"};
  ASSERT_NE(FindCommand(help), nullptr);
  const std::string_view none[] = {"client", "nothing"};
  EXPECT_EQ(FindCommand(none), nullptr);
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
  EXPECT_EQ(keys_of("bitop", 5), (std::vector<size_t>{2, 3, 4}));
  EXPECT_EQ(keys_of("pfmerge", 2), (std::vector<size_t>{1}));
  EXPECT_EQ(keys_of("lcs", 4), (std::vector<size_t>{1, 2}));
  EXPECT_EQ(keys_of("ping", 2), (std::vector<size_t>{}));
}

}  // namespace
}  // namespace cartwheel
