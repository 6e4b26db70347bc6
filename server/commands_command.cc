// COMMAND: what the rows of the command table say, in the shapes of Redis 7.
#include "server/command.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/glob.h"
#include "server/commands.h"
#include "server/text.h"

namespace cartwheel {
namespace {

constexpr std::pair<CommandFlag, std::string_view> kFlagNames[] = {
    {kWrite, "write"}, {kReadonly, "readonly"},        {kDenyOom, "denyoom"},
    {kAdmin, "admin"}, {kNoScript, "noscript"},        {kLoading, "loading"},
    {kStale, "stale"}, {kSkipMonitor, "skip_monitor"}, {kSkipSlowlog, "skip_slowlog"},
    {kFast, "fast"},   {kNoAuth, "no_auth"},           {kMovableKeys, "movablekeys"},
};

std::vector<std::string_view> FlagNames(const Command& command) {
  std::vector<std::string_view> names;
  for (const auto& [flag, name] : kFlagNames) {
    if ((command.flags & flag) != 0) names.push_back(name);
  }
  return names;
}

// The ACL categories that follow from the flags and the group.
std::vector<std::string_view> CategoriesOf(const Command& command) {
  std::vector<std::string_view> names;
  const std::string_view group = command.group;
  if (group == "generic") names.push_back("@keyspace");
  if ((command.flags & kReadonly) != 0) names.push_back("@read");
  if ((command.flags & kWrite) != 0) names.push_back("@write");
  if (group == "string") names.push_back("@string");
  if (group == "bitmap") names.push_back("@bitmap");
  if (group == "hyperloglog") names.push_back("@hyperloglog");
  if ((command.flags & kAdmin) != 0) names.push_back("@admin");
  names.push_back((command.flags & kFast) != 0 ? "@fast" : "@slow");
  const bool whole_keyspace = (command.flags & kAllKeys) != 0 && command.name != "dbsize";
  if ((command.flags & kAdmin) != 0 || whole_keyspace) names.push_back("@dangerous");
  if (group == "connection") names.push_back("@connection");
  return names;
}

void WriteSimpleSet(ReplyWriter* reply, const std::vector<std::string_view>& names) {
  reply->Set(names.size());
  for (const std::string_view name : names) reply->Simple(name);
}

void WriteNumber(ReplyWriter* reply, std::string_view name, int64_t value) {
  reply->Bulk(name);
  reply->Integer(value);
}

constexpr std::pair<KeyFlag, std::string_view> kKeyFlagNames[] = {
    {kKeyRead, "RO"},
    {kKeyReadWrite, "RW"},
    {kKeyOverwrite, "OW"},
    {kKeyRemove, "RM"},
    {kKeyAccess, "access"},
    {kKeyUpdate, "update"},
    {kKeyInsert, "insert"},
    {kKeyDelete, "delete"},
    {kKeyNotKey, "not_key"},
    {kKeyIncomplete, "incomplete"},
    {kKeyVariable, "variable_flags"},
};

std::vector<std::string_view> KeyFlagNames(uint32_t flags) {
  std::vector<std::string_view> names;
  for (const auto& [flag, name] : kKeyFlagNames) {
    if ((flags & flag) != 0) names.push_back(name);
  }
  return names;
}

// Where keys stand: all our ranges go from one argument to another.
void WriteKeySpec(ReplyWriter* reply, const KeyRange& range) {
  reply->Map(3);
  reply->Bulk("flags");
  WriteSimpleSet(reply, KeyFlagNames(range.flags));
  reply->Bulk("begin_search");
  reply->Map(2);
  reply->Bulk("type");
  reply->Bulk("index");
  reply->Bulk("spec");
  reply->Map(1);
  WriteNumber(reply, "index", range.first);
  reply->Bulk("find_keys");
  reply->Map(2);
  reply->Bulk("type");
  reply->Bulk("range");
  reply->Bulk("spec");
  reply->Map(3);
  WriteNumber(reply, "lastkey", range.last >= 0 ? range.last - range.first : range.last);
  WriteNumber(reply, "keystep", range.step);
  WriteNumber(reply, "limit", 0);
}

void WriteKeySpecs(ReplyWriter* reply, const Command& command) {
  const auto& keys = command.keys;
  reply->Set(static_cast<size_t>(
      std::count_if(keys.begin(), keys.end(), [](const KeyRange& k) { return k.first != 0; })));
  for (const KeyRange& range : keys) {
    if (range.first != 0) WriteKeySpec(reply, range);
  }
}

// One range that holds all keys, as Redis 6 told it.
KeyRange LegacyRange(const Command& command) {
  KeyRange all = command.keys[0];
  if (command.keys[1].first != 0) all.last = command.keys[1].last;
  if (all.first == 0) all.step = 0;
  return all;
}

void WriteCommand(ReplyWriter* reply, const Command& command) {
  const KeyRange range = LegacyRange(command);
  reply->Array(10);
  reply->Bulk(command.name);
  reply->Integer(command.arity);
  WriteSimpleSet(reply, FlagNames(command));
  reply->Integer(range.first);
  reply->Integer(range.last);
  reply->Integer(range.step);
  WriteSimpleSet(reply, CategoriesOf(command));
  reply->Set(0);  // tips
  WriteKeySpecs(reply, command);
  reply->Set(command.subcommands.size());
  for (const Command& subcommand : command.subcommands) WriteCommand(reply, subcommand);
}

void WriteDoc(ReplyWriter* reply, const Command& command) {
  const bool differs = !command.difference.empty();
  const bool contains = !command.subcommands.empty();
  reply->Bulk(command.name);
  reply->Map(3 + (differs ? 1 : 0) + (contains ? 1 : 0));
  reply->Bulk("summary");
  reply->Bulk(command.summary);
  reply->Bulk("since");
  reply->Bulk(command.since);
  reply->Bulk("group");
  reply->Bulk(command.group);
  if (differs) {
    reply->Bulk("cartwheel_difference");
    reply->Bulk(command.difference);
  }
  if (!contains) return;
  reply->Bulk("subcommands");
  reply->Map(command.subcommands.size());
  for (const Command& subcommand : command.subcommands) WriteDoc(reply, subcommand);
}

// "config|get" is one as well.
const Command* FindByFullName(std::string_view name) {
  const size_t bar = name.find('|');
  const Command* const command = FindCommand(name.substr(0, bar));
  if (command == nullptr || bar == std::string_view::npos) return command;
  return FindSubcommand(*command, name.substr(bar + 1));
}

void ReplyAllCommands(Call& call) {
  ReplyWriter reply = call.Reply();
  reply.Array(CommandTable().size());
  for (const Command& command : CommandTable()) WriteCommand(&reply, command);
}

void CommandCount(Call& call) { call.Reply().Integer(static_cast<int64_t>(CommandTable().size())); }

void CommandInfo(Call& call) {
  if (call.arg_count() == 2) return ReplyAllCommands(call);
  ReplyWriter reply = call.Reply();
  reply.Array(call.arg_count() - 2);
  for (const std::string_view name : call.args().subspan(2)) {
    const Command* const command = FindByFullName(name);
    if (command == nullptr) {
      reply.Null();
    } else {
      WriteCommand(&reply, *command);
    }
  }
}

void CommandDocs(Call& call) {
  std::vector<const Command*> commands;
  if (call.arg_count() == 2) {
    for (const Command& command : CommandTable()) commands.push_back(&command);
  }
  for (const std::string_view name : call.args().subspan(2)) {
    const Command* const command = FindByFullName(name);
    if (command != nullptr) commands.push_back(command);
  }
  ReplyWriter reply = call.Reply();
  reply.Map(commands.size());
  for (const Command* command : commands) WriteDoc(&reply, *command);
}

// LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]
void CommandList(Call& call) {
  const bool filtered = call.arg_count() == 5 && EqualsIgnoreCase(call.arg(2), "FILTERBY");
  if (!filtered && call.arg_count() != 2) return call.Error("ERR syntax error");
  const std::string_view by = filtered ? call.arg(3) : "";
  const bool by_module = EqualsIgnoreCase(by, "MODULE");
  const bool by_category = EqualsIgnoreCase(by, "ACLCAT");
  const bool by_pattern = EqualsIgnoreCase(by, "PATTERN");
  if (filtered && !by_module && !by_category && !by_pattern) {
    return call.Error("ERR syntax error");
  }
  std::vector<std::string_view> names;
  for (const Command& command : CommandTable()) {
    bool wanted = !by_module;  // there are no modules
    if (by_pattern) wanted = GlobMatchesIgnoringCase(call.arg(4), command.name);
    if (by_category) {
      const auto categories = CategoriesOf(command);
      wanted = std::any_of(categories.begin(), categories.end(), [&](std::string_view category) {
        return EqualsIgnoreCase(category.substr(1), call.arg(4));
      });
    }
    if (wanted) names.push_back(command.name);
  }
  ReplyWriter reply = call.Reply();
  reply.Array(names.size());
  for (const std::string_view name : names) reply.Bulk(name);
}

void CommandGetKeys(Call& call) {
  const auto words = call.args().subspan(2);
  const Command* const command = FindCommand(words);
  if (command == nullptr) return call.Error("ERR Invalid command specified");
  if (command->keys[0].first == 0) return call.Error("ERR The command has no key arguments");
  if (!ArityFits(*command, words.size())) {
    return call.Error("ERR Invalid number of arguments specified for command");
  }
  std::vector<std::string_view> keys;
  ForEachKey(*command, words.size(), [&](size_t index) { keys.push_back(words[index]); });
  ReplyWriter reply = call.Reply();
  reply.Array(keys.size());
  for (const std::string_view key : keys) reply.Bulk(key);
}

constexpr CommandRow kCommandTable[] = {
    {"command|count", 2, kAnytime, kNoKeys, CommandCount, "2.8.13", "How many commands there are.",
     "COUNT"},
    {"command|docs", -2, kAnytime, kNoKeys, CommandDocs, "7.0.0", "What commands do, in words.",
     "DOCS [<command-name> ...]"},
    {"command|getkeys", -4, kAnytime, kNoKeys, CommandGetKeys, "2.8.13",
     "The keys of a whole command.", "GETKEYS <full-command>"},
    {"command|info", -2, kAnytime, kNoKeys, CommandInfo, "2.8.13",
     "Arity, flags and key positions of commands.", "INFO [<command-name> ...]"},
    {"command|list", -2, kAnytime, kNoKeys, CommandList, "7.0.0", "The names of commands.",
     "LIST [FILTERBY (MODULE|ACLCAT|PATTERN) <value>]"},
};

void CommandCommand(Call& call) { ReplyAllCommands(call); }

constexpr CommandRow kRows[] = {
    {"command", -1, kAnytime, kNoKeys, CommandCommand, "2.8.13",
     "Describes the commands of this server.", "", "", kCommandTable},
};

}  // namespace

CommandFamily IntrospectionCommands() { return {"server", kRows}; }

}  // namespace cartwheel
