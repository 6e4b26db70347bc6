#include "storage/lmdb/log.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace cartwheel {
namespace {

// An image from this size on is written from where it lies instead of being copied.
constexpr size_t kLargeImageBytes = 64 << 10;
// A batch that grows past this does not wait for the end of the turn.
constexpr size_t kMaxBatchBytes = 4 << 20;
// What a segment grows by when a turn's batch does not fit.
constexpr uint64_t kGrowBytes = 4 << 20;

}  // namespace

Result<Segment> MakeSegment(const SegmentPlan& plan) {
  const std::string path = plan.directory + "/" + SegmentName(plan.number);
  auto file = plan.files->Open(path, OpenMode::kCreate);
  if (!file) return tl::unexpected(file.error());
  if (auto done = (*file)->Allocate(plan.bytes); !done) return tl::unexpected(done.error());
  const std::string header = EncodeSegmentHeader({plan.number, plan.salt});
  if (auto done = (*file)->Write(0, header); !done) return tl::unexpected(done.error());
  if (auto done = (*file)->Sync(); !done) return tl::unexpected(done.error());
  if (auto done = plan.files->SyncDirectory(plan.directory); !done) {
    return tl::unexpected(done.error());
  }
  return Segment{plan.number, plan.bytes, std::move(*file)};
}

Result<std::unique_ptr<Log>> Log::Open(LogOptions options, const LogMark& mark,
                                       const LogVisitor& visit) {
  auto report = ReplayLog(options.files, options.directory, mark, options.recover, visit);
  if (!report) return tl::unexpected(report.error());
  std::unique_ptr<Log> log(new Log(std::move(options), std::move(*report)));
  const SegmentPlan plan = log->PlanFor(log->report_.last_segment + 1);
  auto segment = MakeSegment(plan);
  if (!segment && segment.error().code == ErrorCode::kFull) {
    log->options_.make_room();
    segment = MakeSegment(plan);
  }
  if (!segment) return tl::unexpected(segment.error());
  log->active_ = std::move(*segment);
  return log;
}

Log::Log(LogOptions options, ReplayReport report)
    : options_(std::move(options)),
      report_(std::move(report)),
      salt_(report_.salt != 0 ? report_.salt : options_.salt),
      last_sequence_(report_.last_sequence),
      synced_(report_.last_sequence) {}

uint64_t Log::Append(const Position& position, std::string_view image) {
  const LogRecord record{last_sequence_ + 1, synced_, position, image};
  AppendLogHead(record, salt_, &batch_);
  if (image.size() < kLargeImageBytes) {
    batch_.append(image);
    if (batch_.size() > kMaxBatchBytes) WriteOut(std::exchange(batch_, {}));
  } else {
    WriteOut(std::exchange(batch_, {}));
    WriteOut(image);
  }
  return ++last_sequence_;
}

Result<void> Log::Write() {
  WriteOut(batch_);
  batch_.clear();
  return state_;
}

void Log::WriteOut(std::string_view bytes) {
  if (!state_ || bytes.empty()) return;
  state_ = Reserve(offset_ + bytes.size());
  if (!state_) return;
  state_ = active_.file->Write(offset_, bytes);
  offset_ += bytes.size();
  bytes_written_ += bytes.size();
}

Result<void> Log::Reserve(uint64_t bytes) {
  if (bytes <= active_.bytes) return {};
  const uint64_t wanted = bytes + kGrowBytes;
  auto done = active_.file->Allocate(wanted);
  if (!done && done.error().code == ErrorCode::kFull) {
    options_.make_room();
    done = active_.file->Allocate(wanted);
  }
  if (done) active_.bytes = wanted;
  return done;
}

void Log::NoteSynced(uint64_t sequence) { synced_ = std::max(synced_, sequence); }

void Log::Roll() {
  CHECK(has_spare() && batch_.empty());
  active_ = std::exchange(spare_, {});
  offset_ = kSegmentHeaderBytes;
}

SegmentPlan Log::PlanSpare() const { return PlanFor(active_.number + 1); }

SegmentPlan Log::PlanFor(uint64_t number) const {
  return {options_.files, options_.directory, number, salt_, options_.segment_bytes};
}

}  // namespace cartwheel
