#include "server/command_table.h"

#include <algorithm>
#include <deque>
#include <string>

#include "base/check.h"
#include "server/command.h"
#include "server/commands.h"
#include "server/text.h"

namespace cartwheel {
namespace {

// HELP of a container: made of its subcommands' rows.
void HelpCommand(Call& call) {
  const Command& container = *call.command().container;
  ReplyWriter reply = call.Reply();
  reply.Array(1 + 2 * container.subcommands.size());
  reply.Simple(UpperCase(container.name) +
               " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const Command& subcommand : container.subcommands) {
    if (subcommand.handler == HelpCommand) continue;
    reply.Simple(subcommand.usage);
    reply.Simple("    " + std::string(subcommand.summary));
  }
  reply.Simple("HELP");
  reply.Simple("    Prints this help.");
}

constexpr size_t kMostNameBytes = 64;

// ASCII letters fold by their sixth bit; other characters may collide, which costs a comparison.
size_t HashName(std::string_view name) {
  uint32_t hash = static_cast<uint32_t>(name.size());
  for (const char c : name) hash = hash * 31 + (static_cast<uint8_t>(c) | 0x20u);
  return hash ^ hash >> 10;
}

// All families' rows, in order, and a small open-addressed table over their names.
class Table {
 public:
  Table() {
    for (const CommandFamily& family :
         {ConnectionCommands(), ClientCommands(),  IntrospectionCommands(), ServerCommands(),
          ConfigCommands(),     SlowlogCommands(), LatencyCommands(),       MemoryCommands(),
          AclCommands(),        DebugCommands(),   FunctionCommands(),      TransactionCommands(),
          PubSubCommands(),     WaitCommands(),    StringCommands(),        CounterCommands(),
          RangeCommands(),      BitCommands(),     BitfieldCommands(),      HyperLogLogCommands(),
          KeyCommands(),        KeyCopyCommands(), ScanCommands(),          ObjectCommands(),
          SortCommands(),       SaveCommands(),    VersionCommands(),       RingCommands(),
          MemberCommands(),     ClusterCommands()}) {
      for (const CommandRow& row : family.rows) {
        commands_.push_back(Command{row, 0, family.group, nullptr, {}});
      }
    }
    const auto by_name = [](const Command& a, const Command& b) { return a.name < b.name; };
    std::sort(commands_.begin(), commands_.end(), by_name);
    CHECK(commands_.size() < kBuckets / 2);
    for (Command& command : commands_) {
      AddSubcommands(&command);
      Add(&command);
    }
  }
  Table(const Table&) = delete;

  std::span<const Command> commands() const { return commands_; }
  size_t count() const { return count_; }
  const Command* Find(std::string_view name) const {
    for (size_t bucket = HashName(name) % kBuckets; buckets_[bucket] != nullptr;
         bucket = (bucket + 1) % kBuckets) {
      if (EqualsIgnoreCase(buckets_[bucket]->name, name)) return buckets_[bucket];
    }
    return nullptr;
  }

 private:
  static constexpr size_t kBuckets = 1024;

  void Add(Command* command) {
    command->id = count_++;
    size_t bucket = HashName(command->name) % kBuckets;
    while (buckets_[bucket] != nullptr) bucket = (bucket + 1) % kBuckets;
    buckets_[bucket] = command;
  }

  void AddSubcommands(Command* container) {
    const std::span<const CommandRow> rows = container->CommandRow::subcommands;
    if (rows.empty()) return;
    const std::string& help_name = help_names_.emplace_back(std::string(container->name) + "|help");
    std::vector<Command>& into = container->subcommands;
    for (const CommandRow& row : rows) into.push_back({row, 0, container->group, container, {}});
    into.push_back({{help_name, 2, kAnytime, {}, HelpCommand, "5.0.0", "Prints this help.", "HELP"},
                    0,
                    container->group,
                    container,
                    {}});
    std::sort(into.begin(), into.end(),
              [](const Command& a, const Command& b) { return a.name < b.name; });
    for (Command& command : into) command.id = count_++;
  }

  std::vector<Command> commands_;
  std::deque<std::string> help_names_;
  std::array<const Command*, kBuckets> buckets_{};
  uint32_t count_ = 0;
};

const Table& TheTable() {
  static const Table kTable;
  return kTable;
}

}  // namespace

std::span<const Command> CommandTable() { return TheTable().commands(); }

size_t CommandCount() { return TheTable().count(); }

const Command* FindCommand(std::string_view name) {
  // Longer names are no commands; hashing them would cost what their sender likes.
  return name.size() <= kMostNameBytes ? TheTable().Find(name) : nullptr;
}

const Command* FindSubcommand(const Command& container, std::string_view name) {
  for (const Command& subcommand : container.subcommands) {
    if (EqualsIgnoreCase(subcommand.short_name(), name)) return &subcommand;
  }
  return nullptr;
}

const Command* FindByFullName(std::string_view name) {
  const size_t bar = name.find('|');
  const Command* const command = FindCommand(name.substr(0, bar));
  if (command == nullptr || bar == std::string_view::npos) return command;
  return FindSubcommand(*command, name.substr(bar + 1));
}

const Command* FindCommand(std::span<const std::string_view> words) {
  const Command* const command = FindCommand(words[0]);
  if (command == nullptr || command->subcommands.empty() || words.size() == 1) return command;
  return FindSubcommand(*command, words[1]);
}

}  // namespace cartwheel
