// Log: the process's log lines, on standard output or in a file. spdlog underneath; lines are
// short, one event each, and written at once. The loop's thread opens it; any thread may write.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "cluster/effects.h"

namespace cartwheel {

// Opens the file (empty: standard output), or opens it again after it was moved away.
Result<void> OpenLog(const std::string& path, LogLevel level);
void SetLogLevel(LogLevel level);

void LogText(LogLevel level, std::string_view text);

template <typename... Arguments>
void LogEvent(LogLevel level, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  LogText(level, fmt::format(format, std::forward<Arguments>(arguments)...));
}

}  // namespace cartwheel
