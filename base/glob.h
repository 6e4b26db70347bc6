// Glob: the patterns of KEYS, SCAN MATCH and CONFIG GET, as Redis reads them: `*`, `?`, `[a-z]`,
// `[^a]`, and `\` before a character that stands for itself. A class that is not closed ends with
// the pattern; a reversed range counts as its mirror. Never slower than pattern times text.
#pragma once

#include <string_view>

namespace cartwheel {

bool GlobMatches(std::string_view pattern, std::string_view text);
// The same, with ASCII letters of either case alike.
bool GlobMatchesIgnoringCase(std::string_view pattern, std::string_view text);

}  // namespace cartwheel
