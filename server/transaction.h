// Transaction: what a connection keeps between MULTI and EXEC, and the keys it watches. EXEC lets
// the queued commands run in order like others of the connection; nothing isolates them from other
// clients' (docs/redis-compatibility.md). Plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/command_table.h"

namespace cartwheel {

struct QueuedCommand {
  const Command* command;
  std::vector<std::string> words;
};

// By database and key, what WATCH saw under it: LiveVersion of the merge (server/replies.h).
using WatchedKeys = std::map<std::pair<uint32_t, std::string>, uint64_t>;

struct Transaction {
  // All queued commands of a connection together.
  static constexpr size_t kMaxBytes = size_t{1} << 30;

  bool open = false;
  bool aborted = false;  // a command was refused when it was to be queued
  std::vector<QueuedCommand> queue;
  size_t bytes = 0;
  WatchedKeys watched;

  bool Writes() const {
    for (const QueuedCommand& queued : queue) {
      if ((queued.command->flags & (kWrite | kMayReplicate)) != 0) return true;
    }
    return false;
  }
};

}  // namespace cartwheel
