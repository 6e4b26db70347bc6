#include "storage/lmdb/log_replay.h"

#include <algorithm>
#include <memory>
#include <optional>

namespace cartwheel {
namespace {

// A log never holds that many records; it keeps random bytes from having their checksum taken.
constexpr uint64_t kFarthestSequence = 1ULL << 32;

bool IsZero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

class Replay {
 public:
  Replay(FileSystem* files, std::string directory, const LogMark& mark, bool recover,
         const LogVisitor& visit)
      : files_(files),
        directory_(std::move(directory)),
        mark_(mark),
        recover_(recover),
        visit_(visit),
        expected_(mark.sequence + 1) {}

  Result<ReplayReport> Run();

 private:
  // Where something stands: an index into numbers_ and an offset in that segment.
  struct Place {
    size_t index = 0;
    size_t offset = 0;
  };

  Result<void> ListSegments();
  Result<void> Load(size_t index);
  Result<void> FindSalt();
  Result<void> ReadSegment();
  // Decides about a bad record (or a hole) at place_: moves place_ on, or ends the log there.
  Result<void> HandleBad();
  Result<void> LookBehind(bool* proven, std::optional<Place>* next);
  Result<void> RemoveUnneeded();
  Result<void> CutAndSync();

  std::string PathOf(size_t index) const { return directory_ + "/" + SegmentName(numbers_[index]); }
  std::string Describe(const Place& place) const {
    return PathOf(place.index) + " at offset " + std::to_string(place.offset);
  }
  bool MayFollow(std::string_view segment, size_t offset) const;

  FileSystem* const files_;
  const std::string directory_;
  const LogMark mark_;
  const bool recover_;
  const LogVisitor& visit_;

