// Log: the writing side of the write-ahead log, a row of preallocated segments (log_format.h says
// what is in them). It has no threads and never syncs by itself once it is open: the owner syncs
// file() when and where it wants and tells what is synced. So the simulator can drive it as well.
// Dynamo, section 6.1, made crash-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "storage/file.h"
#include "storage/lmdb/log_format.h"
#include "storage/lmdb/log_replay.h"

namespace cartwheel {

// All that is needed to make a segment; a helper thread may do it.
struct SegmentPlan {
  FileSystem* files = nullptr;
  std::string directory;
  uint64_t number = 0;
  uint64_t salt = 0;
  uint64_t bytes = 0;
};

struct Segment {
  uint64_t number = 0;
  uint64_t bytes = 0;  // reserved on the disk
  std::shared_ptr<File> file;
};

// Makes the file, reserves its room, writes the header and syncs all of it.
Result<Segment> MakeSegment(const SegmentPlan& plan);

struct LogOptions {
  FileSystem* files = nullptr;
  std::string directory;
  uint64_t segment_bytes = 32 << 20;
  uint64_t salt = 0;  // random; used when the directory has no log yet
  bool recover = false;
  // Called when the disk is full, to make room; the log then tries once more.
  std::function<void()> make_room = [] {};
};

class Log {
 public:
  // Replays what the mark does not cover and begins a new segment.
  static Result<std::unique_ptr<Log>> Open(LogOptions options, const LogMark& mark,
                                           const LogVisitor& visit);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  const ReplayReport& report() const { return report_; }

  // Adds a record to the batch; an empty image is a drop. Returns its sequence, one above the last.
  uint64_t Append(const Position& position, std::string_view image);
  // Writes the batch: one write(2), unless images are large. After a failure the log is done for.
  Result<void> Write();
  // Later records will say so.
  void NoteSynced(uint64_t sequence);

  // Goes on in the spare segment, which there must be; the batch must have been written.
  void Roll();
  bool has_spare() const { return spare_.file != nullptr; }
  SegmentPlan PlanSpare() const;
  void SetSpare(Segment segment) { spare_ = std::move(segment); }

  uint64_t last_sequence() const { return last_sequence_; }
  uint64_t segment() const { return active_.number; }
  uint64_t segment_offset() const { return offset_; }
  const std::shared_ptr<File>& file() const { return active_.file; }
  uint64_t bytes_written() const { return bytes_written_; }
  uint64_t allocated_bytes() const { return active_.bytes + spare_.bytes; }

 private:
  Log(LogOptions options, ReplayReport report);

  void WriteOut(std::string_view bytes);
  Result<void> Reserve(uint64_t bytes);  // room in the active segment
  SegmentPlan PlanFor(uint64_t number) const;

  const LogOptions options_;
  const ReplayReport report_;
  uint64_t salt_;
  Segment active_;
  Segment spare_;
  uint64_t offset_ = kSegmentHeaderBytes;
  uint64_t last_sequence_;
  uint64_t synced_;
  uint64_t bytes_written_ = 0;
  std::string batch_;
  Result<void> state_;  // the first failure
};

}  // namespace cartwheel
