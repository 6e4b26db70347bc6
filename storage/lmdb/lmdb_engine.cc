#include "storage/lmdb/lmdb_engine.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/coding.h"
#include "base/hash.h"
#include "storage/record.h"

namespace cartwheel {
namespace {

// How long one Flush may hold the loop up so that a checkpoint keeps pace.
constexpr std::chrono::microseconds kLongestDelay{50'000};
// How long a clean stop waits on a full disk.
constexpr std::chrono::seconds kFullDiskPatience{5};

// No client can guess when a directory was made, to the nanosecond.
uint64_t NewSalt() {
  std::string now;
  PutFixed64(&now,
             static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()));
  return Hash64(now);
}

Result<void> MakeDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return Error(ErrorCode::kIo, path + ": cannot make the directory: " + std::strerror(errno));
}

}  // namespace

Result<std::unique_ptr<LmdbEngine>> LmdbEngine::Open(LmdbOptions options) {
  std::unique_ptr<LmdbEngine> engine(new LmdbEngine(std::move(options)));
  if (auto done = engine->Start(); !done) {
    engine->closed_ = true;
    return tl::unexpected(done.error());
  }
  return engine;
}

LmdbEngine::~LmdbEngine() {
  // Whoever wants to know calls Close; what was acknowledged is in the log in any case.
  (void)Close();
}

Result<void> LmdbEngine::Start() {
  if (auto done = MakeDirectory(options_.dir); !done) return done;
  auto lock = DirectoryLock::Take(options_.dir);
  if (!lock) return tl::unexpected(lock.error());
  lock_.emplace(std::move(*lock));
  auto tree = Tree::Open(options_.dir + "/tree.mdb", options_.map_bytes);
  if (!tree) return tl::unexpected(tree.error());
  tree_ = std::move(*tree);
  if (auto done = tree_->LoadLeaves(&leaves_); !done) return done;
  auto records = tree_->CountRecords();
  if (!records) return tl::unexpected(records.error());
  records_ = *records;
  const auto mark = tree_->LoadMark();
  if (!mark) return tl::unexpected(mark.error());
  reserve_ = std::make_unique<DiskReserve>(options_.files, options_.dir, options_.reserve_bytes);
  if (auto done = reserve_->Restore(); !done) return done;
  if (auto done = Replay(*mark); !done) return done;
  if (auto done = JudgeLastRun(); !done) return done;
  return StartThreads();
}

Result<void> LmdbEngine::Replay(const LogMark& mark) {
  LogOptions log_options;
  log_options.files = options_.files;
  log_options.directory = options_.dir;
  log_options.segment_bytes = options_.segment_bytes;
  log_options.salt = NewSalt();
  log_options.recover = options_.recover;
  log_options.make_room = [this] { reserve_->GiveUp(); };
  auto log = Log::Open(std::move(log_options), mark, [this](const LogRecord& record) {
    Apply(record.position, record.image, record.sequence);
    return state_;
  });
  tree_->EndTurn();
  if (!log) return tl::unexpected(log.error());
  log_ = std::move(*log);
  base_ = written_ = log_->last_sequence();
  checkpointed_ = mark.sequence;
  return {};
}

Result<void> LmdbEngine::JudgeLastRun() {
  const auto last = ReadLastRun(options_.files, options_.dir);
  if (!last) return tl::unexpected(last.error());
  made_new_ = !last->has_value();
  if (!made_new_) {
    may_have_lost_ = WhatMayBeLost(**last, options_.boot);
    if (tree_->made_new()) may_have_lost_ = "tree.mdb is gone";
  }
  if (!replay().cut.empty()) may_have_lost_ = "the log was cut off at " + replay().cut;
  if (!replay().damaged.empty()) {
    may_have_lost_ = "damage in the log was skipped at " + replay().damaged.front();
  }
  return {};
}

Result<void> LmdbEngine::NoteRun(bool closed) {
  return WriteLastRun(
      options_.files, options_.dir,
      {closed, options_.fsync == FsyncPolicy::kAlways, dropped_damaged_, options_.boot});
}

