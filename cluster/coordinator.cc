#include "cluster/coordinator.h"

#include <algorithm>
#include <utility>

namespace cartwheel {
namespace {

constexpr size_t kKeptDeltaBytes = 4096;
// A tick that comes later than this after it was due: this node is slow, not its peers.
constexpr int64_t kLateUs = 20'000;

}  // namespace

void Coordinator::Operation::Clear() {
  answered = false;
  explain = false;
  sloppy = false;
  cleared = false;
  r = 0;
  w = 0;
  hedge_us = timeout_us = final_us = again_us = kNever;
  transfer_us = 0;
  asked_before = 0;
  widened = false;
  client = 0;
  peer = 0;
  hint_for = 0;
  after = 0;
  placement = 0;
  read.Begin(position, 0, 0);
  asked.clear();
  failed.clear();
  replicas.clear();
  if (what == What::kRead) return;  // and never wrote
  write.Begin(0);
  version.Clear();
  update.bytes.clear();
  update.bytes.shrink_to_fit();
  put_context.Clear();
  delta.clear();
  if (delta.capacity() > kKeptDeltaBytes) delta.shrink_to_fit();
}

Coordinator::Operation* Coordinator::Allocate(const Turn& turn, What what, Key key) {
  if (free_.empty()) {
    CHECK(operations_.size() < (size_t{1} << kIndexBits));
    free_.push_back(static_cast<uint32_t>(operations_.size()));
    operations_.push_back(std::make_unique<Operation>());
    due_us_.push_back(kNever);
    // From a random generation on: an answer that was meant for this node before its last start
    // must not fit a request of now.
    const uint64_t generation = context_->random.Below(uint64_t{1} << 32);
    operations_.back()->id = generation << kIndexBits | (operations_.size() - 1);
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Operation* op = operations_[index].get();
  op->id += uint64_t{1} << kIndexBits;
  op->what = what;
  op->started_us = turn.now.mono_us;
  op->position = context_->Locate(key.db, key.bytes).position;
  op->key = std::move(key);
  op->final_us = turn.now.mono_us + 2 * StepUs(*op);
  Schedule(*op);
  context_->counters.operations_in_flight = ++in_flight_;
  return op;
}

Coordinator::Operation* Coordinator::Find(uint64_t id) {
  const size_t index = IndexOf(id);
  if (index >= operations_.size()) return nullptr;
  Operation* op = operations_[index].get();
  return op->id == id && op->phase != Phase::kFree ? op : nullptr;
}

void Coordinator::Free(Operation* op) {
  op->phase = Phase::kFree;
  op->Clear();
  due_us_[IndexOf(op->id)] = kNever;
  free_.push_back(static_cast<uint32_t>(IndexOf(op->id)));
  context_->counters.operations_in_flight = --in_flight_;
}

void Coordinator::EnterStep(const Turn& turn, Operation* op, Phase phase) {
  op->phase = phase;
  op->asked.clear();
  op->failed.clear();
  op->hedge_us = kNever;
  const int64_t now_us = turn.now.mono_us;
  op->timeout_us = now_us + StepUs(*op);
  // A step that begins late leaves time to ask others, or to ask again.
  if (op->timeout_us >= op->final_us) op->timeout_us = now_us + (op->final_us - now_us) / 2;
  op->again_us = op->timeout_us;
  op->asked_before = 0;
  op->widened = false;
  Schedule(*op);
}

void Coordinator::AllowTransfer(Operation* op, size_t bytes) {
  const int64_t more_us = NodeContext::TransferUs(bytes) - op->transfer_us;
  if (more_us <= 0) return;
  op->transfer_us += more_us;
  op->final_us += 2 * more_us;
  for (int64_t* deadline_us : {&op->timeout_us, &op->again_us}) {
    if (*deadline_us != kNever) *deadline_us += more_us;
  }
  Schedule(*op);
}

void Coordinator::Schedule(const Operation& op) {
  const int64_t due_us = std::min({op.hedge_us, op.timeout_us, op.final_us});
  due_us_[IndexOf(op.id)] = due_us;
  next_due_us_ = std::min(next_due_us_, due_us);
}

bool Coordinator::WasAsked(const Operation& op, NodeId node) {
  return std::any_of(op.asked.begin() + static_cast<ptrdiff_t>(op.asked_before), op.asked.end(),
                     [node](const Asked& asked) { return asked.node == node; });
}

NodeId Coordinator::NextCandidate(const Operation& op, bool self_first, NodeId except) const {
  const auto list = context_->ring->PreferenceList(op.position.slot);
  const size_t replicas = context_->ring->Replicas(op.position.slot).size();
  NodeId down = 0;
  NodeId live = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    if (i >= replicas && live != 0) break;
    const NodeId node = list[i];
    if (node == except || WasAsked(op, node)) continue;
    if (self_first && i < replicas && node == context_->self()) return node;
    if (live == 0 && context_->liveness.IsAlive(node)) live = node;
    if (down == 0 && i < replicas) down = node;
  }
  return live != 0 ? live : down;
}

void Coordinator::FinishNoQuorum(const Turn& turn, Operation* op, char which) {
  const NoQuorum answer =
      which == 'R' ? NoQuorum{'R', op->r, op->read.answered()}
                   : NoQuorum{'W', std::min(op->w, context_->ring->n()), op->write.answered()};
  if (op->what == What::kUpdate) LeaveQueue(turn, op->position, op->id);
  if (!op->answered) {
    ++context_->counters.no_quorum;
    Reply(turn, op, 0, answer);
  }
  Free(op);
}

void Coordinator::OnPeerLost(const Turn& turn, NodeId peer) {
  const size_t count = operations_.size();
  for (size_t i = 0; i < count; ++i) {
    Operation* op = operations_[i].get();
    const bool waits = std::any_of(op->asked.begin(), op->asked.end(),
                                   [&](const Asked& asked) { return asked.node == peer; });
    if (!waits) continue;
    switch (op->phase) {
      case Phase::kReading:
        if (!op->read.HasReplied(peer)) {
          for (Asked& asked : op->asked) asked.lost = asked.lost || asked.node == peer;
          MarkFailed(op, peer);
          CheckRead(turn, op);
        }
        break;
      case Phase::kMinting:
        if (op->asked.back().node == peer && !HasFailed(*op, peer)) {
          op->version.NoteUnanswered();
          TryNextMinter(turn, op);
        }
        break;
      case Phase::kForwarded:
        // Those before have refused it.
        if (op->asked.back().node != peer) break;
        Reply(turn, op, 0, Unknown{});
        Free(op);
        break;
      case Phase::kStoring:
        for (size_t at = 0; at < op->asked.size(); ++at) {
          if (op->asked[at].node == peer) ReplaceLate(turn, op, at);
        }
        CheckWrite(turn, op);
        break;
      case Phase::kFree:
      case Phase::kQueued: break;
    }
  }
}

void Coordinator::Renumber(Operation* op) {
  const uint64_t before = op->id;
  op->id += uint64_t{1} << kIndexBits;
  if (op->what != What::kUpdate) return;
  const auto queue = update_queues_.find(op->position);
  if (queue != update_queues_.end()) {
    std::replace(queue->second.begin(), queue->second.end(), before, op->id);
  }
}

// Reads begin anew, with the replicas of now; copies go to those who are new among them; updates go
// to the node that is their key's first now, once the ring rests.
void Coordinator::OnPlacementChanged(const Turn& turn) {
  handing_over_.clear();
  const size_t count = operations_.size();
  for (size_t i = 0; i < count; ++i) {
    Operation* op = operations_[i].get();
    if (IsForAnother(*op)) {
      HandOver(turn, op);
    } else if (op->phase == Phase::kReading) {
      Renumber(op);
      BeginReading(turn, op);
    } else if (op->phase == Phase::kStoring) {
      StoreOnOthers(turn, op);
      CheckWrite(turn, op);
    } else if (op->phase == Phase::kForwarded && op->asked.empty()) {
      op->hedge_us = turn.now.mono_us;
      Schedule(*op);
    }
    const bool acts =
        op->phase == Phase::kReading || op->phase == Phase::kQueued || op->phase == Phase::kStoring;
    if (op->what == What::kUpdate && acts && !op->answered) handing_over_.push_back(op->id);
  }
}

void Coordinator::MarkFailed(Operation* op, NodeId node) {
  if (!HasFailed(*op, node)) op->failed.push_back(node);
}

void Coordinator::OnTimeout(const Turn& turn, Operation* op) {
  switch (op->phase) {
    case Phase::kReading:
      for (Asked& asked : op->asked) {
        if (op->read.HasReplied(asked.node) || HasFailed(*op, asked.node)) continue;
        context_->liveness.Suspect(asked.node);
        asked.lost = true;
        MarkFailed(op, asked.node);
      }
      if (!op->read.Enough()) CountBehind(op);
      CheckRead(turn, op);
      break;
    case Phase::kMinting:
      // Who has refused, or whose link was lost, may be well by now.
      if (!HasFailed(*op, op->asked.back().node)) {
        op->version.NoteUnanswered();
        context_->liveness.Suspect(op->asked.back().node);
      }
      TryNextMinter(turn, op);
      break;
    case Phase::kStoring:
      for (size_t at = 0, count = op->asked.size(); at < count; ++at) {
        const NodeId node = op->asked[at].node;
        if (!op->write.HasStored(node) && !HasFailed(*op, node)) context_->liveness.Suspect(node);
      }
      for (size_t at = 0, count = op->asked.size(); at < count; ++at) ReplaceLate(turn, op, at);
      StoreAgain(turn, op);
      CheckWrite(turn, op);
      break;
    case Phase::kForwarded: context_->liveness.Suspect(op->asked.back().node); break;
    case Phase::kQueued:
    case Phase::kFree: break;
  }
}

void Coordinator::OnFinal(const Turn& turn, Operation* op) {
  switch (op->phase) {
    case Phase::kQueued:
    case Phase::kReading: FinishNoQuorum(turn, op, 'R'); break;
    case Phase::kMinting:
    case Phase::kStoring: FinishNoQuorum(turn, op, 'W'); break;
    case Phase::kForwarded:
      if (op->asked.empty()) return FinishNoQuorum(turn, op, 'R');  // all have refused it
      Reply(turn, op, 0, Unknown{});
      Free(op);
      break;
    case Phase::kFree: break;
  }
}

// One of its deadlines has passed.
void Coordinator::OnDue(const Turn& turn, Operation* op) {
  const int64_t now_us = turn.now.mono_us;
  if (op->final_us <= now_us) return OnFinal(turn, op);
  if (op->timeout_us <= now_us) {
    op->timeout_us = kNever;
    Schedule(*op);
    return OnTimeout(turn, op);
  }
  op->hedge_us = kNever;
  if (op->phase == Phase::kForwarded) return PassUpdateOn(turn, op);
  // Fallbacks have nothing as a rule: they are asked in the place of whom is given up.
  const NodeId next = NextCandidate(*op, true);
  if (next != 0 && Replicates(*op, next) && AskNextReplica(turn, op)) {
    ++context_->counters.hedges;
    op->hedge_us = now_us + context_->options.hedge_delay_ms * 1000;
  }
  Schedule(*op);
  CheckRead(turn, op);
}

// A timeout once a step, a hedge as often as it takes, and nothing past the operation's end.
bool Coordinator::Widen(const Turn& turn, Operation* op, int64_t late_us) {
  const int64_t now_us = turn.now.mono_us;
  if (late_us < kLateUs || op->final_us <= now_us) return false;
  const int64_t until_us = now_us + std::min(late_us, context_->options.replica_timeout_ms * 1000);
  if (op->timeout_us <= now_us) {
    if (std::exchange(op->widened, true)) return false;
    op->timeout_us = until_us;
    ++context_->counters.timeouts_widened;
  }
  if (op->hedge_us <= now_us) op->hedge_us = until_us;
  Schedule(*op);
  return true;
}

void Coordinator::Tick(const Turn& turn) {
  const int64_t now_us = turn.now.mono_us;
  if (now_us < next_due_us_) return;
  const int64_t late_us = now_us - next_due_us_;
  next_due_us_ = kNever;
  for (size_t i = 0; i < due_us_.size(); ++i) {
    if (due_us_[i] <= now_us) {
      Operation* op = operations_[i].get();
      if (!Widen(turn, op, late_us)) OnDue(turn, op);
    }
    next_due_us_ = std::min(next_due_us_, due_us_[i]);
  }
}

}  // namespace cartwheel
