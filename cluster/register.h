// Register: one value that its members agree on, epoch after epoch. The value of each epoch is a
// decree of its own, decided by Paxos (Lamport, "Paxos Made Simple", 2001) among the members that
// the value of the epoch before names. In the spirit of CASPaxos (Rystsov, 2018) what is proposed
// is a change of the current value; a proposer that finds another value accepted finishes that one
// first. A generic module: values are opaque bytes, and it neither stores nor sends; its owner
// does.
//
// The acceptor's state must be durable before the frames that a call emitted leave.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "cluster/effects.h"
#include "cluster/types.h"

namespace cartwheel {

struct Prepare;
struct Promise;
struct Accept;
struct Accepted;

struct Ballot {
  uint64_t counter = 0;  // 0: none
  NodeId node = 0;

  auto operator<=>(const Ballot&) const = default;
};

struct AcceptorState {
  uint64_t name = 0;   // which register
  uint64_t epoch = 0;  // the one being decided
  Ballot promised;
  Ballot accepted;
  std::string value;  // accepted with that ballot
};

void EncodeAcceptor(const AcceptorState& acceptor, std::string* out);
bool DecodeAcceptor(Reader* in, AcceptorState* acceptor);

class Register {
 public:
  // The value to propose, given the highest clock among the promises of a majority, or nothing when
  // there is nothing to propose after all. Called only when nobody's value has to be finished.
  using Change = std::function<std::optional<std::string>(uint64_t clock)>;

  struct Decision {
    std::string value;
    bool own = false;  // it is what our change gave
  };
  struct Send {
    NodeId to = 0;
    bool response = false;  // to what came
    std::string frame;
  };
  struct Output {
    std::vector<Send> sends;
    std::optional<Decision> decision;  // of the open epoch; the owner opens the next one
  };
  // What every call needs to know: the time, and the clock that our promises carry.
  struct At {
    int64_t mono_us = 0;
    uint64_t clock = 0;
  };

  Register(NodeId self, int64_t timeout_us, Random* random)
      : self_(self), timeout_us_(timeout_us), random_(random) {}

  void Restore(AcceptorState acceptor) { acceptor_ = std::move(acceptor); }
  const AcceptorState& acceptor() const { return acceptor_; }
  // The acceptor's state changed since the last call.
  bool TakeDirty() { return std::exchange(dirty_, false); }

  // `epoch` is to be decided by `members` from now on: the value before it is known and durable. A
  // proposal under way is dropped. Keeps the acceptor's state when it is of this very epoch.
  void Open(uint64_t name, uint64_t epoch, std::vector<NodeId> members);
  // Takes part in nothing until the next Open.
  void Close();

  uint64_t name() const { return acceptor_.name; }
  uint64_t epoch() const { return acceptor_.epoch; }
  bool proposing() const { return phase_ != Phase::kIdle; }
  // How many members have answered the proposal under way, and how many must.
  size_t answered() const { return granted_.size(); }
  size_t majority() const { return members_.size() / 2 + 1; }

  // Tries until some value of the open epoch is decided, here or (Open is called) elsewhere.
  void Propose(At at, Change change, Output* out);
  void Cancel() { phase_ = Phase::kIdle; }

  // Messages of another register or epoch than the open one, or from strangers, are ignored.
  void Receive(At at, NodeId from, const Prepare& message, Output* out);
  void Receive(At at, NodeId from, const Promise& message, Output* out);
  void Receive(At at, NodeId from, const Accept& message, Output* out);
  void Receive(At at, NodeId from, const Accepted& message, Output* out);

  void Tick(At at, Output* out);
  int64_t NextDeadline() const;

 private:
  enum class Phase { kIdle, kPreparing, kAccepting, kWaiting };

  bool Concerns(NodeId from, uint64_t name, uint64_t epoch) const;
  void BeginBallot(At at, Output* out);
  void CountPromise(At at, NodeId from, const Promise& promise, Output* out);
  void BeginAccepting(At at, Output* out);
  void CountAccepted(NodeId from, Output* out);
  void CountRefusal(At at, NodeId from, Ballot promised);
  void BackOff(At at);
  void SendToOthers(const std::string& frame, Output* out) const;

  const NodeId self_;
  const int64_t timeout_us_;
  Random* const random_;

  AcceptorState acceptor_;
  bool dirty_ = false;
  // When a value that was accepted here and is still not decided is finished by this node.
  int64_t finish_at_us_ = INT64_MAX;

  std::vector<NodeId> members_;  // of the open epoch; none: closed
  Phase phase_ = Phase::kIdle;
  Change change_;
  Ballot ballot_;
  uint64_t highest_counter_ = 0;  // met anywhere
  int64_t deadline_us_ = 0;       // of the phase
  uint32_t attempts_ = 0;
  std::vector<NodeId> granted_;
  std::vector<NodeId> refused_;
  Ballot best_accepted_;  // among the promises
  std::string value_;     // of best_accepted_; in kAccepting what is proposed
  bool own_ = false;
  uint64_t highest_clock_ = 0;
};

}  // namespace cartwheel