// What was replayed is checkpointed at once: so a start after a start has little to do, and damage
// that was skipped is gone.
Result<void> LmdbEngine::StartThreads() {
  syncer_ = std::make_unique<LogSyncer>(options_.fsync, base_, options_.wake);
  CheckpointerOptions checkpointer;
  checkpointer.files = options_.files;
  checkpointer.directory = options_.dir;
  checkpointer.wake = options_.wake;
  checkpointer.before_commit = options_.before_commit;
  checkpointer.batch_records = options_.checkpoint_records;
  checkpointer_ = std::make_unique<Checkpointer>(std::move(checkpointer), tree_.get(),
                                                 syncer_.get(), reserve_.get());
  const bool must_wait = !replay().damaged.empty() || active_->held() > options_.buffer_bytes;
  StartCheckpoint({base_, log_->segment()}, true);
  return must_wait ? FinishCheckpoint() : Result<void>();
}

Result<void> LmdbEngine::Close() {
  if (std::exchange(closed_, true)) return {};
  Result<void> done = Flush();
  if (done) done = FinishCheckpoint();
  if (done && (!active_->empty() || !recounted_.empty())) {
    // The spare segment goes as well.
    StartCheckpoint({log_->last_sequence(), log_->segment() + 2}, false);
    done = FinishCheckpoint();
  }
  checkpointer_.reset();
  syncer_.reset();
  tree_.reset();
  if (done && (run_noted_ || may_have_lost_.empty())) done = NoteRun(true);
  lock_.reset();
  return done;
}

Result<std::optional<Found>> LmdbEngine::Locate(const Position& position,
                                                const ObjectBuffer* settled) {
  leaves_.Prefetch(position);
  const ObjectBuffer::Entry* entry = active_->Find(position);
  if (entry == nullptr && frozen_ != nullptr) entry = frozen_->Find(position);
  if (entry == nullptr && settled != nullptr) entry = settled->Find(position);
  if (entry != nullptr) {
    const std::string_view image = entry->image.view();
    memo_ = Memo{position, HeadOf(image)};
    if (image.empty()) return std::nullopt;
    return Found{image, OfThisRun(entry->sequence)};
  }
  auto stored = tree_->Get(position);
  if (!stored) return tl::unexpected(stored.error());
  const std::string_view image = stored->value_or(std::string_view());
  const bool damaged = stored->has_value() && !RecordIntact(image);
  memo_ = Memo{position, HeadOf(image), damaged};
  if (!stored->has_value()) return std::nullopt;
  return Found{image, 0, damaged};
}

Result<std::optional<Found>> LmdbEngine::Get(const Position& position) {
  return Locate(position, settled_.get());
}

void LmdbEngine::Apply(const Position& position, std::string_view image, uint64_t sequence) {
  if (!memo_.has_value() || memo_->position != position) {
    // Without the old record the leaf sums would be wrong for good: Flush ends the process.
    // What is set aside is dropped because of what a scan met in the tree.
    if (auto found = Locate(position, image.empty() ? nullptr : settled_.get()); !found) {
      if (state_) state_ = tl::unexpected(found.error());
      return;
    }
  }
  const RecordHead after = HeadOf(image);
  const bool damaged = memo_->damaged && !IsHint(position);
  if (damaged && image.empty() && !std::exchange(dropped_damaged_, true)) run_noted_ = false;
  if (!damaged) leaves_.Replace(position, memo_->head, after);
  if (!IsHint(position)) {
    records_ += static_cast<uint64_t>(after.present) - static_cast<uint64_t>(memo_->head.present);
  }
  if (active_->empty()) active_since_ = Clock::now();
  active_->Set(position, image.empty() ? Image() : Image(image), sequence);
  memo_.reset();
  if (!damaged) return;
  // What the old record added to the sums cannot be known from what is left of it.
  if (auto done = RecountSlot(position.slot); !done && state_) state_ = done;
}

uint64_t LmdbEngine::Write(const Position& position, std::string_view image) {
  turn_bytes_ += kLogHeadBytes + image.size();
  const uint64_t sequence = log_->Append(position, image);
  Apply(position, image, sequence);
  return sequence - base_;
}

uint64_t LmdbEngine::Put(const Position& position, std::string_view image) {
  CHECK(!image.empty());
  return Write(position, image);
}

uint64_t LmdbEngine::Drop(const Position& position) {
  memo_.reset();
  return Write(position, {});
}

Result<void> LmdbEngine::Failure() {
  if (!state_) return state_;
  if (auto done = syncer_->state(); !done) return done;
  return checkpointer_->state();
}

