#include "server/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "server/text.h"

namespace cartwheel {
namespace {

// An idle connection keeps no more of its output buffer than this.
constexpr size_t kKeptOutputBytes = 32 << 10;
constexpr size_t kShownBytes = 128;  // of an unknown command, and of its arguments
constexpr size_t kMaxKeyBytes = 64 << 10;

ParserLimits LimitsOf(const Options& options) {
  ParserLimits limits;
  limits.max_bulk_bytes = options.proto_max_bulk_bytes;
  limits.authenticated = options.requirepass.empty();
  return limits;
}

uint64_t HashKey(uint32_t db, std::string_view key) { return Hash64(key, db); }

std::string UnknownCommandText(std::span<const std::string_view> args) {
  std::string shown;
  for (size_t i = 1; i < args.size() && shown.size() < kShownBytes; ++i) {
    fmt::format_to(std::back_inserter(shown), "'{}' ",
                   args[i].substr(0, kShownBytes - shown.size()));
  }
  return fmt::format("ERR unknown command '{}', with args beginning with: {}",
                     args[0].substr(0, kShownBytes), shown);
}

bool HasLongKey(const Command& command, std::span<const std::string_view> args) {
  bool found = false;
  ForEachKey(command, args.size(),
             [&](size_t index) { found = found || args[index].size() > kMaxKeyBytes; });
  return found;
}

// What a web page can make a browser send: such a connection is closed without an answer.
bool IsHttp(std::string_view name) {
  return EqualsIgnoreCase(name, "post") || EqualsIgnoreCase(name, "host:");
}

}  // namespace

Pipeline::Pipeline(Server* server, std::function<void()> wake)
    : server_(server), wake_(std::move(wake)), parser_(LimitsOf(server->options)) {
  session_.authenticated = server->options.requirepass.empty();
}

Pipeline::~Pipeline() {
  while (oldest_ != nullptr) {
    Call* call = std::exchange(oldest_, oldest_->next_);
    if (call->finished_) {
      server_->calls.Return(call);
    } else {
      call->pipeline_ = nullptr;  // returned with its last answer
    }
  }
}

bool Pipeline::Full() const {
  // With a hard limit set, a client that does not read is closed there, as in Redis.
  const uint64_t hard_bytes = server_->options.output_limits.normal.hard_bytes;
  // An overloaded node refuses commands instead of holding them up.
  const bool others = server_->calls.Full() && !server_->queue_age.overloaded();
  return others || calls_ >= kMaxCalls || call_bytes_ >= kMaxCallBytes ||
         output_.size() >= (hard_bytes > 0 ? hard_bytes : kMaxOutputBytes);
}

void Pipeline::Process() {
  CHECK(!processing_);
  processing_ = true;
  parser_.set_max_bulk_bytes(server_->options.proto_max_bulk_bytes);
  stalled_ = true;
  while (!closing_ && granted_ > 0 && !Full()) {
    if (!blocked_) {
      const RequestParser::Outcome outcome = parser_.Next();
      if (outcome == RequestParser::Outcome::kNeedMore) {
        stalled_ = false;
        break;
      }
      if (outcome == RequestParser::Outcome::kTooLarge) {
        ReplyError("ERR " + parser_.error());
        continue;
      }
      if (outcome == RequestParser::Outcome::kError) {
        ReplyError("ERR " + parser_.error());
        closing_ = true;
        break;
      }
    }
    blocked_ = false;
    Dispatch();
    if (blocked_) break;
    --granted_;
  }
  session_.input_bytes = parser_.pending_bytes();
  session_.input_allocated_bytes = parser_.allocated_bytes();
  session_.output_bytes = output_.size();
  processing_ = false;
}

// The command that stands in the parser: refuses it, runs it, or leaves it there for later.
void Pipeline::Dispatch() {
  const std::span<const std::string_view> args = parser_.arguments();
  const Command* const command = FindCommand(args);
  if (command == nullptr || command->handler == nullptr || !ArityFits(*command, args.size())) {
    return Refuse(args);
  }
  if (server_->NeedsAuth(session_) && (command->flags & kNoAuth) == 0) {
    return ReplyError("NOAUTH Authentication required.");
  }
  if (server_->queue_age.overloaded() && (command->flags & (kWrite | kReadonly)) != 0) {
    ++server_->counters.busy_refusals;
    return ReplyError("BUSY this node is overloaded, try again later");
  }
  if (HasLongKey(*command, args)) return ReplyError("ERR a key may have no more than 65536 bytes");
  if (Conflicts(*command, args)) {
    blocked_ = true;
    return;
  }
  Execute(*command);
}

// No command of ours, or not with so many words.
void Pipeline::Refuse(std::span<const std::string_view> args) {
  const Command* const command = FindCommand(args[0]);
  if (command == nullptr) {
    if (!IsHttp(args[0])) return ReplyError(UnknownCommandText(args));
    closing_ = true;
    return;
  }
  const Command* const named = FindCommand(args);
  if (named == nullptr) {
    return ReplyError(fmt::format("ERR unknown subcommand '{}'. Try {} HELP.",
                                  args[1].substr(0, kShownBytes), UpperCase(command->name)));
  }
  ReplyError(fmt::format("ERR wrong number of arguments for '{}' command", named->name));
}

void Pipeline::Execute(const Command& command) {
  ++server_->counters.commands_processed;
  session_.last_command = command.name;
  session_.last_command_at_us = server_->now.mono_us;
  Call* const call = Begin(&command);
  call->args_ = parser_.arguments();
  call->in_handler_ = true;
  command.handler(*call);
  call->in_handler_ = false;
  if (session_.close_after_reply) closing_ = true;
  parser_.set_authenticated(!server_->NeedsAuth(session_));
  if (call->outstanding_ == 0) return Finish(call);

  const std::span<const std::string_view> args = std::exchange(call->args_, {});
  executing_ = call;
  server_->deliver();  // often the answer is there already
  if (executing_ == call) Register(call, args);
  executing_ = nullptr;
}

Call* Pipeline::Begin(const Command* command) {
  Call* const call = server_->calls.Take();
  call->server_ = server_;
  call->session_ = &session_;
  call->pipeline_ = this;
  call->command_ = command;
  call->resp_ = session_.resp;
  call->db_ = session_.db;
  if (oldest_ == nullptr) {
    oldest_ = call;
    oldest_from_ = Answered();
    call->reply_ = &output_;
  } else {
    newest_->next_ = call;
    call->reply_ = &call->own_reply_;
  }
  newest_ = call;
  ++calls_;
  return call;
}

void Pipeline::ReplyError(std::string_view line) {
  Call* const call = Begin(nullptr);
  call->Error(line);
  Finish(call);
}

bool Pipeline::Conflicts(const Command& command, std::span<const std::string_view> args) const {
  if (readers_ + writers_ == 0) return false;
  const bool writes = (command.flags & kWrite) != 0;
  if ((command.flags & kAllKeys) != 0) return writes || writers_ > 0;
  bool conflict = false;
  ForEachKey(command, args.size(), [&](size_t index) {
    if (all_keys_writers_ > 0 || (writes && all_keys_readers_ > 0)) conflict = true;
    const auto use = keys_.find(HashKey(session_.db, args[index]));
    if (use != keys_.end() && (writes || use->second.writers > 0)) conflict = true;
  });
  return conflict;
}

// A call whose operations were not answered at once holds up others on its keys.
void Pipeline::Register(Call* call, std::span<const std::string_view> args) {
  const Command& command = *call->command_;
  const bool writes = (command.flags & kWrite) != 0;
  call->registered_ = true;
  ++(writes ? writers_ : readers_);
  if ((command.flags & kAllKeys) != 0) ++(writes ? all_keys_writers_ : all_keys_readers_);
  ForEachKey(command, args.size(), [&](size_t index) {
    const uint64_t hash = HashKey(call->db_, args[index]);
    call->key_hashes_.push_back(hash);
    KeyUse& use = keys_[hash];
    ++(writes ? use.writers : use.readers);
  });
  for (const std::string_view arg : args) call->held_bytes_ += arg.size();
  call_bytes_ += call->held_bytes_;
  if (writes) return;
  call->reserved_bytes_ = expected_reply_;
  call_bytes_ += call->reserved_bytes_;
}

void Pipeline::NoteReply(Call* call) {
  if (call->reserved_bytes_ == 0) return;
  call_bytes_ -= std::exchange(call->reserved_bytes_, 0);
  const uint64_t bytes = call == oldest_ ? Answered() - oldest_from_ : call->own_reply_.size();
  expected_reply_ = std::max<size_t>({bytes, expected_reply_ - expected_reply_ / 8, 1});
}

void Pipeline::Unregister(Call* call) {
  const bool writes = (call->command_->flags & kWrite) != 0;
  --(writes ? writers_ : readers_);
  if ((call->command_->flags & kAllKeys) != 0) --(writes ? all_keys_writers_ : all_keys_readers_);
  for (const uint64_t hash : call->key_hashes_) {
    const auto use = keys_.find(hash);
    --(writes ? use->second.writers : use->second.readers);
    if (use->second.readers + use->second.writers == 0) keys_.erase(use);
  }
}

void Pipeline::Finish(Call* call) {
  if (call->registered_) Unregister(call);
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
      output_.append(call->own_reply_);
      call->own_reply_.clear();
      call->reply_ = &output_;
    }
    if (!call->finished_) return;
    MarkOutput(call->after_);
    oldest_ = call->next_;
    --calls_;
    call_bytes_ -= call->held_bytes_;
    server_->calls.Return(call);
  }
  newest_ = nullptr;
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
  session_.output_bytes = output_.size();
  if (MayGoOn()) wake_();
}

void Pipeline::Swap(std::string* empty) {
  CHECK(marks_.empty() && empty->empty());
  consumed_ += output_.size();
  output_.swap(*empty);
  session_.output_bytes = 0;
  if (MayGoOn()) wake_();
}

}  // namespace cartwheel
