#include "storage/lmdb/checkpointer.h"

#include <sys/resource.h>

#include <utility>

#include "base/check.h"

namespace cartwheel {
namespace {

// What one transaction writes at most, so that LMDB's dirty pages stay few.
constexpr uint64_t kBatchBytes = 8 << 20;
// How often a full disk is looked at again.
constexpr std::chrono::seconds kRoomInterval{1};

// Who waits for an answer goes first: on Linux a priority is the thread's own.
void YieldToOthers() {
  constexpr int kNice = 10;
  (void)setpriority(PRIO_PROCESS, 0, kNice);  // 0: the calling thread; no harm if it may not
}

tl::unexpected<Status> Stopped() { return Error(ErrorCode::kIo, "the checkpoint was stopped"); }

}  // namespace

Checkpointer::Checkpointer(CheckpointerOptions options, Tree* tree, LogSyncer* syncer,
                           DiskReserve* reserve)
    : options_(std::move(options)),
      tree_(tree),
      syncer_(syncer),
      reserve_(reserve),
      thread_([this] { Run(); }) {}

Checkpointer::~Checkpointer() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Checkpointer::Phase Checkpointer::phase() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return phase_;
}

Result<void> Checkpointer::state() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return state_;
}

bool Checkpointer::wants_growth() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return wants_growth_;
}

void Checkpointer::Grown() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    wants_growth_ = false;
  }
  changed_.notify_all();
}

void Checkpointer::Start(CheckpointJob job) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    CHECK(phase_ == Phase::kIdle);
    job_ = std::move(job);
    progress_ = 0;
    phase_ = Phase::kWriting;
  }
  changed_.notify_all();
}

void Checkpointer::CleanUp(std::shared_ptr<const ObjectBuffer> buffer) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    CHECK(phase_ == Phase::kWritten);
    retired_ = std::move(buffer);
    phase_ = Phase::kCleaning;
  }
  changed_.notify_all();
}

std::optional<Segment> Checkpointer::TakeSpare() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(spare_, std::nullopt);
}

void Checkpointer::WaitForChange(Phase seen, std::chrono::microseconds limit) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, limit, [&] { return phase_ != seen || !state_ || wants_growth_; });
}

void Checkpointer::SetPhase(Phase phase) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    phase_ = phase;
  }
  changed_.notify_all();
  options_.wake();
}

void Checkpointer::Run() {
  YieldToOthers();
  LogMark mark;
  for (;;) {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto has_work = [this] {
      return stop_ || phase_ == Phase::kWriting || phase_ == Phase::kCleaning;
    };
    if (reserve_->full()) {
      changed_.wait_for(lock, kRoomInterval, has_work);
    } else {
      changed_.wait(lock, has_work);
    }
    if (stop_) return;
    const Phase phase = phase_;
    lock.unlock();

    Result<void> done;
    if (phase == Phase::kWriting) {
      done = WriteBuffer(&mark);
    } else if (phase == Phase::kCleaning) {
      done = RemoveSegments(mark);
    }
    if (done && reserve_->full()) done = reserve_->Restore();
    if (!done) return Fail(std::move(done));
    if (phase == Phase::kWriting) SetPhase(Phase::kWritten);
    if (phase == Phase::kCleaning) SetPhase(Phase::kIdle);
  }
}

void Checkpointer::Fail(Result<void> failure) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    state_ = std::move(failure);
  }
  changed_.notify_all();
  options_.wake();
}

Result<void> Checkpointer::WriteBuffer(LogMark* mark) {
  std::unique_lock<std::mutex> lock(mutex_);
  CheckpointJob job = std::exchange(job_, {});
  lock.unlock();
  job.retired.reset();
  *mark = job.mark;
  // The tree must never know more than the log: after a power loss it would show some of the writes
  // that the log lost, and not others.
  if (auto done = syncer_->WaitSynced(job.mark.sequence); !done) return done;
  if (job.spare.has_value()) {
    if (auto done = MakeSpare(*job.spare); !done) return done;
  }
  if (auto done = WriteAll(job); !done) return done;
  ++checkpoints_;
  return {};
}

Result<void> Checkpointer::MakeSpare(const SegmentPlan& plan) {
  for (;;) {
    auto segment = MakeSegment(plan);
    if (segment) {
      const std::lock_guard<std::mutex> lock(mutex_);
      spare_ = std::move(*segment);
      return {};
    }
    if (segment.error().code != ErrorCode::kFull) return tl::unexpected(segment.error());
    if (auto done = WaitForRoom(); !done) return done;
  }
}

Result<void> Checkpointer::WriteAll(const CheckpointJob& job) {
  const auto entries = job.buffer->InOrder();
  std::span<const ObjectBuffer::Entry* const> left(entries);
  do {
    uint64_t bytes = 0;
    size_t count = 0;
    while (count < left.size() && count < options_.batch_records && bytes < kBatchBytes) {
      bytes += left[count++]->image.view().size();
    }
    const bool last = count == left.size();
    const Tree::Batch batch{left.first(count), &job.recounted,
                            last ? std::optional(job.mark) : std::nullopt};
    left = left.subspan(count);
    if (auto done = WriteOne(batch); !done) return done;
    progress_ += count;
  } while (!left.empty());
  return {};
}

Result<void> Checkpointer::WriteOne(const Tree::Batch& batch) {
  for (;;) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (stop_) return Stopped();
    }
    const auto outcome = tree_->WriteBatch(batch, options_.before_commit);
    if (!outcome) return tl::unexpected(outcome.error());
    Result<void> done;
    switch (*outcome) {
      case Tree::Outcome::kDone: return {};
      case Tree::Outcome::kMapFull: done = WaitForGrowth(); break;
      case Tree::Outcome::kDiskFull: done = WaitForRoom(); break;
    }
    if (!done) return done;
  }
}

Result<void> Checkpointer::WaitForGrowth() {
  std::unique_lock<std::mutex> lock(mutex_);
  wants_growth_ = true;
  changed_.notify_all();
  lock.unlock();
  options_.wake();
  lock.lock();
  changed_.wait(lock, [this] { return !wants_growth_ || stop_; });
  if (stop_) return Stopped();
  return {};
}

// Gives up the reserve at first; when that was not enough, waits.
Result<void> Checkpointer::WaitForRoom() {
  if (!reserve_->full()) {
    reserve_->GiveUp();
    return {};
  }
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, kRoomInterval, [this] { return stop_; });
  if (stop_) return Stopped();
  return {};
}

Result<void> Checkpointer::RemoveSegments(const LogMark& mark) {
  std::unique_lock<std::mutex> lock(mutex_);
  std::shared_ptr<const ObjectBuffer> buffer = std::move(retired_);
  lock.unlock();
  buffer.reset();
  auto names = options_.files->List(options_.directory);
  if (!names) return tl::unexpected(names.error());
  for (const std::string& name : *names) {
    const auto number = SegmentNumber(name);
    if (!number.has_value() || *number >= mark.segment) continue;
    if (auto done = options_.files->Remove(options_.directory + "/" + name); !done) return done;
  }
  return {};
}

}  // namespace cartwheel
