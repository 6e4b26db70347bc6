#include "server/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "server/clocks.h"
#include "server/command_stats.h"
#include "server/secrets.h"
#include "server/shown_words.h"
#include "server/text.h"

namespace cartwheel {
namespace {

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
    fmt::format_to(std::back_inserter(shown), "'{}' ", Shown(args[i], kShownBytes - shown.size()));
  }
  return fmt::format("ERR unknown command '{}', with args beginning with: {}", Shown(args[0]),
                     shown);
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
  server_->pubsub.UnsubscribeAll(this);
  server_->monitors.erase(this);
  server_->pause.waiting.erase(this);
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
  const uint64_t most_output = hard_bytes > 0 ? hard_bytes : kMaxOutputBytes;
  return others || calls_ >= kMaxCalls || call_bytes_ >= kMaxCallBytes ||
         (!unheard_ && output_bytes() >= most_output);
}

void Pipeline::Process() {
  CHECK(!processing_);
  processing_ = true;
  parser_.set_max_bulk_bytes(server_->options.proto_max_bulk_bytes);
  stamp_us_ = MonotonicUs();
  stalled_ = true;
  if (!exec_line_.empty()) ShowExec();
  while (MayBegin()) {
    if (!blocked_ && !NextCommand()) break;
    blocked_ = false;
    const bool replayed = !replay_.empty();
    Dispatch();
    if (blocked_) break;
    if (replayed) replay_.pop_front();
    if (!exec_line_.empty()) ShowExec();
    --granted_;
  }
  session_.input_bytes = parser_.pending_bytes();
  session_.input_allocated_bytes = parser_.allocated_bytes();
  session_.output_bytes = output_bytes();
  processing_ = false;
}

// True when words_ holds the next command.
bool Pipeline::NextCommand() {
  if (Replaying()) {
    const std::vector<std::string>& words = replay_.front().words;
    replay_words_.assign(words.begin(), words.end());
    words_ = replay_words_;
    return true;
  }
  if (closing_) return false;
  while (MayBegin()) {
    session_.input_bytes = parser_.pending_bytes();
    switch (parser_.Next()) {
      case RequestParser::Outcome::kCommand: words_ = parser_.arguments(); return true;
      case RequestParser::Outcome::kNeedMore: stalled_ = false; return false;
      case RequestParser::Outcome::kTooLarge: ReplyError("ERR " + parser_.error()); break;
      case RequestParser::Outcome::kError:
        ReplyError("ERR " + parser_.error());
        closing_ = true;
        return false;
    }
  }
  return false;
}

// The command in words_: refuses it, queues it, runs it, or leaves it there for later.
void Pipeline::Dispatch() {
  const Command* const command = FindCommand(words_);
  if (command == nullptr || command->handler == nullptr || !ArityFits(*command, words_.size())) {
    return Refuse(words_);
  }
  // What EXEC runs was looked at when it was queued.
  const std::string line = replay_.empty() ? WhyNot(*command) : std::string();
  if (!line.empty()) return Reject(*command, line);
  if (session_.transaction.open && (command->flags & kEndsMulti) == 0) return Queue(*command);
  paused_ = IsPaused(*command);
  if (paused_) Hold();
  if (paused_ || Conflicts(*command)) {
    blocked_ = true;
    return;
  }
  Execute(*command);
}

// No command of ours, or not with so many words.
void Pipeline::Refuse(std::span<const std::string_view> words) {
  const Command* const command = FindCommand(words[0]);
  if (command == nullptr) {
    session_.transaction.aborted = true;
    if (!IsHttp(words[0])) return ReplyError(UnknownCommandText(words));
    closing_ = true;
    return;
  }
  const Command* const named = FindCommand(words);
  if (named == nullptr) {
    return Reject(*command, fmt::format("ERR unknown subcommand '{}'. Try {} HELP.",
                                        Shown(words[1]), UpperCase(command->name)));
  }
  Reject(*named, fmt::format("ERR wrong number of arguments for '{}' command", named->name));
}

void Pipeline::Reject(const Command& command, std::string_view line) {
  NoteRejected(server_, command);
  if (command.name != "exec") {
    session_.transaction.aborted = true;
    return ReplyError(line);
  }
  session_.transaction = {};
  if (line.starts_with("ERR ")) line.remove_prefix(4);
  ReplyError(fmt::format("EXECABORT Transaction discarded because of: {}", line));
}

