// ACL: there is one user, "default", who may do everything; requirepass is its password. What would
// make or change users is an error.
#include <fmt/format.h>

#include <string>

#include "base/hash.h"
#include "server/command.h"
#include "server/command_categories.h"
#include "server/commands.h"
#include "server/data_directory.h"
#include "server/text.h"

namespace cartwheel {
namespace {

constexpr std::string_view kUser = "default";
constexpr std::string_view kOneUser =
    "ERR there is one user here, 'default', and requirepass is its password: users cannot be made "
    "or changed";
constexpr std::string_view kNoFile =
    "ERR there is no ACL file here: the one user is 'default', and requirepass is its password";
constexpr int64_t kMostPasswordBits = 4096;
constexpr int64_t kPasswordBits = 256;

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<uint8_t>(byte));
  return text;
}

// Of the password; empty when there is none.
std::string PasswordHash(const Call& call) {
  const std::string& password = call.server().options.requirepass;
  if (password.empty()) return {};
  const auto digest = Sha256(password);
  return Hex(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

void AclCat(Call& call) {
  ReplyWriter reply = call.Reply();
  if (call.arg_count() == 2) {
    reply.Array(CategoryNames().size());
    for (const std::string_view name : CategoryNames()) reply.Bulk(name);
    return;
  }
  if (call.arg_count() > 3) {
    return call.Error(
        "ERR unknown subcommand or wrong number of arguments for 'cat'. Try ACL HELP.");
  }
  const auto category = FindCategory(call.arg(2));
  if (!category) {
    return call.Error(fmt::format("ERR Unknown category '{}'", Shown(call.arg(2))));
  }
  std::vector<std::string_view> names;
  const auto add = [&](const Command& command) {
    if (command.subcommands.empty() && (CategoriesOf(command) & *category) != 0) {
      names.push_back(command.name);
    }
  };
  for (const Command& command : CommandTable()) {
    add(command);
    for (const Command& subcommand : command.subcommands) add(subcommand);
  }
  reply.Array(names.size());
  for (const std::string_view name : names) reply.Bulk(name);
}

void AclWhoAmI(Call& call) { call.Reply().Bulk(kUser); }

void AclUsers(Call& call) {
  call.Reply().Array(1);
  call.Reply().Bulk(kUser);
}

void AclList(Call& call) {
  const std::string hash = PasswordHash(call);
  call.Reply().Array(1);
  call.Reply().Bulk(
      fmt::format("user {} on {} ~* &* +@all", kUser, hash.empty() ? "nopass" : "#" + hash));
}

void AclGetUser(Call& call) {
  ReplyWriter reply = call.Reply();
  if (call.arg(2) != kUser) return reply.Null();
  const std::string hash = PasswordHash(call);
  reply.Map(6);
  reply.Bulk("flags");
  reply.Set(hash.empty() ? 2 : 1);
  reply.Bulk("on");
  if (hash.empty()) reply.Bulk("nopass");
  reply.Bulk("passwords");
  reply.Array(hash.empty() ? 0 : 1);
  if (!hash.empty()) reply.Bulk(hash);
  reply.Bulk("commands");
  reply.Bulk("+@all");
  reply.Bulk("keys");
  reply.Bulk("~*");
  reply.Bulk("channels");
  reply.Bulk("&*");
  reply.Bulk("selectors");
  reply.Array(0);
}

void AclGenPass(Call& call) {
  int64_t bits = kPasswordBits;
  if (call.arg_count() > 3) {
    return call.Error(
        "ERR unknown subcommand or wrong number of arguments for 'genpass'. Try ACL HELP.");
  }
  if (call.arg_count() == 3) {
    const auto number = ParseInteger(call.arg(2));
    if (!number) return call.Error("ERR value is not an integer or out of range");
    if (*number <= 0 || *number > kMostPasswordBits) {
      return call.Error(fmt::format(
          "ERR ACL GENPASS argument must be the number of bits for the output password, a positive "
          "number up to {}",
          kMostPasswordBits));
    }
    bits = *number;
  }
  const auto digits = static_cast<size_t>((bits + 3) / 4);
  std::string text;
  while (text.size() < digits) text += Hex(RandomBytes(32));
  call.Reply().Bulk(std::string_view(text).substr(0, digits));
}

void AclDryRun(Call& call) {
  if (call.arg(2) != kUser) {
    return call.Error(fmt::format("ERR User '{}' not found", Shown(call.arg(2))));
  }
  const auto words = call.args().subspan(3);
  const Command* const command = FindCommand(words);
  if (command == nullptr) {
    return call.Error(fmt::format("ERR Command '{}' not found", Shown(words[0])));
  }
  if (!ArityFits(*command, words.size())) {
    return call.Error(fmt::format("ERR wrong number of arguments for '{}' command", command->name));
  }
  call.Reply().Ok();
}

// Nothing is ever denied to the one user.
void AclLog(Call& call) {
  if (call.arg_count() > 3) {
    return call.Error(
        "ERR unknown subcommand or wrong number of arguments for 'log'. Try ACL HELP.");
  }
  if (call.arg_count() == 2) return call.Reply().Array(0);
  if (EqualsIgnoreCase(call.arg(2), "RESET")) return call.Reply().Ok();
  if (!ParseInteger(call.arg(2))) {
    return call.Error("ERR value is not an integer or out of range");
  }
  call.Reply().Array(0);
}

void AclSetUser(Call& call) { call.Error(kOneUser); }

void AclDelUser(Call& call) {
  for (const std::string_view user : call.args().subspan(2)) {
    if (user == kUser) return call.Error("ERR The 'default' user cannot be removed");
  }
  call.Reply().Integer(0);
}

void AclFile(Call& call) { call.Error(kNoFile); }

constexpr uint32_t kFlags = kAdmin | kNoScript | kAnytime;
constexpr uint32_t kOpenFlags = kNoScript | kAnytime;
constexpr std::string_view kDifference = "there is one user, 'default'";

constexpr CommandRow kAclTable[] = {
    {"acl|cat", -2, kOpenFlags, kNoKeys, AclCat, "6.0.0",
     "The categories of commands, or the commands of one.", "CAT [<category>]"},
    {"acl|deluser", -3, kFlags, kNoKeys, AclDelUser, "6.0.0",
     "Removes users, of which there are none but 'default'.", "DELUSER <username> [<username> ...]",
     kDifference},
    {"acl|dryrun", -4, kFlags, kNoKeys, AclDryRun, "7.0.0", "Whether a user may run a command.",
     "DRYRUN <username> <command> [<arg> ...]", kDifference},
    {"acl|genpass", -2, kOpenFlags, kNoKeys, AclGenPass, "6.0.0",
     "A random password in hexadecimal digits.", "GENPASS [<bits>]"},
    {"acl|getuser", 3, kFlags, kNoKeys, AclGetUser, "6.0.0", "What a user may do.",
     "GETUSER <username>", kDifference},
    {"acl|list", 2, kFlags, kNoKeys, AclList, "6.0.0", "All users, one.", "LIST", kDifference},
    {"acl|load", 2, kFlags, kNoKeys, AclFile, "6.0.0", "An error: there is no ACL file.", "LOAD",
     "always an error: there is no ACL file"},
    {"acl|log", -2, kFlags, kNoKeys, AclLog, "6.0.0", "What was denied to users: nothing.",
     "LOG [<count> | RESET]", "always empty: nothing is denied to the one user"},
    {"acl|save", 2, kFlags, kNoKeys, AclFile, "6.0.0", "An error: there is no ACL file.", "SAVE",
     "always an error: there is no ACL file"},
    {"acl|setuser", -3, kFlags, kNoKeys, AclSetUser, "6.0.0",
     "An error: there is one user, 'default'.", "SETUSER <username> <attribute> [<attribute> ...]",
     "always an error: there is one user, 'default', and requirepass is its password"},
    {"acl|users", 2, kFlags, kNoKeys, AclUsers, "6.0.0", "All users' names.", "USERS", kDifference},
    {"acl|whoami", 2, kOpenFlags, kNoKeys, AclWhoAmI, "6.0.0", "The user of this connection.",
     "WHOAMI"},
};

constexpr CommandRow kRows[] = {
    {"acl", -2, 0, kNoKeys, nullptr, "6.0.0", "Shows who may do what.", "", "", kAclTable},
};

}  // namespace

CommandFamily AclCommands() { return {"server", kRows}; }

}  // namespace cartwheel