  std::vector<uint64_t> numbers_;
  std::vector<bool> holds_records_;
  bool salt_known_ = false;
  uint64_t expected_;  // the next record's sequence
  Place place_;
  size_t loaded_ = SIZE_MAX;  // the segment in bytes_
  std::string bytes_;
  std::optional<Place> cut_;
  ReplayReport report_;
};

Result<ReplayReport> Replay::Run() {
  if (auto done = ListSegments(); !done) return tl::unexpected(done.error());
  if (auto done = FindSalt(); !done) return tl::unexpected(done.error());
  while (place_.index < numbers_.size() && !cut_.has_value()) {
    if (auto done = ReadSegment(); !done) return tl::unexpected(done.error());
  }
  if (auto done = CutAndSync(); !done) return tl::unexpected(done.error());
  report_.last_sequence = expected_ - 1;
  return std::move(report_);
}

Result<void> Replay::ListSegments() {
  auto names = files_->List(directory_);
  if (!names) return tl::unexpected(names.error());
  report_.last_segment = mark_.segment;
  for (const std::string& name : *names) {
    const auto number = SegmentNumber(name);
    if (!number.has_value()) continue;
    report_.last_segment = std::max(report_.last_segment, *number);
    if (*number < mark_.segment) {
      if (auto done = files_->Remove(directory_ + "/" + name); !done) return done;
    } else {
      numbers_.push_back(*number);
    }
  }
  std::sort(numbers_.begin(), numbers_.end());
  holds_records_.resize(numbers_.size());
  return {};
}

Result<void> Replay::Load(size_t index) {
  if (loaded_ == index) return {};
  bytes_ = std::string();
  auto file = files_->Open(PathOf(index), OpenMode::kExisting);
  if (!file) return tl::unexpected(file.error());
  auto bytes = (*file)->ReadAll();
  if (!bytes) return tl::unexpected(bytes.error());
  bytes_ = std::move(*bytes);
  loaded_ = index;
  return {};
}

// All segments of a log have one salt, so that a damaged header does not cost its records.
Result<void> Replay::FindSalt() {
  for (size_t index = 0; index < numbers_.size() && !salt_known_; ++index) {
    if (auto done = Load(index); !done) return done;
    if (const auto header = DecodeSegmentHeader(bytes_); header.has_value()) {
      report_.salt = header->salt;
      salt_known_ = true;
    }
  }
  return {};
}

// Reads on from place_ to the end of its segment or to the first thing that is bad.
Result<void> Replay::ReadSegment() {
  if (auto done = Load(place_.index); !done) return done;
  if (place_.offset == 0) {
    const std::string_view rest =
        std::string_view(bytes_).substr(std::min(bytes_.size(), kSegmentHeaderBytes));
    if (!DecodeSegmentHeader(bytes_).has_value() && !IsZero(rest)) {
      // The header was synced before any record was written, so this is no crash.
      if (!recover_) return Error(ErrorCode::kCorrupt, Describe(place_) + ": damaged header");
      report_.damaged.push_back(Describe(place_));
    }
    place_.offset = kSegmentHeaderBytes;
  }
  while (place_.offset < bytes_.size()) {
    const auto record = LogRecordAt(bytes_, place_.offset, report_.salt);
    if (!record.has_value() || record->sequence != expected_) {
      if (!record.has_value() && IsZero(std::string_view(bytes_).substr(place_.offset))) break;
      return HandleBad();
    }
    if (auto done = visit_(*record); !done) return done;
    holds_records_[place_.index] = true;
    ++report_.replayed;
    ++expected_;
    place_.offset += record->bytes();
  }
  place_ = Place{place_.index + 1, 0};
  return {};
}

Result<void> Replay::HandleBad() {
  const Place bad = place_;
  bool proven = false;
  std::optional<Place> next;
  if (auto done = LookBehind(&proven, &next); !done) return done;
  if (!proven) {
    cut_ = bad;
    report_.cut = Describe(bad);
    return {};
  }
  if (!recover_) {
    return Error(ErrorCode::kCorrupt, Describe(bad) + ": damaged record " +
                                          std::to_string(expected_) +
                                          ", which had been synced (see --recover)");
  }
  report_.damaged.push_back(Describe(bad));
  place_ = *next;
  if (auto done = Load(place_.index); !done) return done;
  expected_ = LogRecordAt(bytes_, place_.offset, report_.salt)->sequence;
  return {};
}

// True when a valid record of a later sequence starts at the offset. Asked for every byte of a
// segment: so a cheap look comes before the checksum is taken.
bool Replay::MayFollow(std::string_view segment, size_t offset) const {
  if (segment.size() - offset < kLogHeadBytes) return false;
  const uint64_t sequence = LogSequenceAt(segment, offset);
  if (sequence <= expected_ || sequence - expected_ > kFarthestSequence) return false;
  return LogRecordAt(segment, offset, report_.salt).has_value();
}

// Reads all that stands behind place_, whatever its order: is there a valid record that knows the
// expected one to have been synced, and which is the first that could be gone on with?
Result<void> Replay::LookBehind(bool* proven, std::optional<Place>* next) {
  Place at = place_;
  while (at.index < numbers_.size() && !*proven) {
    if (auto done = Load(at.index); !done) return done;
    while (at.offset < bytes_.size()) {
      if (!MayFollow(bytes_, at.offset)) {
        ++at.offset;
        continue;
      }
      const auto record = LogRecordAt(bytes_, at.offset, report_.salt);
      if (!next->has_value()) *next = at;
      if (record->synced >= expected_) {
        *proven = true;
        return {};
      }
      at.offset += record->bytes();
    }
    at = Place{at.index + 1, kSegmentHeaderBytes};
  }
  return {};
}

Result<void> Replay::RemoveUnneeded() {
  // From the last: a crash between two removals leaves what the next start decides the same about.
  for (size_t index = numbers_.size(); index-- > 0;) {
    if (holds_records_[index]) continue;
    if (auto done = files_->Remove(PathOf(index)); !done) return done;
  }
  return files_->SyncDirectory(directory_);
}

Result<void> Replay::CutAndSync() {
  // Segments behind a cut were never read: they hold nothing and go, too.
  if (auto done = RemoveUnneeded(); !done) return done;
  for (size_t index = 0; index < numbers_.size(); ++index) {
    if (!holds_records_[index]) continue;
    auto file = files_->Open(PathOf(index), OpenMode::kExisting);
    if (!file) return tl::unexpected(file.error());
    if (cut_.has_value() && cut_->index == index) {
      if (auto done = (*file)->Truncate(cut_->offset); !done) return done;
    }
    // What is replayed is served at once: it must not be lost after that.
    if (auto done = (*file)->Sync(); !done) return done;
    report_.segments.push_back(numbers_[index]);
  }
  return {};
}

}  // namespace

Result<ReplayReport> ReplayLog(FileSystem* files, const std::string& directory, const LogMark& mark,
                               bool recover, const LogVisitor& visit) {
  return Replay(files, directory, mark, recover, visit).Run();
}

}  // namespace cartwheel