// The error with which the command is refused as things are; empty: it may run.
std::string Pipeline::WhyNot(const Command& command) const {
  if (server_->NeedsAuth(session_) && (command.flags & kNoAuth) == 0) {
    return "NOAUTH Authentication required.";
  }
  if (server_->queue_age.overloaded() && (command.flags & (kWrite | kReadonly)) != 0) {
    ++server_->counters.busy_refusals;
    return "BUSY this node is overloaded, try again later";
  }
  if (HasLongKey(command, words_)) return "ERR a key may have no more than 65536 bytes";
  const bool subscribed = session_.resp == Resp::k2 && session_.Subscriptions() > 0;
  if (subscribed && (command.flags & kWhileSubscribed) == 0) {
    return fmt::format(
        "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
        "allowed in this context",
        command.name);
  }
  if (session_.transaction.open && (command.flags & kNoMulti) != 0) {
    return "ERR Command not allowed inside a transaction";
  }
  if (server_->options.moved && session_.asked_for_map) return Moved(command);
  return {};
}

// The option `moved`: where the first key's first live node is, when that is another one. After
// READONLY a node that holds a copy serves reads.
std::string Pipeline::Moved(const Command& command) const {
  const KeyRange& keys = command.keys[0];
  const Node& node = *server_->node;
  if (keys.first == 0 || (keys.flags & kKeyNotKey) != 0 || !node.ready()) return {};
  const uint16_t slot =
      HashSlot(words_[static_cast<size_t>(keys.first)], node.state().settings.partitioner);
  const auto list = node.ring().PreferenceList(slot);
  const auto first =
      std::find_if(list.begin(), list.end(), [&node](NodeId id) { return node.IsAlive(id); });
  if (first == list.end() || *first == node.id()) return {};
  const auto replicas = node.ring().Replicas(slot);
  const bool holds = std::find(replicas.begin(), replicas.end(), node.id()) != replicas.end();
  if (holds && session_.readonly && (command.flags & kReadonly) != 0) return {};
  const Member* const member = node.state().Find(*first);
  if (member == nullptr) return {};
  return fmt::format("MOVED {} {}:{}", slot, member->host, member->port);
}

// True while CLIENT PAUSE holds the command up. Its own end is not held up by it, nor is what EXEC
// runs: one that begins within a transaction begins for others and for what follows.
bool Pipeline::IsPaused(const Command& command) {
  Pause& pause = server_->pause;
  if (pause.until_us == 0) return false;
  if (!replay_.empty() || command.name == "client|unpause") return false;
  const bool writes = (command.flags & (kWrite | kMayReplicate)) != 0 ||
                      (command.name == "exec" && session_.transaction.Writes());
  if (pause.writes_only && !writes) return false;
  pause.waiting.insert(this);
  return true;
}

// EXEC only looks at keys first when some are watched.
bool Pipeline::IsBarrier(const Command& command) const {
  if ((command.flags & kBarrier) == 0) return false;
  return command.name != "exec" || !session_.transaction.watched.empty();
}

void Pipeline::Hold() {
  if (!held_words_.empty() && words_.data() == held_words_.data()) return;
  held_.assign(words_.begin(), words_.end());
  held_words_.assign(held_.begin(), held_.end());
  words_ = held_words_;
}

void Pipeline::Queue(const Command& command) {
  Transaction& transaction = session_.transaction;
  for (const std::string_view word : words_) transaction.bytes += word.size();
  if (transaction.bytes > Transaction::kMaxBytes) {
    return Reject(command, "ERR the queued commands of this transaction are too large");
  }
  transaction.queue.push_back({&command, {words_.begin(), words_.end()}});
  Call* const call = Begin(nullptr);
  call->Reply().Simple("QUEUED");
  Finish(call);
}

void Pipeline::Execute(const Command& command) {
  session_.last_command = command.name;
  session_.last_command_at_us = server_->now.mono_us;
  if ((command.flags & kWrite) != 0) NoteWritten(command);
  Call* const call = Begin(&command);
  call->args_ = words_;
  call->in_handler_ = true;
  command.handler(*call);
  call->in_handler_ = false;
  if (!server_->monitors.empty()) ShowMonitors(command);
  if (session_.close_after_reply) closing_ = true;
  parser_.set_authenticated(!server_->NeedsAuth(session_));
  if (call->outstanding_ == 0) return Finish(call);

  call->args_ = {};
  if (IsBarrier(command)) barrier_ = call;
  executing_ = call;
  server_->deliver();  // often the answer is there already
  if (executing_ != call) return;
  Register(call, words_);
  if (server_->options.slowlog_slower_than_us >= 0) PackWords(words_, &call->shown_words_);
  executing_ = nullptr;
  stamp_us_ = MonotonicUs();
}

