#include <fmt/format.h>

#include "base/check.h"
#include "server/command.h"
#include "server/command_stats.h"
#include "server/pipeline.h"

namespace cartwheel {
namespace {

// What a call keeps for the next one that uses its slot.
constexpr size_t kKeptReplyBytes = 4096;
constexpr size_t kKeptAnswers = 16;

bool IsWrite(const CommandRow& row) { return (row.flags & kWrite) != 0; }

}  // namespace

void Call::Start(Operation operation, Continuation then) {
  CHECK(joined_ == nullptr);
  then_.push_back(then);
  ++outstanding_;
  Submit(std::move(operation));
}

void Call::AwaitSync(Continuation then) {
  CHECK(joined_ == nullptr);
  then_.push_back(then);
  ++outstanding_;
  server_->calls.NoteStarted();
  server_->await_sync(uint64_t{slot_} << 32 | next_index_++);
}

void Call::Join(Operation operation, Joined done) {
  if (joined_ == nullptr) {  // the first of a group
    CHECK(outstanding_ == 0);
    answers_.clear();
    events_.clear();
    next_index_ = 0;
    joined_bytes_ = 0;
    joined_ = done;
  }
  answers_.emplace_back();
  ++outstanding_;
  to_submit_.push_back(std::move(operation));
  if (outstanding_ <= kMostUnderWay) SubmitNext();
}

void Call::SubmitNext() {
  if (to_submit_.empty()) return;
  Operation next = std::move(to_submit_.front());
  to_submit_.pop_front();
  Submit(std::move(next));
}

void Call::KeepJoined(Answer&& answer) {
  if (auto* read = std::get_if<ReadAnswer>(&answer.result)) {
    if (heads_only_) {
      // Made anew: an assignment would keep the room of the bytes.
      read = &answer.result.emplace<ReadAnswer>(ReadAnswer{WithoutBytes(read->object), {}});
    }
    joined_bytes_ += ByteSize(read->object);
    if (joined_bytes_ > kMostJoinedBytes) {
      answer.result =
          Status{ErrorCode::kInvalid, "the values of this command are too large together"};
    }
  }
  const size_t index = answer.id;
  answers_[index] = std::move(answer);
}

void Call::Submit(Operation operation) {
  server_->calls.NoteStarted();
  if (KeyspaceEventsWanted(*server_)) {
    events_.resize(next_index_);
    events_.push_back(EventOf(*server_, *command_, operation));
  }
  server_->submit(ClientOp{uint64_t{slot_} << 32 | next_index_++, std::move(operation)});
}

void Call::Later(int64_t delay_us, Joined then) {
  ++outstanding_;
  server_->timers.Add(server_->now.mono_us + delay_us, [this, then] {
    --outstanding_;
    if (pipeline_ == nullptr) {  // nobody waits for the reply any more
      if (outstanding_ == 0) server_->calls.Return(this);
      return;
    }
    then(*this);
    if (outstanding_ == 0) pipeline_->Finish(this);
  });
}

void Call::Error(std::string_view line) {
  failed_ = true;
  NoteError(server_, line);
  Reply().Error(line);
}

void Call::ReplyFailure(const Answer& answer) {
  const char* const doubt = IsWrite(*command_) ? " (the write may still take effect)" : "";
  if (const auto* quorum = std::get_if<NoQuorum>(&answer.result)) {
    // An update that could not read its R has written nothing.
    return Error(fmt::format("NOQUORUM {}={} needed, {} answered{}", quorum->which, quorum->needed,
                             quorum->answered, quorum->which == 'W' ? doubt : ""));
  }
  if (std::holds_alternative<Loading>(answer.result)) {
    return Error("LOADING Cartwheel is waiting for its ring");
  }
  if (std::holds_alternative<Unknown>(answer.result)) {
    return Error("NOQUORUM the key's first node did not answer (the write may still take effect)");
  }
  const auto* status = std::get_if<Status>(&answer.result);
  CHECK(status != nullptr);  // an answer of another operation's type is our bug
  switch (status->code) {
    case ErrorCode::kTooMany: return Error("TOOMANYSIBLINGS " + status->message);
    case ErrorCode::kBadContext: return Error("BADCONTEXT " + status->message);
    case ErrorCode::kFull: return Error("OOM " + status->message);
    case ErrorCode::kInvalid:
    case ErrorCode::kCorrupt:
    case ErrorCode::kDamaged:
    case ErrorCode::kIo:
    case ErrorCode::kCollision: return Error("ERR " + status->message);
  }
}

void Call::Reset() {
  counter = 0;
  scratch.clear();
  state.reset();
  server_ = nullptr;
  session_ = nullptr;
  pipeline_ = nullptr;
  command_ = nullptr;
  args_ = {};
  next_index_ = 0;
  outstanding_ = 0;
  then_.clear();
  events_.clear();
  to_submit_.clear();
  heads_only_ = false;
  joined_bytes_ = 0;
  read_bytes_ = 0;
  joined_ = nullptr;
  answers_.clear();
  if (answers_.capacity() > kKeptAnswers) answers_.shrink_to_fit();
  next_ = nullptr;
  reply_ = nullptr;
  own_reply_.clear();
  if (own_reply_.capacity() > kKeptReplyBytes) own_reply_.shrink_to_fit();
  if (scratch.capacity() > kKeptReplyBytes) scratch.shrink_to_fit();
  after_ = 0;
  held_bytes_ = 0;
  reserved_bytes_ = 0;
  registered_ = false;
  muted_ = false;
  failed_ = false;
  replayed_ = false;
  ends_array_ = false;
  shown_words_.clear();
  finished_ = false;
  key_hashes_.clear();
}

}  // namespace cartwheel
