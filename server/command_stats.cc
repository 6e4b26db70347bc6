#include "server/command_stats.h"

#include <utility>

#include "server/secrets.h"
#include "server/server.h"
#include "server/shown_words.h"

namespace cartwheel {
namespace {

constexpr int64_t kNsPerUs = 1000;
constexpr int64_t kUsPerMs = 1000;

void NoteSlow(Server* server, const Finished& finished) {
  SlowCommand slow;
  slow.wall_s = server->now.wall_ms / 1000;
  slow.duration_us = finished.duration_us;
  slow.words = UnpackWords(finished.words);
  HideSecrets(*finished.command, slow.words);
  slow.address = finished.session->address;
  slow.name = finished.session->name;
  server->stats.slow_log.Add(std::move(slow), server->options.slowlog_max_entries);
}

}  // namespace

void NoteFinished(Server* server, const Finished& finished) {
  ++server->counters.commands_processed;
  const Options& options = server->options;
  CommandCounters& counters = server->stats.commands[finished.command->id];
  ++counters.calls;
  counters.us += finished.duration_us;
  counters.failed += finished.failed ? 1 : 0;
  if (options.latency_tracking) {
    counters.times.Add(static_cast<uint64_t>(finished.duration_us * kNsPerUs));
  }
  if (!finished.words.empty()) NoteSlow(server, finished);
  const int64_t ms = finished.duration_us / kUsPerMs;
  if (options.latency_threshold_ms > 0 && ms >= options.latency_threshold_ms) {
    const bool fast = (finished.command->flags & kFast) != 0;
    server->stats.latency.Add(fast ? "fast-command" : "command", server->now.wall_ms / 1000, ms);
  }
}

void NoteRejected(Server* server, const Command& command) {
  ++server->stats.commands[command.id].rejected;
}

void NoteError(Server* server, std::string_view line) {
  ++server->counters.errors_replied;
  const std::string_view code = line.substr(0, line.find(' '));
  auto& errors = server->stats.errors;
  const auto found = errors.find(code);
  if (found != errors.end()) {
    ++found->second;
  } else if (errors.size() < CommandStats::kMostErrorKinds) {
    errors.emplace(code.substr(0, 64), 1);
  }
}

void ResetStats(Server* server) {
  ServerCounters counters;
  // DYN.STATUS shows these, where numbers only grow.
  counters.busy_refusals = server->counters.busy_refusals;
  counters.output_limit_closes = server->counters.output_limit_closes;
  server->counters = counters;
  server->stats.commands = std::vector<CommandCounters>(CommandCount());
  server->stats.errors.clear();
}

}  // namespace cartwheel
