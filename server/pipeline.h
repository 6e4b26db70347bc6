// Pipeline: one client's commands, from the bytes that came to the bytes that go. Replies leave in
// the order of commands. Commands run concurrently, except that one which writes a key waits for
// whatever is in flight on it, and one which reads a key for writes of it: then it and all after it
// stay in the input. Between MULTI and EXEC commands are queued; EXEC answers with the number of
// them and lets them run like others, so that their replies behind it are its array. What is pushed
// (published messages, MONITOR) goes between replies. It knows no sockets: server/client.h feeds it
// and takes its output. Input and dispatch are in pipeline.cc, replies in pipeline_output.cc.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/request_parser.h"
#include "server/command.h"
#include "server/session.h"

namespace cartwheel {

class Pipeline {
 public:
  // Past these no further command of the connection is begun, and its socket is not read. What has
  // come of a single command is bounded by proto-max-bulk-len alone.
  static constexpr size_t kMaxCalls = 1024;
  static constexpr size_t kMaxCallBytes = 16 << 20;
  static constexpr size_t kMaxOutputBytes = 16 << 20;
  static constexpr size_t kMaxHeldInputBytes = 64 << 10;
  // What the reply to a read is taken for before there was one.
  static constexpr size_t kFirstReplyBytes = 256 << 10;

  // `wake` is called when the pipeline has output or can go on with its input, from outside of
  // Process; it may be called again and again.
  Pipeline(Server* server, std::function<void()> wake);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  Session& session() { return session_; }

  // --- input ---
  // False while the input may not grow: a command waits in it, or a bound is reached.
  bool WantsInput() const {
    // A command that waits for long does not keep us from noticing that its client is gone.
    if (HeldUp()) return !closing_ && parser_.pending_bytes() < kMaxHeldInputBytes;
    return !blocked_ && MayBegin();
  }
  // By CLIENT PAUSE or a WAIT: nobody knows for how long.
  bool HeldUp() const { return session_.blocked || paused_; }
  std::span<char> Prepare() { return parser_.Prepare(); }
  void Commit(size_t bytes) { parser_.Commit(bytes); }
  // So many commands may begin from now on; without it, any number.
  void Grant(size_t commands) { granted_ = commands; }
  // Runs commands as far as input, order, bounds and what was granted allow.
  void Process();
  // What was granted is used up, and there may be more to do.
  bool Spent() const { return granted_ == 0 && stalled_ && !blocked_ && GoesOn(); }
  // The client is gone in the middle of an EXEC: what that has yet to run runs, unheard.
  bool Replaying() const { return !replay_.empty(); }
  void RunOut();
  // What held its next command up may be over: a pause.
  void Wake() { wake_(); }

  // --- output ---
  // What may be written, given the engine's stored sequence.
  std::string_view Writable(uint64_t stored);
  // The first `bytes` of it were written, or are kept by the caller.
  void Consume(size_t bytes);
  // Takes the whole output instead, when all of it is writable. Gives back an empty string.
  void Swap(std::string* empty);
  size_t output_bytes() const { return output_.size() + pushes_.size(); }

  // A message that answers no command: a push, in RESP2 an array; or a line (MONITOR).
  void Push(std::span<const std::string_view> words);
  void PushLine(std::string_view line);
  // EXEC, in its call: the queued commands run, their replies follow. Ends the transaction.
  void RunQueued();

  // No command will begin any more: QUIT or a protocol error. Once idle, the connection closes.
  bool closing() const { return closing_; }
  void Close() { closing_ = true; }
  // Waits for other connections' operations alone: its owner wakes it when there is room again.
  bool Starved() const { return WaitsForOthers() && calls_ == 0; }
  // What holds it up is no bound of its own.
  bool WaitsForOthers() const {
    return stalled_ && !blocked_ && GoesOn() && granted_ > 0 && calls_ < kMaxCalls &&
           server_->calls.Full();
  }
  // Nothing in flight, and no complete command left in the input that may begin.
  bool Idle() const { return oldest_ == nullptr && !Replaying() && (closing_ || !stalled_); }
  // Gives the input buffer back where it is empty.
  void ReleaseInput() { parser_.Release(); }

