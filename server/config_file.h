// ConfigFile: CONFIG REWRITE. The file keeps its comments, its order, and each line whose option
// still has the value that the line gives it; other lines get the value in force, and options that
// the file does not name, but that were set and differ from their defaults, follow at its end.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "server/options.h"

namespace cartwheel {

// What a file of that text becomes.
std::string RewriteConfig(std::string_view text, const Options& options);

// Reads, rewrites and replaces the file in one step: a crash leaves the old one or the new one. The
// error is why not.
Result<void> RewriteConfigFile(const std::string& path, const Options& options);

}  // namespace cartwheel
