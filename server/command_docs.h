// What COMMAND DOCS tells of each command: one line in words, its group, the Redis that brought it.
#pragma once

#include <string_view>

namespace cartwheel {

struct CommandDoc {
  std::string_view name;  // lower case
  std::string_view group;
  std::string_view since;
  std::string_view summary;
};

// Every command of the table has one.
const CommandDoc& DocOf(std::string_view name);

}  // namespace cartwheel
