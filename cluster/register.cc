#include "cluster/register.h"

#include <algorithm>
#include <utility>

#include "cluster/control_messages.h"

namespace cartwheel {
namespace {

// Two proposers in a duel wait a random time each, of a bound that doubles.
constexpr int64_t kFirstBackOffUs = 20'000;
constexpr int64_t kMaxBackOffUs = 1'000'000;
// A value whose proposer went away is finished by an acceptor of it after 2 to 4 seconds.
constexpr int64_t kFinishAfterUs = 2'000'000;

// Adds the node; false when it was in already.
bool AddOnce(NodeId node, std::vector<NodeId>* nodes) {
  if (std::find(nodes->begin(), nodes->end(), node) != nodes->end()) return false;
  nodes->push_back(node);
  return true;
}

Ballot ReadBallot(Reader* in) {
  Ballot ballot;
  ballot.counter = in->Varint();
  ballot.node = in->Fixed64();
  return ballot;
}

void PutBallot(const Ballot& ballot, std::string* out) {
  PutVarint(out, ballot.counter);
  PutFixed64(out, ballot.node);
}

}  // namespace

// acceptor = name:8 epoch:varint promised:ballot accepted:ballot value:bytes
// ballot   = counter:varint node:8
void EncodeAcceptor(const AcceptorState& acceptor, std::string* out) {
  PutFixed64(out, acceptor.name);
  PutVarint(out, acceptor.epoch);
  PutBallot(acceptor.promised, out);
  PutBallot(acceptor.accepted, out);
  PutBytes(out, acceptor.value);
}

bool DecodeAcceptor(Reader* in, AcceptorState* acceptor) {
  acceptor->name = in->Fixed64();
  acceptor->epoch = in->Varint();
  acceptor->promised = ReadBallot(in);
  acceptor->accepted = ReadBallot(in);
  acceptor->value = in->Bytes();
  return in->ok();
}

void Register::Open(uint64_t name, uint64_t epoch, std::vector<NodeId> members) {
  members_ = std::move(members);
  phase_ = Phase::kIdle;
  attempts_ = 0;
  finish_at_us_ = INT64_MAX;
  if (acceptor_.name == name && acceptor_.epoch == epoch) return;
  acceptor_ = AcceptorState{name, epoch, {}, {}, {}};
  dirty_ = true;
}

void Register::Close() {
  members_.clear();
  phase_ = Phase::kIdle;
  finish_at_us_ = INT64_MAX;
  acceptor_ = {};
  dirty_ = true;
}

bool Register::Concerns(NodeId from, uint64_t name, uint64_t epoch) const {
  return name == acceptor_.name && epoch == acceptor_.epoch &&
         std::find(members_.begin(), members_.end(), from) != members_.end();
}

void Register::SendToOthers(const std::string& frame, Output* out) const {
  for (const NodeId member : members_) {
    if (member != self_) out->sends.push_back({member, false, frame});
  }
}

void Register::Propose(At at, Change change, Output* out) {
  CHECK(!members_.empty() && !proposing());
  change_ = std::move(change);
  attempts_ = 0;
  BeginBallot(at, out);
}

// A ballot of ours is used for one value only, also across a crash: our own acceptor has promised
// it, durably, before anybody hears of it, and after a restart we begin above that promise.
void Register::BeginBallot(At at, Output* out) {
  highest_counter_ = std::max(highest_counter_, acceptor_.promised.counter) + 1;
  ballot_ = {highest_counter_, self_};
  phase_ = Phase::kPreparing;
  deadline_us_ = at.mono_us + timeout_us_;
  granted_.clear();
  refused_.clear();
  best_accepted_ = {};
  value_.clear();
  highest_clock_ = 0;
  acceptor_.promised = ballot_;
  dirty_ = true;
  SendToOthers(EncodeControl(Prepare{acceptor_.name, acceptor_.epoch, ballot_}), out);
  Promise own;
  own.accepted = acceptor_.accepted;
  own.clock = at.clock;
  own.value = acceptor_.value;
  CountPromise(at, self_, own, out);
}

void Register::CountPromise(At at, NodeId from, const Promise& promise, Output* out) {
  if (!AddOnce(from, &granted_)) return;
  highest_clock_ = std::max(highest_clock_, promise.clock);
  if (promise.accepted > best_accepted_) {
    best_accepted_ = promise.accepted;
    value_ = promise.value;
  }
  if (granted_.size() == majority()) BeginAccepting(at, out);
}

void Register::BeginAccepting(At at, Output* out) {
  own_ = best_accepted_.counter == 0;
  if (own_) {
    std::optional<std::string> value = change_(highest_clock_);
    if (!value) {
      phase_ = Phase::kIdle;
      return;
    }
    value_ = *std::move(value);
  }
  phase_ = Phase::kAccepting;
  deadline_us_ = at.mono_us + timeout_us_;
  granted_.clear();
  refused_.clear();
  SendToOthers(EncodeControl(Accept{acceptor_.name, acceptor_.epoch, ballot_, value_}), out);
  if (acceptor_.promised != ballot_) return;  // promised to somebody else meanwhile
  acceptor_.accepted = ballot_;
  acceptor_.value = value_;
  dirty_ = true;
  CountAccepted(self_, out);
}

void Register::CountAccepted(NodeId from, Output* out) {
  if (!AddOnce(from, &granted_) || granted_.size() != majority()) return;
  phase_ = Phase::kIdle;
  out->decision = Decision{value_, own_};
}

void Register::CountRefusal(At at, NodeId from, Ballot promised) {
  highest_counter_ = std::max(highest_counter_, promised.counter);
  AddOnce(from, &refused_);
  if (members_.size() - refused_.size() < majority()) BackOff(at);
}

void Register::BackOff(At at) {
  const int64_t bound = std::min(kMaxBackOffUs, kFirstBackOffUs << std::min(attempts_, 10U));
  attempts_ += 1;
  phase_ = Phase::kWaiting;
  deadline_us_ =
      at.mono_us + 1 + static_cast<int64_t>(random_->Below(static_cast<uint64_t>(bound)));
}

void Register::Receive(At at, NodeId from, const Prepare& message, Output* out) {
  if (!Concerns(from, message.name, message.epoch)) return;
  Promise answer{message.name, message.epoch, message.ballot, false, acceptor_.promised, {}, 0, {}};
  if (message.ballot >= acceptor_.promised) {
    if (message.ballot != acceptor_.promised) dirty_ = true;
    acceptor_.promised = message.ballot;
    answer.granted = true;
    answer.promised = message.ballot;
    answer.accepted = acceptor_.accepted;
    answer.value = acceptor_.value;
    answer.clock = at.clock;
  }
  out->sends.push_back({from, true, EncodeControl(answer)});
}

void Register::Receive(At at, NodeId from, const Promise& message, Output* out) {
  if (!Concerns(from, message.name, message.epoch)) return;
  if (phase_ != Phase::kPreparing || message.ballot != ballot_) return;
  if (message.granted) {
    CountPromise(at, from, message, out);
  } else {
    CountRefusal(at, from, message.promised);
  }
}

void Register::Receive(At at, NodeId from, const Accept& message, Output* out) {
  if (!Concerns(from, message.name, message.epoch)) return;
  Accepted answer{message.name, message.epoch, message.ballot, false, acceptor_.promised};
  if (message.ballot >= acceptor_.promised) {
    acceptor_.promised = message.ballot;
    acceptor_.accepted = message.ballot;
    acceptor_.value = message.value;
    dirty_ = true;
    answer.granted = true;
    finish_at_us_ = at.mono_us + kFinishAfterUs +
                    static_cast<int64_t>(random_->Below(static_cast<uint64_t>(kFinishAfterUs)));
  }
  out->sends.push_back({from, true, EncodeControl(answer)});
}

void Register::Receive(At at, NodeId from, const Accepted& message, Output* out) {
  if (!Concerns(from, message.name, message.epoch)) return;
  if (phase_ != Phase::kAccepting || message.ballot != ballot_) return;
  if (message.granted) {
    CountAccepted(from, out);
  } else {
    CountRefusal(at, from, message.promised);
  }
}

void Register::Tick(At at, Output* out) {
  if (members_.empty()) return;
  if (phase_ == Phase::kIdle && acceptor_.accepted.counter != 0) {
    if (finish_at_us_ == INT64_MAX) finish_at_us_ = at.mono_us + kFinishAfterUs;  // a restart
    if (at.mono_us < finish_at_us_) return;
    finish_at_us_ = INT64_MAX;
    Propose(
        at, [](uint64_t) { return std::nullopt; }, out);
    return;
  }
  if (phase_ == Phase::kIdle || at.mono_us < deadline_us_) return;
  if (phase_ == Phase::kWaiting) {
    BeginBallot(at, out);
  } else {
    BackOff(at);
  }
}

int64_t Register::NextDeadline() const {
  if (members_.empty()) return INT64_MAX;
  if (phase_ != Phase::kIdle) return deadline_us_;
  return acceptor_.accepted.counter != 0 ? finish_at_us_ : INT64_MAX;
}

}  // namespace cartwheel
