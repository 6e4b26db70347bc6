// Pipeline: the replies of its calls, in order, and what is pushed between them.
#include <utility>

#include "base/check.h"
#include "server/clocks.h"
#include "server/command_stats.h"
#include "server/pipeline.h"
#include "server/shown_words.h"

namespace cartwheel {
namespace {

// An idle connection keeps no more of its output buffer than this.
constexpr size_t kKeptOutputBytes = 32 << 10;

}  // namespace

void Pipeline::NoteReply(Call* call) {
  if (call->reserved_bytes_ == 0) return;
  call_bytes_ -= std::exchange(call->reserved_bytes_, 0);
  const uint64_t reply = call == oldest_ ? Answered() - oldest_from_ : call->own_reply_.size();
  const uint64_t bytes = std::max<uint64_t>(reply, call->read_bytes_);  // GETBIT of a large value
  expected_reply_ = std::max<size_t>({bytes, expected_reply_ - expected_reply_ / 8, 1});
}

void Pipeline::Finish(Call* call) {
  if (call->registered_) Unregister(call);
  if (barrier_ == call) barrier_ = nullptr;
  if (call->command_ != nullptr) NoteDuration(call);
  if (executing_ == call) executing_ = nullptr;
  NoteReply(call);
  call->finished_ = true;
  if (call == oldest_) {
    Retire();
  } else {
    call->held_bytes_ += call->own_reply_.size();
    call_bytes_ += call->own_reply_.size();
  }
  if (!processing_) wake_();
}

void Pipeline::NoteDuration(Call* call) {
  const int64_t now_us = MonotonicUs();
  const int64_t limit_us = server_->options.slowlog_slower_than_us;
  Finished finished{.command = call->command_,
                    .session = &session_,
                    .duration_us = now_us - call->begun_us_,
                    .failed = call->failed_,
                    .words = {}};
  if (limit_us >= 0 && finished.duration_us >= limit_us) {
    // Those of a call that waited were kept when it began to.
    if (executing_ == call || !call->args_.empty()) PackWords(words_, &call->shown_words_);
    finished.words = call->shown_words_;
  }
  NoteFinished(server_, finished);
  if (processing_) stamp_us_ = now_us;
}

void Pipeline::Progress(Call* call) {
  if (call->reply_ != &output_) return;
  MarkOutput(call->after_);
  if (!processing_) wake_();
}

// Passes on the replies of the oldest calls, as far as they are finished.
void Pipeline::Retire() {
  while (oldest_ != nullptr) {
    Call* const call = oldest_;
    if (call->reply_ == &call->own_reply_) {
      oldest_from_ = Answered();
      if (!call->muted_) {
        output_.append(call->own_reply_);
        call->reply_ = &output_;
      }
      call->own_reply_.clear();
    }
    if (!call->finished_) return;
    MarkOutput(call->after_);
    if (call->ends_array_) --open_arrays_;
    oldest_ = call->next_;
    --calls_;
    call_bytes_ -= call->held_bytes_;
    server_->calls.Return(call);
    ReleasePushes();
  }
  newest_ = nullptr;
}

void Pipeline::ReleasePushes() {
  if (open_arrays_ > 0 || pushes_.empty()) return;
  output_.append(pushes_);
  pushes_.clear();
}

void Pipeline::Push(std::span<const std::string_view> words) {
  ReplyWriter writer(&pushes_, session_.resp);
  writer.Push(words.size());
  for (const std::string_view word : words) writer.Bulk(word);
  if (oldest_ == nullptr) ReleasePushes();
  wake_();
}

void Pipeline::PushLine(std::string_view line) {
  ReplyWriter(&pushes_, session_.resp).Simple(line);
  if (oldest_ == nullptr) ReleasePushes();
  wake_();
}

void Pipeline::MarkOutput(uint64_t after) {
  if (after == 0) return;
  if (!mark_open_ || marks_.empty()) {
    marks_.push_back({output_.size(), after});
    mark_open_ = true;
    return;
  }
  marks_.back().end = output_.size();
  marks_.back().after = std::max(marks_.back().after, after);
}

std::string_view Pipeline::Writable(uint64_t stored) {
  mark_open_ = false;
  size_t ready = 0;
  size_t end = 0;
  while (ready < marks_.size() && marks_[ready].after <= stored) end = marks_[ready++].end;
  const bool all = ready == marks_.size();
  // The last mark that is done stays when others follow: its end is how far writing may go.
  if (all) {
    marks_.clear();
  } else if (ready > 1) {
    marks_.erase(marks_.begin(), marks_.begin() + static_cast<ptrdiff_t>(ready - 1));
  }
  return std::string_view(output_).substr(0, all ? output_.size() : end);
}

void Pipeline::Consume(size_t bytes) {
  CHECK(bytes <= output_.size());
  consumed_ += bytes;
  if (bytes == output_.size()) {
    output_.clear();
    if (output_.capacity() > kKeptOutputBytes) output_.shrink_to_fit();
  } else {
    output_.erase(0, bytes);
  }
  for (Mark& mark : marks_) mark.end = mark.end > bytes ? mark.end - bytes : 0;
  session_.output_bytes = output_bytes();
  if (MayGoOn()) wake_();
}

void Pipeline::Swap(std::string* empty) {
  CHECK(marks_.empty() && empty->empty());
  consumed_ += output_.size();
  output_.swap(*empty);
  session_.output_bytes = output_bytes();
  if (MayGoOn()) wake_();
}

}  // namespace cartwheel