void Pipeline::ShowMonitors(const Command& command) {
  if ((command.flags & (kSkipMonitor | kAdmin)) != 0) return;
  const int64_t us = WallUs();
  std::string line = fmt::format("{}.{:06} [{} {}]", us / 1'000'000, us % 1'000'000, session_.db,
                                 session_.address);
  std::vector<std::string> words(words_.begin(), words_.end());
  HideSecrets(command, words);
  for (const std::string& word : words) {
    line += ' ';
    AppendQuoted(word, &line);
  }
  // What EXEC runs is shown before it.
  if (command.name == "exec") {
    exec_line_ = std::move(line);
  } else {
    for (Pipeline* const monitor : server_->monitors) monitor->PushLine(line);
  }
}

// Once what it ran is shown.
void Pipeline::ShowExec() {
  if (!replay_.empty() || barrier_ != nullptr) return;
  for (Pipeline* const monitor : server_->monitors) monitor->PushLine(exec_line_);
  exec_line_.clear();
}

void Pipeline::NoteWritten(const Command& command) {
  if (command.keys[0].first == 0) return;
  if (!session_.last_written) session_.last_written.emplace();
  // Of RENAME and COPY what they write, not what they read.
  const bool second = (command.keys[1].flags & kKeyOverwrite) != 0;
  session_.last_written->db = session_.db;
  session_.last_written->bytes.assign(
      words_[static_cast<size_t>(command.keys[second ? 1 : 0].first)]);
}

Call* Pipeline::Begin(const Command* command) {
  Call* const call = server_->calls.Take();
  call->server_ = server_;
  call->session_ = &session_;
  call->pipeline_ = this;
  call->command_ = command;
  call->resp_ = session_.resp;
  call->db_ = session_.db;
  call->replayed_ = Replaying();
  call->ends_array_ = replay_.size() == 1;
  call->begun_us_ = stamp_us_;
  call->muted_ = session_.reply_off || std::exchange(session_.skip_next_reply, false);
  if (oldest_ == nullptr && !call->muted_) {
    call->reply_ = &output_;
  } else {
    call->reply_ = &call->own_reply_;
  }
  if (oldest_ == nullptr) {
    oldest_ = call;
    oldest_from_ = Answered();
  } else {
    newest_->next_ = call;
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

void Pipeline::RunOut() {
  closing_ = unheard_ = session_.reply_off = true;
  server_->pubsub.UnsubscribeAll(this);
  server_->monitors.erase(this);
}

void Pipeline::RunQueued() {
  replay_.assign(std::make_move_iterator(session_.transaction.queue.begin()),
                 std::make_move_iterator(session_.transaction.queue.end()));
  session_.transaction = {};
  if (!replay_.empty()) ++open_arrays_;
}

bool Pipeline::Conflicts(const Command& command) const {
  if (IsBarrier(command)) return oldest_ != nullptr;
  if (readers_ + writers_ == 0) return false;
  // Who is told of a write shall find it.
  if ((command.flags & kPubSub) != 0 && (command.flags & kMayReplicate) != 0) return writers_ > 0;
  const bool writes = (command.flags & kWrite) != 0;
  if ((command.flags & kAllKeys) != 0) return writes || writers_ > 0;
  bool conflict = false;
  ForEachKey(command, words_.size(), [&](size_t index) {
    if (all_keys_writers_ > 0 || (writes && all_keys_readers_ > 0)) conflict = true;
    const auto use = keys_.find(HashKey(session_.db, words_[index]));
    if (use != keys_.end() && (writes || use->second.writers > 0)) conflict = true;
  });
  return conflict;
}

// A call whose operations were not answered at once holds up others on its keys.
void Pipeline::Register(Call* call, std::span<const std::string_view> words) {
  const Command& command = *call->command_;
  const bool writes = (command.flags & kWrite) != 0;
  call->registered_ = true;
  ++(writes ? writers_ : readers_);
  if ((command.flags & kAllKeys) != 0) ++(writes ? all_keys_writers_ : all_keys_readers_);
  ForEachKey(command, words.size(), [&](size_t index) {
    const uint64_t hash = HashKey(call->db_, words[index]);
    call->key_hashes_.push_back(hash);
    KeyUse& use = keys_[hash];
    ++(writes ? use.writers : use.readers);
  });
  for (const std::string_view word : words) call->held_bytes_ += word.size();
  call_bytes_ += call->held_bytes_;
  if (writes) return;
  call->reserved_bytes_ = expected_reply_;
  call_bytes_ += call->reserved_bytes_;
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

}  // namespace cartwheel