 private:
  friend class Call;
  friend class CallPool;

  // Calls in flight that touch one key.
  struct KeyUse {
    uint32_t readers = 0;
    uint32_t writers = 0;
  };
  // Up to `end`, output must wait for `after`.
  struct Mark {
    size_t end;
    uint64_t after;
  };

  // Input.
  bool Full() const;
  // An EXEC that has begun is not left half done.
  bool GoesOn() const { return !closing_ || Replaying(); }
  bool MayBegin() const { return GoesOn() && granted_ > 0 && barrier_ == nullptr && !Full(); }
  bool MayGoOn() const { return stalled_ && !blocked_ && barrier_ == nullptr && !Full(); }
  bool NextCommand();
  void Dispatch();
  void Refuse(std::span<const std::string_view> words);
  void Reject(const Command& command, std::string_view line);
  std::string WhyNot(const Command& command) const;
  std::string Moved(const Command& command) const;
  bool IsPaused(const Command& command);
  bool IsBarrier(const Command& command) const;
  bool Conflicts(const Command& command) const;
  void Queue(const Command& command);
  void Hold();
  void Execute(const Command& command);
  void ShowMonitors(const Command& command);
  void ShowExec();
  void NoteWritten(const Command& command);
  Call* Begin(const Command* command);
  void ReplyError(std::string_view line);
  void Register(Call* call, std::span<const std::string_view> words);
  void Unregister(Call* call);

  // Output (pipeline_output.cc).
  void NoteReply(Call* call);
  uint64_t Answered() const { return consumed_ + output_.size(); }
  void Finish(Call* call);
  void NoteDuration(Call* call);
  void Progress(Call* call);  // a part of its reply may be there
  void Retire();
  void ReleasePushes();
  void MarkOutput(uint64_t after);

  Server* server_;
  std::function<void()> wake_;
  Session session_;
  RequestParser parser_;
  // The command that is to be dispatched: the parser's, or the first of those that EXEC runs.
  std::span<const std::string_view> words_;
  std::deque<QueuedCommand> replay_;
  std::vector<std::string_view> replay_words_;
  // A copy of what CLIENT PAUSE holds up: the input's own bytes move when more comes.
  std::vector<std::string> held_;
  std::vector<std::string_view> held_words_;
  std::string exec_line_;  // what MONITOR is to show of an EXEC that is not done
  size_t granted_ = SIZE_MAX;
  bool blocked_ = false;  // the command in words_ waits for a key, or for a pause to end
  bool paused_ = false;   // it is a pause
  bool stalled_ = false;  // Process stopped before the input was used up
  bool closing_ = false;
  bool unheard_ = false;  // its client is gone
  bool processing_ = false;
  int64_t stamp_us_ = 0;  // when the command that begins now could begin
  Call* executing_ = nullptr;
  Call* barrier_ = nullptr;  // in flight: no other begins

  Call* oldest_ = nullptr;
  Call* newest_ = nullptr;
  size_t calls_ = 0;
  size_t call_bytes_ = 0;
  // The bytes of a read's reply are known only when it is there, and then nothing can be done about
  // them: a read in flight counts with as many as the largest of the last ones.
  size_t expected_reply_ = kFirstReplyBytes;
  uint64_t consumed_ = 0;     // of the output, so far
  uint64_t oldest_from_ = 0;  // where in all output the oldest call's reply begins

  // Of the calls whose operations are outstanding.
  absl::flat_hash_map<uint64_t, KeyUse> keys_;
  uint32_t readers_ = 0;
  uint32_t writers_ = 0;
  uint32_t all_keys_readers_ = 0;
  uint32_t all_keys_writers_ = 0;

  std::string output_;
  std::string pushes_;  // wait for a place between replies
  // Of EXECs whose commands have not all replied: between those is no place for a push.
  size_t open_arrays_ = 0;
  std::vector<Mark> marks_;
  bool mark_open_ = false;  // the last mark is of this loop turn and may grow
};

}  // namespace cartwheel
