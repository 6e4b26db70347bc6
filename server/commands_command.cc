// COMMAND: what the rows of the command table say, in the shapes of Redis 7.
#include "server/command.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/glob.h"
#include "server/command_docs.h"
#include "server/commands.h"
#include "server/subcommands.h"
#include "server/text.h"

namespace cartwheel {
namespace {

constexpr std::pair<CommandFlag, std::string_view> kFlagNames[] = {
    {kWrite, "write"}, {kReadonly, "readonly"},        {kDenyOom, "denyoom"},
    {kAdmin, "admin"}, {kNoScript, "noscript"},        {kLoading, "loading"},
    {kStale, "stale"}, {kSkipMonitor, "skip_monitor"}, {kSkipSlowlog, "skip_slowlog"},
    {kFast, "fast"},   {kNoAuth, "no_auth"},           {kMovableKeys, "movablekeys"},
};

std::vector<std::string_view> FlagNames(const CommandRow& row) {
  std::vector<std::string_view> names;
  for (const auto& [flag, name] : kFlagNames) {
    if ((row.flags & flag) != 0) names.push_back(name);
  }
  return names;
}

// The ACL categories that follow from the flags and the group.
std::vector<std::string_view> CategoriesOf(const CommandRow& row) {
  std::vector<std::string_view> names;
  const std::string_view group = DocOf(row.name).group;
  if (group == "generic") names.push_back("@keyspace");
  if ((row.flags & kReadonly) != 0) names.push_back("@read");
  if ((row.flags & kWrite) != 0) names.push_back("@write");
  if (group == "string") names.push_back("@string");
  if ((row.flags & kAdmin) != 0) names.push_back("@admin");
  names.push_back((row.flags & kFast) != 0 ? "@fast" : "@slow");
  const bool whole_keyspace = (row.flags & kAllKeys) != 0 && row.name != "dbsize";
  if ((row.flags & kAdmin) != 0 || whole_keyspace) names.push_back("@dangerous");
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

// Where the keys stand: our rows all say "from this argument to that one".
void WriteKeySpecs(ReplyWriter* reply, const CommandRow& row) {
  if (row.first_key == 0) return reply->Set(0);
  reply->Set(1);
  reply->Map(3);
  reply->Bulk("flags");
  if ((row.flags & kWrite) != 0) {
    WriteSimpleSet(reply, {"RW", "update"});
  } else {
    WriteSimpleSet(reply, {"RO", "access"});
  }
  reply->Bulk("begin_search");
  reply->Map(2);
  reply->Bulk("type");
  reply->Bulk("index");
  reply->Bulk("spec");
  reply->Map(1);
  WriteNumber(reply, "index", row.first_key);
  reply->Bulk("find_keys");
  reply->Map(2);
  reply->Bulk("type");
  reply->Bulk("range");
  reply->Bulk("spec");
  reply->Map(3);
  WriteNumber(reply, "lastkey", row.last_key >= 0 ? row.last_key - row.first_key : row.last_key);
  WriteNumber(reply, "keystep", row.key_step);
  WriteNumber(reply, "limit", 0);
}

void WriteRow(ReplyWriter* reply, const CommandRow& row) {
  reply->Array(10);
  reply->Bulk(row.name);
  reply->Integer(row.arity);
  WriteSimpleSet(reply, FlagNames(row));
  reply->Integer(row.first_key);
  reply->Integer(row.last_key);
  reply->Integer(row.key_step);
  WriteSimpleSet(reply, CategoriesOf(row));
  reply->Set(0);  // tips
  WriteKeySpecs(reply, row);
  reply->Set(0);  // subcommands
}

void WriteDoc(ReplyWriter* reply, const CommandRow& row) {
  const CommandDoc& doc = DocOf(row.name);
  reply->Bulk(row.name);
  reply->Map(3);
  reply->Bulk("summary");
  reply->Bulk(doc.summary);
  reply->Bulk("since");
  reply->Bulk(doc.since);
  reply->Bulk("group");
  reply->Bulk(doc.group);
}

void ReplyAllRows(Call& call) {
  ReplyWriter reply = call.Reply();
  reply.Array(CommandTable().size());
  for (const CommandRow& row : CommandTable()) WriteRow(&reply, row);
}

void CommandCount(Call& call) { call.Reply().Integer(static_cast<int64_t>(CommandTable().size())); }

void CommandInfo(Call& call) {
  if (call.arg_count() == 2) return ReplyAllRows(call);
  ReplyWriter reply = call.Reply();
  reply.Array(call.arg_count() - 2);
  for (const std::string_view name : call.args().subspan(2)) {
    const CommandRow* row = FindCommand(name);
    if (row == nullptr) {
      reply.Null();
    } else {
      WriteRow(&reply, *row);
    }
  }
}

void CommandDocs(Call& call) {
  std::vector<const CommandRow*> rows;
  if (call.arg_count() == 2) {
    for (const CommandRow& row : CommandTable()) rows.push_back(&row);
  }
  for (const std::string_view name : call.args().subspan(2)) {
    const CommandRow* row = FindCommand(name);
    if (row != nullptr) rows.push_back(row);
  }
  ReplyWriter reply = call.Reply();
  reply.Map(rows.size());
  for (const CommandRow* row : rows) WriteDoc(&reply, *row);
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
  for (const CommandRow& row : CommandTable()) {
    bool wanted = !by_module;  // there are no modules
    if (by_pattern) wanted = GlobMatchesIgnoringCase(call.arg(4), row.name);
    if (by_category) {
      const auto categories = CategoriesOf(row);
      wanted = std::any_of(categories.begin(), categories.end(), [&](std::string_view category) {
        return EqualsIgnoreCase(category.substr(1), call.arg(4));
      });
    }
    if (wanted) names.push_back(row.name);
  }
  ReplyWriter reply = call.Reply();
  reply.Array(names.size());
  for (const std::string_view name : names) reply.Bulk(name);
}

void CommandGetKeys(Call& call) {
  const auto words = call.args().subspan(2);
  const CommandRow* row = FindCommand(words[0]);
  if (row == nullptr) return call.Error("ERR Invalid command specified");
  if (row->first_key == 0) return call.Error("ERR The command has no key arguments");
  if (!ArityFits(*row, words.size())) {
    return call.Error("ERR Invalid number of arguments specified for command");
  }
  std::vector<std::string_view> keys;
  ForEachKey(*row, words.size(), [&](size_t index) { keys.push_back(words[index]); });
  ReplyWriter reply = call.Reply();
  reply.Array(keys.size());
  for (const std::string_view key : keys) reply.Bulk(key);
}

constexpr Subcommand kCommandTable[] = {
    {"count", 2, CommandCount, "COUNT", "How many commands there are."},
    {"docs", -2, CommandDocs, "DOCS [<command-name> ...]", "What commands do, in words."},
    {"getkeys", -4, CommandGetKeys, "GETKEYS <full-command>", "The keys of a whole command."},
    {"info", -2, CommandInfo, "INFO [<command-name> ...]",
     "Arity, flags and key positions of commands."},
    {"list", -2, CommandList, "LIST [FILTERBY (MODULE|ACLCAT|PATTERN) <value>]",
     "The names of commands."},
};

}  // namespace

void CommandCommand(Call& call) {
  if (call.arg_count() == 1) return ReplyAllRows(call);
  RunSubcommand(call, kCommandTable);
}

}  // namespace cartwheel
