#include "server/secrets.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cartwheel {
namespace {

using Words = std::vector<std::string>;

Words Hidden(Words words) {
  const std::vector<std::string_view> views(words.begin(), words.end());
  HideSecrets(*FindCommand(views), words);
  return words;
}

TEST(SecretsTest, PasswordsAreHiddenWhereverTheyStand) {
  EXPECT_EQ(Hidden({"AUTH", "a"}), (Words{"AUTH", "(redacted)"}));
  EXPECT_EQ(Hidden({"auth", "u", "a"}), (Words{"auth", "(redacted)", "(redacted)"}));
  EXPECT_EQ(Hidden({"hello", "3", "SETNAME", "n", "auth", "u", "p", "x"}),
            (Words{"hello", "3", "SETNAME", "n", "auth", "(redacted)", "(redacted)", "x"}));
  EXPECT_EQ(Hidden({"config", "set", "timeout", "1", "RequirePass", "p", "cluster-secret", "q"}),
            (Words{"config", "set", "timeout", "1", "RequirePass", "(redacted)", "cluster-secret",
                   "(redacted)"}));
  EXPECT_EQ(Hidden({"acl", "setuser", "u", ">p"}),
            (Words{"acl", "setuser", "(redacted)", "(redacted)"}));
}

TEST(SecretsTest, EverythingElseIsShown) {
  for (const Words& words :
       {Words{"set", "auth", "requirepass"}, Words{"config", "get", "requirepass"},
        Words{"hello", "3"}, Words{"ping"}}) {
    EXPECT_EQ(Hidden(words), words);
  }
}

}  // namespace
}  // namespace cartwheel
