#include "server/subcommands.h"

#include <fmt/format.h>

#include <string>

#include "server/text.h"

namespace cartwheel {
namespace {

constexpr size_t kShownBytes = 128;

std::string Upper(std::string_view name) {
  std::string upper(name);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

bool ArityFits(int arity, size_t arguments) {
  return arity >= 0 ? arguments == static_cast<size_t>(arity)
                    : arguments >= static_cast<size_t>(-arity);
}

void ReplyWrongArity(Call& call, std::string_view subcommand) {
  call.Error(fmt::format("ERR wrong number of arguments for '{}|{}' command", call.row().name,
                         subcommand));
}

void ReplyHelp(Call& call, std::span<const Subcommand> table) {
  ReplyWriter reply = call.Reply();
  reply.Array(3 + 2 * table.size());
  reply.Simple(Upper(call.row().name) +
               " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const Subcommand& subcommand : table) {
    reply.Simple(subcommand.usage);
    reply.Simple("    " + std::string(subcommand.summary));
  }
  reply.Simple("HELP");
  reply.Simple("    Prints this help.");
}

}  // namespace

void RunSubcommand(Call& call, std::span<const Subcommand> table) {
  for (const Subcommand& subcommand : table) {
    if (!EqualsIgnoreCase(call.arg(1), subcommand.name)) continue;
    if (!ArityFits(subcommand.arity, call.arg_count())) {
      return ReplyWrongArity(call, subcommand.name);
    }
    return subcommand.handler(call);
  }
  if (EqualsIgnoreCase(call.arg(1), "help")) {
    if (call.arg_count() != 2) return ReplyWrongArity(call, "help");
    return ReplyHelp(call, table);
  }
  call.Error(fmt::format("ERR unknown subcommand '{}'. Try {} HELP.",
                         call.arg(1).substr(0, kShownBytes), Upper(call.row().name)));
}

}  // namespace cartwheel
