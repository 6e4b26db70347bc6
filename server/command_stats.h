// What is counted of commands: calls, times, refusals and errors, for INFO, SLOWLOG and LATENCY.
// The pipeline calls these; the loop's thread only. A command's time goes from its begin until its
// reply was complete, so the time that replicas took is in it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/command_table.h"
#include "server/latency_events.h"
#include "server/latency_histogram.h"
#include "server/slow_log.h"

namespace cartwheel {

struct Server;
struct Session;

struct Finished {
  const Command* command;
  const Session* session;
  int64_t duration_us;     // from its begin until its reply was complete, replicas' time included
  bool failed;             // it answered with an error
  std::string_view words;  // packed (server/shown_words.h), where it was slow; else empty
};

struct CommandCounters {
  uint64_t calls = 0;
  int64_t us = 0;          // of all calls together
  uint64_t rejected = 0;   // refused before they ran
  uint64_t failed = 0;     // ran, and answered with an error
  LatencyHistogram times;  // while latency-tracking is on
};

struct CommandStats {
  // Past so many kinds of error no new one is counted: their names may come from clients.
  static constexpr size_t kMostErrorKinds = 128;

  std::vector<CommandCounters> commands{CommandCount()};  // by Command::id
  std::map<std::string, uint64_t, std::less<>> errors;    // by code, "ERR"
  SlowLog slow_log;
  LatencyEvents latency;
};

// Once for every command that was executed.
void NoteFinished(Server* server, const Finished& finished);
// It was refused before its handler ran.
void NoteRejected(Server* server, const Command& command);
// Every error reply: its line without the '-'.
void NoteError(Server* server, std::string_view line);

// CONFIG RESETSTAT: counters begin anew. SLOWLOG and LATENCY's events have RESETs of their own.
void ResetStats(Server* server);

}  // namespace cartwheel
