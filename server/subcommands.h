// Subcommands: CLIENT, CONFIG, COMMAND and CLUSTER are containers; each has a table of these.
#pragma once

#include <span>
#include <string_view>

#include "server/command.h"

namespace cartwheel {

struct Subcommand {
  std::string_view name;  // lower case
  int arity;              // the container's name counts, as for commands; -n is "at least n"
  Handler handler;
  std::string_view usage;    // HELP: "GETNAME"
  std::string_view summary;  // HELP: one line
};

// Runs the subcommand that argument 1 names, or HELP; otherwise replies as Redis does.
void RunSubcommand(Call& call, std::span<const Subcommand> table);

}  // namespace cartwheel