Result<void> LmdbEngine::Flush() {
  if (auto done = Failure(); !done) return done;
  memo_.reset();
  tree_->EndTurn();
  // Closing is no sign that the caller knows of a loss.
  if (!run_noted_ && !closed_) {
    if (auto done = NoteRun(false); !done) return done;
    run_noted_ = true;
  }
  if (auto done = log_->Write(); !done) return done;
  log_->NoteSynced(syncer_->synced());
  if (log_->last_sequence() > written_) {
    written_ = log_->last_sequence();
    syncer_->Written(written_, log_->file());
  }
  auto done = MoveCheckpoint();
  turn_bytes_ = 0;
  return done;
}

Result<void> LmdbEngine::MoveCheckpoint() {
  if (auto done = ServeCheckpointer(); !done) return done;
  if (frozen_ != nullptr || cleaning_) {
    if (auto done = Pace(); !done) return done;
    last_flush_ = Clock::now();
  }
  const bool busy = frozen_ != nullptr || cleaning_;
  if (!busy && WantsFreeze()) Freeze();
  return {};
}

Result<void> LmdbEngine::RecountSlot(uint16_t slot) {
  std::vector<std::pair<Position, RecordHead>> heads;
  auto done = Scan({slot, 0, 0}, {slot, UINT64_MAX, UINT64_MAX},
                   [&](const Position& position, std::string_view image) {
                     heads.emplace_back(position, HeadOf(image));
                     return true;
                   });
  if (!done) return done;
  leaves_.Clear(slot);
  for (const auto& [position, head] : heads) leaves_.Replace(position, {}, head);
  recounted_.insert(slot);
  return {};
}

bool LmdbEngine::WantsFreeze() const {
  if (active_->empty()) return false;
  // An eighth is left for the turn that comes to it.
  return active_->held_soon() >= options_.buffer_bytes - options_.buffer_bytes / 8 ||
         log_->segment_offset() >= options_.segment_bytes ||
         Clock::now() - active_since_ >= options_.checkpoint_interval;
}

void LmdbEngine::Freeze() {
  log_->Roll();
  StartCheckpoint({log_->last_sequence(), log_->segment()}, true);
}

void LmdbEngine::StartCheckpoint(const LogMark& mark, bool with_spare) {
  frozen_ = std::exchange(active_, std::make_shared<ObjectBuffer>());
  frozen_last_ = mark.sequence;
  frozen_since_ = last_flush_ = Clock::now();
  memo_.reset();
  checkpointer_->Start({frozen_, mark, with_spare ? std::optional(log_->PlanSpare()) : std::nullopt,
                        std::exchange(recounted_, {}), std::exchange(settled_, nullptr)});
}

// Bounded buffers: writes come no faster than the checkpoint makes room for them, each turn waiting
// for its share instead of one turn for everything.
Result<void> LmdbEngine::Pace() {
  const uint64_t held = active_->held_soon();
  const uint64_t log_bytes = log_->segment_offset();
  // On a full disk the checkpoint stands still, and only tombstones and drops come.
  if (reserve_->full() && held < 4 * options_.buffer_bytes) return {};
  if (held >= options_.buffer_bytes || log_bytes >= 2 * options_.segment_bytes) {
    return FinishCheckpoint();
  }
  const uint64_t room =
      std::min(options_.buffer_bytes - held, 2 * options_.segment_bytes - log_bytes);
  if (frozen_ == nullptr || frozen_->empty() || turn_bytes_ == 0) return {};
  const auto now = Clock::now();
  const double done = std::max(
      0.02, static_cast<double>(checkpointer_->progress()) / static_cast<double>(frozen_->size()));
  const auto elapsed = std::chrono::duration<double>(now - frozen_since_);
  const auto remaining = elapsed * (1 - done) / done;
  const auto due = remaining * (static_cast<double>(turn_bytes_) / static_cast<double>(room));
  const auto spent = std::chrono::duration<double>(now - last_flush_);
  const auto delay =
      std::min(std::chrono::duration_cast<std::chrono::microseconds>(due - spent), kLongestDelay);
  if (delay.count() <= 0) return {};
  checkpointer_->WaitForChange(Checkpointer::Phase::kWriting, delay);
  return ServeCheckpointer();
}

