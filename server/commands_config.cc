// CONFIG: this node's options. GET also answers to what tools ask for by Redis's names where ours
// say the same in other words, and to what is so here once and for all.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/glob.h"
#include "server/command.h"
#include "server/command_stats.h"
#include "server/commands.h"
#include "server/config_file.h"
#include "server/text.h"

namespace cartwheel {
namespace {

using ConfigValues = std::map<std::string, std::string, std::less<>>;

// Redis's options that nobody can change here.
ConfigValues Facts(const Options& options) {
  const bool durable = options.engine == EngineKind::kLmdb;
  std::string_view sync = "everysec";
  if (options.fsync == FsyncPolicy::kAlways) sync = "always";
  if (options.fsync == FsyncPolicy::kNo) sync = "no";
  return {{"appendfsync", std::string(sync)},
          {"appendonly", durable ? "yes" : "no"},
          {"cluster-enabled", "yes"},
          {"daemonize", "no"},
          {"save", ""}};
}

// A name that is asked for without a pattern comes back as it was written.
std::string_view NameShown(std::span<const std::string_view> patterns, std::string_view name) {
  for (const std::string_view pattern : patterns) {
    if (EqualsIgnoreCase(pattern, name)) return pattern;
  }
  return name;
}

void ConfigGet(Call& call) {
  const Options& options = call.server().options;
  const auto patterns = call.args().subspan(2);
  const auto wanted = [&patterns](std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(), [name](std::string_view pattern) {
      return GlobMatchesIgnoringCase(pattern, name);
    });
  };
  ConfigValues found;
  for (const OptionRow& row : OptionTable()) {
    if (wanted(row.name)) found.emplace(row.name, row.print(options));
  }
  for (const auto& [name, value] : Facts(options)) {
    if (wanted(name)) found.emplace(name, value);
  }
  ReplyWriter reply = call.Reply();
  reply.Map(found.size());
  for (const auto& [name, value] : found) {
    reply.Bulk(NameShown(patterns, name));
    reply.Bulk(value);
  }
}

std::string SetFailure(std::string_view name, std::string_view why) {
  return fmt::format("ERR CONFIG SET failed (possibly related to argument '{}') - {}", name, why);
}

// What cannot be changed may be set to what it is: so a tool can write back all that it read.
bool Changes(const Options& options, std::string_view name, std::string_view value) {
  if (const OptionRow* row = FindOption(name)) {
    Options trial = options;
    return !TakeValue(&trial, *row, value).empty() || row->print(trial) != row->print(options);
  }
  return Facts(options).find(name)->second != value;
}

// The first of the names that cannot be set at all; empty: all can.
std::string FirstBadName(Call& call) {
  const Options& options = call.server().options;
  const ConfigValues facts = Facts(options);
  std::vector<std::string> seen;
  for (size_t index = 2; index < call.arg_count(); index += 2) {
    const std::string_view name = call.arg(index);
    const OptionRow* const row = FindOption(name);
    const auto fact = facts.find(LowerCase(name));
    if (row == nullptr && fact == facts.end()) {
      return fmt::format("ERR Unknown option or number of arguments for CONFIG SET - '{}'",
                         Shown(name));
    }
    const std::string known = row != nullptr ? std::string(row->name) : fact->first;
    if ((row == nullptr || !row->changeable) && Changes(options, known, call.arg(index + 1))) {
      return SetFailure(known, "can't set immutable config");
    }
    if (std::find(seen.begin(), seen.end(), known) != seen.end()) {
      return SetFailure(known, "duplicate parameter");
    }
    seen.push_back(known);
  }
  return {};
}

// All of the pairs or none.
void ConfigSet(Call& call) {
  if (call.arg_count() % 2 != 0) {
    return call.Error("ERR syntax error");
  }
  const std::string bad_name = FirstBadName(call);
  if (!bad_name.empty()) return call.Error(bad_name);
  Options changed = call.server().options;
  std::string_view last;
  for (size_t index = 2; index < call.arg_count(); index += 2) {
    const OptionRow* const row = FindOption(call.arg(index));
    if (row == nullptr || !row->changeable) continue;  // it is so already
    const std::string obstacle = TakeValue(&changed, *row, call.arg(index + 1));
    if (!obstacle.empty()) return call.Error(SetFailure(row->name, obstacle));
    last = row->name;
  }
  const auto fits = CheckOptions(changed);
  if (!fits) return call.Error(SetFailure(last, fits.error().message));
  const auto set = call.server().change_options(std::move(changed), &last);
  if (!set) return call.Error(SetFailure(last, set.error().message));
  call.Reply().Ok();
}

void ConfigResetStat(Call& call) {
  ResetStats(&call.server());
  call.Reply().Ok();
}

void ConfigRewrite(Call& call) {
  const Server& server = call.server();
  if (server.config_file.empty()) {
    return call.Error("ERR The server is running without a config file");
  }
  const auto rewritten = RewriteConfigFile(server.config_file, server.options);
  if (!rewritten) return call.Error("ERR Rewriting CONFIG file: " + rewritten.error().message);
  call.Reply().Ok();
}

constexpr uint32_t kFlags = kAdmin | kNoScript | kAnytime;

constexpr CommandRow kConfigTable[] = {
    {"config|get", -3, kFlags, kNoKeys, ConfigGet, "2.0.0", "Options that match a pattern.",
     "GET <pattern> [<pattern> ...]",
     "knows Cartwheel's options, and a few of Redis's names that say the same"},
    {"config|resetstat", 2, kFlags, kNoKeys, ConfigResetStat, "2.0.0",
     "Sets what INFO counts back to zero.", "RESETSTAT",
     "the counters of DYN.STATUS only grow and stay"},
    {"config|rewrite", 2, kFlags, kNoKeys, ConfigRewrite, "2.8.0",
     "Writes the options in force into the configuration file.", "REWRITE"},
    {"config|set", -4, kFlags, kNoKeys, ConfigSet, "2.0.0", "Changes options of this node.",
     "SET <option> <value> [<option> <value> ...]",
     "an option that cannot be changed may be set to the value it has"},
};

constexpr CommandRow kRows[] = {
    {"config", -2, 0, kNoKeys, nullptr, "2.0.0", "Reads and changes options.", "", "",
     kConfigTable},
};

}  // namespace

CommandFamily ConfigCommands() { return {"server", kRows}; }

}  // namespace cartwheel
