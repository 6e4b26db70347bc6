// Replay: what a start does with the segments that the last run left. It reads the records in the
// order of their sequences and decides what a bad one means. When a later valid record knows the
// bad one to have been synced, the disk or somebody else damaged it: that is refused with file and
// offset, or with `recover` skipped. Any other bad record is the tail of a crash (unsynced pages
// reach a disk in any order): the log ends there, and what stands behind is cut off. Runs before
// the engine has threads.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "storage/file.h"
#include "storage/lmdb/log_format.h"

namespace cartwheel {

// Everything up to `sequence` is stored elsewhere; segments below `segment` are not needed.
struct LogMark {
  uint64_t sequence = 0;
  uint64_t segment = 0;
};

struct ReplayReport {
  uint64_t last_sequence = 0;        // of the mark or of the last record that was replayed
  uint64_t last_segment = 0;         // the highest number seen; new segments go on above it
  uint64_t salt = 0;                 // of the segments there are, 0 when there are none
  uint64_t replayed = 0;             // records
  std::string cut;                   // path and offset where an unsynced tail was cut off
  std::vector<std::string> damaged;  // path and offset of what `recover` skipped
  std::vector<uint64_t> segments;    // that hold replayed records, ascending
};

using LogVisitor = std::function<Result<void>(const LogRecord&)>;

// Afterwards the directory holds exactly report.segments, synced.
Result<ReplayReport> ReplayLog(FileSystem* files, const std::string& directory, const LogMark& mark,
                               bool recover, const LogVisitor& visit);

}  // namespace cartwheel
