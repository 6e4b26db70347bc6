#include "server/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace cartwheel {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::trace;
    case LogLevel::kVerbose: return spdlog::level::debug;
    case LogLevel::kNotice: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
  }
  return spdlog::level::info;
}

}  // namespace

Result<void> OpenLog(const std::string& path, LogLevel level) {
  // spdlog would make missing directories.
  std::FILE* const file = path.empty() ? nullptr : std::fopen(path.c_str(), "ae");
  if (!path.empty() && file == nullptr) {
    return Error(ErrorCode::kIo,
                 fmt::format("option 'logfile': bad value '{}': {}", path, std::strerror(errno)));
  }
  if (file != nullptr) std::fclose(file);
  spdlog::sink_ptr sink;
  try {
    if (path.empty()) {
      sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    }
  } catch (const spdlog::spdlog_ex& error) {
    return Error(ErrorCode::kIo,
                 fmt::format("option 'logfile': bad value '{}': {}", path, error.what()));
  }
  auto logger = std::make_shared<spdlog::logger>("cartwheel", std::move(sink));
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %P %v");
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  SetLogLevel(level);
  return {};
}

void SetLogLevel(LogLevel level) { spdlog::set_level(ToSpdlog(level)); }

void LogText(LogLevel level, std::string_view text) {
  spdlog::log(ToSpdlog(level), "{}{}", level == LogLevel::kWarning ? "warning: " : "", text);
}

}  // namespace cartwheel
