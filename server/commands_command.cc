// COMMAND: what the rows of the command table say, in the shapes of Redis 7.
#include "server/command.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/glob.h"
#include "server/command_categories.h"
#include "server/commands.h"
#include "server/text.h"

namespace cartwheel {
namespace {

// In the order in which Redis names them.
constexpr std::pair<CommandFlag, std::string_view> kFlagNames[] = {
    {kWrite, "write"},
    {kReadonly, "readonly"},
    {kDenyOom, "denyoom"},
    {kAdmin, "admin"},
    {kPubSub, "pubsub"},
    {kNoScript, "noscript"},
    {kBlocking, "blocking"},
    {kLoading, "loading"},
    {kStale, "stale"},
    {kSkipMonitor, "skip_monitor"},
    {kSkipSlowlog, "skip_slowlog"},
    {kAskingFlag, "asking"},
    {kFast, "fast"},
    {kNoAuth, "no_auth"},
    {kNoMandatoryKeys, "no_mandatory_keys"},
    {kNoAsyncLoading, "no_async_loading"},
    {kNoMulti, "no_multi"},
    {kMovableKeys, "movablekeys"},
    {kAllowBusy, "allow_busy"},
};

std::vector<std::string_view> FlagNames(const Command& command) {
  std::vector<std::string_view> names;
  for (const auto& [flag, name] : kFlagNames) {
    if ((command.flags & flag) != 0) names.push_back(name);
  }
  return names;
}

void WriteSimpleSet(ReplyWriter* reply, const std::vector<std::string_view>& names) {
  reply->Set(names.size());
  for (const std::string_view name : names) reply->Simple(name);
}

void WriteCategories(ReplyWriter* reply, uint32_t categories) {
  const std::vector<std::string_view> names = NamesOfCategories(categories);
  reply->Set(names.size());
  for (const std::string_view name : names) reply->Simple("@" + std::string(name));
}

void WriteNumber(ReplyWriter* reply, std::string_view name, int64_t value) {
  reply->Bulk(name);
  reply->Integer(value);
}

constexpr uint32_t kStoredKey = kKeyOverwrite | kKeyUpdate;

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

// The keys of SORT's patterns nobody can list, and STORE's stands anywhere among the words.
void WriteUnknownKeySpec(ReplyWriter* reply, uint32_t flags) {
  reply->Map(3);
  reply->Bulk("flags");
  WriteSimpleSet(reply, KeyFlagNames(flags));
  for (const std::string_view part : {"begin_search", "find_keys"}) {
    reply->Bulk(part);
    reply->Map(2);
    reply->Bulk("type");
    reply->Bulk("unknown");
    reply->Bulk("spec");
    reply->Map(0);
  }
}

void WriteKeySpecs(ReplyWriter* reply, const Command& command) {
  const auto& keys = command.keys;
  const bool movable = (command.flags & kMovableKeys) != 0;
  const bool stores = movable && (command.flags & kWrite) != 0;
  const auto known =
      std::count_if(keys.begin(), keys.end(), [](const KeyRange& k) { return k.first != 0; });
  reply->Set(static_cast<size_t>(known) + (movable ? 1 : 0) + (stores ? 1 : 0));
  for (const KeyRange& range : keys) {
    if (range.first != 0) WriteKeySpec(reply, range);
  }
  if (movable) WriteUnknownKeySpec(reply, kReadsKey);
  if (stores) WriteUnknownKeySpec(reply, kStoredKey);
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
  WriteCategories(reply, CategoriesOf(command));
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

// Commands and their subcommands that are wanted.
void ReplyNames(Call& call, const std::function<bool(const Command&)>& wanted) {
  std::vector<std::string_view> names;
  for (const Command& command : CommandTable()) {
    if (wanted(command)) names.push_back(command.name);
    for (const Command& subcommand : command.subcommands) {
      if (wanted(subcommand)) names.push_back(subcommand.name);
    }
  }
  ReplyWriter reply = call.Reply();
  reply.Array(names.size());
  for (const std::string_view name : names) reply.Bulk(name);
}

// LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]
void CommandList(Call& call) {
  if (call.arg_count() == 2) {
    return ReplyNames(call, [](const Command&) { return true; });
  }
  if (call.arg_count() != 5 || !EqualsIgnoreCase(call.arg(2), "FILTERBY")) {
    return call.Error("ERR syntax error");
  }
  const std::string_view by = call.arg(3);
  const std::string_view value = call.arg(4);
  if (EqualsIgnoreCase(by, "MODULE")) return call.Reply().Array(0);  // there are none
  if (EqualsIgnoreCase(by, "ACLCAT")) {
    const uint32_t category = FindCategory(value).value_or(0);
    return ReplyNames(call, [category](const Command& command) {
      return (CategoriesOf(command) & category) != 0;
    });
  }
  if (EqualsIgnoreCase(by, "PATTERN")) {
    return ReplyNames(call, [value](const Command& command) {
      return GlobMatchesIgnoringCase(value, command.name);
    });
  }
  call.Error("ERR syntax error");
}

struct FoundKey {
  std::string_view key;
  uint32_t flags;  // KeyFlag
};

// What the words of SET and BITFIELD make of flags that vary.
uint32_t FlagsHere(const KeyRange& range, std::span<const std::string_view> words) {
  if ((range.flags & kKeyVariable) == 0) return range.flags;
  const auto has = [words](std::string_view word) {
    return std::any_of(words.begin() + 2, words.end(),
                       [word](std::string_view other) { return EqualsIgnoreCase(word, other); });
  };
  if (EqualsIgnoreCase(words[0], "set")) {
    return has("GET") ? kChangesKey : kStoredKey;
  }
  return has("SET") || has("INCRBY") ? kChangesKey : kReadsKey;
}

// Where SORT's last STORE names its key; 0: nowhere.
size_t StoredKeyOf(std::span<const std::string_view> words) {
  size_t found = 0;
  for (size_t i = 2; i < words.size(); ++i) {
    if (EqualsIgnoreCase(words[i], "LIMIT")) {
      i += 2;
    } else if (EqualsIgnoreCase(words[i], "BY") || EqualsIgnoreCase(words[i], "GET")) {
      i += 1;
    } else if (EqualsIgnoreCase(words[i], "STORE") && i + 1 < words.size()) {
      found = i + 1;
    }
  }
  return found;
}

// The keys of the command that follows two words; nothing when an error is the reply.
std::optional<std::vector<FoundKey>> KeysOf(Call& call) {
  const auto words = call.args().subspan(2);
  const Command* const command = FindCommand(words);
  if (command == nullptr) {
    call.Error("ERR Invalid command specified");
    return std::nullopt;
  }
  if (command->keys[0].first == 0) {
    call.Error("ERR The command has no key arguments");
    return std::nullopt;
  }
  if (!ArityFits(*command, words.size())) {
    call.Error("ERR Invalid number of arguments specified for command");
    return std::nullopt;
  }
  std::vector<FoundKey> keys;
  for (const KeyRange& range : command->keys) {
    const uint32_t flags = FlagsHere(range, words);
    ForEachKey(range, words.size(), [&](size_t index) { keys.push_back({words[index], flags}); });
  }
  if ((command->flags & (kMovableKeys | kWrite)) == (kMovableKeys | kWrite)) {
    const size_t stored = StoredKeyOf(words);
    if (stored != 0) keys.push_back({words[stored], kStoredKey});
  }
  return keys;
}

void CommandGetKeys(Call& call) {
  const auto keys = KeysOf(call);
  if (!keys) return;
  ReplyWriter reply = call.Reply();
  reply.Array(keys->size());
  for (const FoundKey& found : *keys) reply.Bulk(found.key);
}

void CommandGetKeysAndFlags(Call& call) {
  const auto keys = KeysOf(call);
  if (!keys) return;
  ReplyWriter reply = call.Reply();
  reply.Array(keys->size());
  for (const FoundKey& found : *keys) {
    reply.Array(2);
    reply.Bulk(found.key);
    WriteSimpleSet(&reply, KeyFlagNames(found.flags));
  }
}

constexpr CommandRow kCommandTable[] = {
    {"command|count", 2, kAnytime, kNoKeys, CommandCount, "2.8.13", "How many commands there are.",
     "COUNT"},
    {"command|docs", -2, kAnytime, kNoKeys, CommandDocs, "7.0.0", "What commands do, in words.",
     "DOCS [<command-name> ...]", "no arguments and no complexity"},
    {"command|getkeys", -4, kAnytime, kNoKeys, CommandGetKeys, "2.8.13",
     "The keys of a whole command.", "GETKEYS <full-command>"},
    {"command|getkeysandflags", -4, kAnytime, kNoKeys, CommandGetKeysAndFlags, "7.0.0",
     "The keys of a whole command, and what it does to them.", "GETKEYSANDFLAGS <full-command>"},
    {"command|info", -2, kAnytime, kNoKeys, CommandInfo, "2.8.13",
     "Arity, flags and key positions of commands.", "INFO [<command-name> ...]", "no tips"},
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
