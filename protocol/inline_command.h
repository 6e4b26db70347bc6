// Inline commands: a line typed by a person, as redis-cli and Redis's server split it. Blanks
// separate words; "..." knows \n \r \t \b \a \xHH and \ before any other byte; '...' knows only \'.
// A closing quote must end its word.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace cartwheel {

// Splits the `length` bytes at `line` (without its newline) and unescapes them in place, which
// never makes them longer: the words are views into the line. False when the quotes do not balance.
[[nodiscard]] bool SplitInlineCommand(char* line, size_t length,
                                      std::vector<std::string_view>* words);

}  // namespace cartwheel