// What the checkpoint thread cannot do alone: let the map grow, and go on once reads see the frozen
// buffer in the tree. Between turns only.
Result<void> LmdbEngine::ServeCheckpointer() {
  if (frozen_ == nullptr && !cleaning_) return {};
  tree_->EndTurn();
  if (checkpointer_->wants_growth()) {
    if (auto done = tree_->Grow(); !done) return done;
    checkpointer_->Grown();
  }
  switch (checkpointer_->phase()) {
    case Checkpointer::Phase::kWritten:
      checkpointed_ = frozen_last_;
      if (auto spare = checkpointer_->TakeSpare(); spare.has_value()) {
        log_->SetSpare(std::move(*spare));
      }
      // Two buffers are what memory is bounded by: it stays until the next is frozen. One that
      // outgrew its bound, at a start or on a full disk, does not.
      if (frozen_->held() <= options_.buffer_bytes) settled_ = frozen_;
      checkpointer_->CleanUp(std::exchange(frozen_, nullptr));
      cleaning_ = true;
      break;
    case Checkpointer::Phase::kIdle: cleaning_ = false; break;
    case Checkpointer::Phase::kWriting:
    case Checkpointer::Phase::kCleaning: break;
  }
  return {};
}

Result<void> LmdbEngine::FinishCheckpoint() {
  auto moved = Clock::now();
  uint64_t progress = 0;
  while (frozen_ != nullptr || cleaning_) {
    if (auto done = Failure(); !done) return done;
    if (auto done = ServeCheckpointer(); !done) return done;
    const auto phase = checkpointer_->phase();
    if (std::exchange(progress, checkpointer_->progress()) != progress) moved = Clock::now();
    if (reserve_->full() && Clock::now() - moved > kFullDiskPatience) {
      return Error(ErrorCode::kFull, options_.dir + ": no room on the disk for a checkpoint");
    }
    if (phase != Checkpointer::Phase::kIdle && phase != Checkpointer::Phase::kWritten) {
      checkpointer_->WaitForChange(phase, kLongestDelay);
    }
  }
  return {};
}

Sequences LmdbEngine::sequences() const {
  Sequences sequences;
  const uint64_t synced = synced_log_sequence();
  sequences.applied = OfThisRun(log_->last_sequence());
  sequences.synced = OfThisRun(synced);
  sequences.stored = OfThisRun(options_.fsync == FsyncPolicy::kAlways ? synced : written_);
  return sequences;
}

uint64_t LmdbEngine::synced_log_sequence() const {
  return std::max(syncer_->synced(), checkpointed_);
}

Result<void> LmdbEngine::Scan(const Position& first, const Position& last,
                              const Visitor& visit) const {
  auto tree = tree_->Seek(first);
  if (!tree) return tl::unexpected(tree.error());
  Tree::Cursor& stored = **tree;
  auto fresh = active_->Seek(first, last.slot);
  std::optional<ObjectBuffer::Cursor> old;
  if (frozen_ != nullptr) old = frozen_->Seek(first, last.slot);
  for (;;) {
    // The least of the three heads; where they are equal the newer image counts.
    std::optional<Position> least;
    if (stored.valid()) least = stored.position();
    const auto consider = [&least](const ObjectBuffer::Cursor& cursor) {
      if (!cursor.valid()) return;
      const Position position = cursor.entry().position();
      if (!least || position < *least) least = position;
    };
    consider(fresh);
    if (old.has_value()) consider(*old);
    if (!least.has_value() || *least > last) return {};

    std::string_view image;
    const bool in_tree = stored.valid() && stored.position() == *least;
    if (in_tree) image = stored.image();
    const auto take = [&](ObjectBuffer::Cursor* cursor) {
      if (!cursor->valid() || cursor->entry().position() != *least) return;
      image = cursor->entry().image.view();
      cursor->Next();
    };
    if (old.has_value()) take(&*old);
    take(&fresh);
    if (!image.empty() && !visit(*least, image)) return {};
    if (in_tree) {
      if (auto done = stored.Next(); !done) return done;
    }
  }
}

EngineStats LmdbEngine::stats() const {
  EngineStats stats;
  stats.records = records_;
  stats.memory_bytes = active_->held();
  for (const auto& buffer : {frozen_, settled_}) {
    if (buffer != nullptr) stats.memory_bytes += buffer->held();
  }
  stats.disk_bytes = tree_->disk_bytes() + log_->allocated_bytes() + reserve_->bytes();
  stats.checkpoints = checkpointer_->checkpoints();
  stats.log_bytes_written = log_->bytes_written();
  stats.syncs = syncer_->syncs();
  stats.log_cut = replay().cut.empty() ? 0 : 1;
  stats.damaged_skipped = replay().damaged.size();
  return stats;
}

}  // namespace cartwheel
