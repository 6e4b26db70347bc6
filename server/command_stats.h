// What is counted of commands: calls, times, refusals and errors, for INFO, SLOWLOG and LATENCY.
// The pipeline calls these; the loop's thread only.
#pragma once

#include <cstdint>
#include <string_view>

#include "server/command_table.h"

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

// Once for every command that was executed.
void NoteFinished(Server* server, const Finished& finished);
// It was refused before its handler ran.
void NoteRejected(Server* server, const Command& command);
// Every error reply: its line without the '-'.
void NoteError(Server* server, std::string_view line);

}  // namespace cartwheel
