// Call: one execution of a command. Handlers are free functions over a Call; they decode arguments,
// start operations of the core and write the reply. What handlers never do: wait, touch sockets,
// keep a Call. How a connection orders calls is server/pipeline.h. The loop's thread only.
//
//   void GetCommand(Call& call) {
//     call.Start(ReadOperation{call.KeyAt(1), call.r()}, [](Call& c, Answer& answer) {
//       if (ReadAnswer* read = c.Expect<ReadAnswer>(answer)) { ... c.Reply().Bulk(...); }
//     });
//   }
#pragma once

#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "cluster/client_op.h"
#include "protocol/reply_writer.h"
#include "server/command_table.h"
#include "server/keyspace_events.h"
#include "server/server.h"
#include "server/session.h"

namespace cartwheel {

class Pipeline;

// What a handler may keep between its steps; derive from it.
struct CallState {
  virtual ~CallState() = default;
};

// Answer::id is the operation's index within the call: 0, 1, 2 ... in the order of Start.
using Continuation = void (*)(Call& call, Answer& answer);
using Joined = void (*)(Call& call);

// A call is finished when its handler, or a continuation, returns and no operation is outstanding.
// By then its whole reply must be written; replies of later calls of the connection wait for it.
// Answers are delivered after the handler has returned, in any order.
class Call {
 public:
  // --- what was asked; the views are valid only until the handler returns ---
  std::span<const std::string_view> args() const { return args_; }
  std::string_view arg(size_t index) const {
    CHECK(index < args_.size());
    return args_[index];
  }
  size_t arg_count() const { return args_.size(); }
  const Command& command() const { return *command_; }
  uint32_t db() const { return db_; }  // the one selected when the call began
  Key KeyAt(size_t index) const { return Key{db_, std::string(arg(index))}; }
  // The argument as a string of its own: the one copy a value makes.
  std::string CopyOf(size_t index) const { return std::string(arg(index)); }

  Session& session() const { return *session_; }
  Server& server() const { return *server_; }
  const Now& now() const { return server_->now; }
  Pipeline& pipeline() const { return *pipeline_; }
  // It is run by EXEC: it may not wait for what others will do.
  bool in_transaction() const { return replayed_; }
  // What DYN.QUORUM set for this connection, 0: the default.
  uint8_t r() const { return session_->r; }
  uint8_t w() const { return session_->w; }

  // --- operations of the core ---
  void Start(Operation operation, Continuation then);
  // Keeps the answer in answers()[index]; not mixed with Start; `done` runs once, when no operation
  // is outstanding.
  // Only so many are under way at a time; the values that they bring may not be too large together.
  void Join(Operation operation, Joined done);
  // The same for reads of which nobody needs the values.
  void JoinHead(ReadOperation operation, Joined done) {
    heads_only_ = true;
    Join(std::move(operation), done);
  }
  // As Start; the answer is Done, once all that is applied here is on this node's disk.
  void AwaitSync(Continuation then);
  std::vector<Answer>& answers() { return answers_; }
  size_t outstanding() const { return outstanding_; }

  // Runs `then` in a while. Until then the call is outstanding.
  void Later(int64_t delay_us, Joined then);

  // --- scratch: empty at the start ---
  int64_t counter = 0;
  std::string scratch;
  std::unique_ptr<CallState> state;
  template <typename T>
  T& StateAs() {
    return static_cast<T&>(*state);
  }

  // --- the reply, in the protocol version in force when the call began ---
  ReplyWriter Reply() { return ReplyWriter(reply_, resp_); }
  void Error(std::string_view line);  // Reply().Error, counted
  // CLIENT REPLY: whether this call's own reply is sent.
  void Mute(bool muted) { muted_ = muted; }
  // HELLO: this reply and all later ones of the connection are in `version`.
  void SwitchTo(Resp version) { session_->resp = resp_ = version; }

  // The answer as a T; otherwise its failure is written as the reply and nullptr returned.
  template <typename T>
  T* Expect(Answer& answer) {
    T* result = std::get_if<T>(&answer.result);
    if (result == nullptr) ReplyFailure(answer);
    return result;
  }
  // After Join: true when every answer is a T; otherwise the first failure is the reply.
  template <typename T>
  bool ExpectAll() {
    for (Answer& answer : answers_) {
      if (Expect<T>(answer) == nullptr) return false;
    }
    return true;
  }
  // The error line of a failed operation: -NOQUORUM, -LOADING, -TOOMANYSIBLINGS ...
  void ReplyFailure(const Answer& answer);

 private:
  friend class CallPool;
  friend class Pipeline;

  static constexpr size_t kMostUnderWay = 128;
  static constexpr size_t kMostJoinedBytes = size_t{1} << 30;

  Call(uint32_t slot) : slot_(slot) {}
  void KeepJoined(Answer&& answer);
  void SubmitNext();
  void Submit(Operation operation);
  void Reset();

  const uint32_t slot_;
  Server* server_ = nullptr;
  Session* session_ = nullptr;
  Pipeline* pipeline_ = nullptr;      // nullptr once the client is gone
  const Command* command_ = nullptr;  // nullptr: its reply is an error that no handler wrote
  std::span<const std::string_view> args_;
  Resp resp_ = Resp::k2;
  uint32_t db_ = 0;

  uint32_t next_index_ = 0;
  size_t outstanding_ = 0;
  absl::InlinedVector<Continuation, 2> then_;  // by index
  std::vector<KeyspaceEvent> events_;          // by index, where some are wanted
  Joined joined_ = nullptr;
  std::vector<Answer> answers_;
  std::deque<Operation> to_submit_;  // joined, in order
  bool heads_only_ = false;
  size_t joined_bytes_ = 0;  // of the answers
  size_t read_bytes_ = 0;    // of the largest object that was read

  Call* next_ = nullptr;  // the one after it on its connection
  bool in_handler_ = false;
  bool muted_ = false;
  bool failed_ = false;
  bool replayed_ = false;    // run by EXEC
  bool ends_array_ = false;  // as the last one
  int64_t begun_us_ = 0;
  std::string shown_words_;  // packed, for the slow log
  bool registered_ = false;  // its keys are held up
  bool finished_ = false;
  std::string* reply_ = nullptr;  // the connection's output while this call is its oldest
  std::string own_reply_;
  uint64_t after_ = 0;  // the storage sequence the reply must wait for
  size_t held_bytes_ = 0;
  size_t reserved_bytes_ = 0;         // for the reply to a read that is in flight
  std::vector<uint64_t> key_hashes_;  // of the keys it holds up
};

}  // namespace cartwheel
