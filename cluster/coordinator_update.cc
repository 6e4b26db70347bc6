// Coordinator, updates: read-modify-write at the key's first live node, one at a time per key.
#include <algorithm>
#include <utility>

#include "cluster/coordinator.h"

namespace cartwheel {

void Coordinator::Start(const Turn& turn, uint64_t client, UpdateOperation&& operation) {
  ++context_->counters.updates;
  Operation* op = Allocate(turn, What::kUpdate, std::move(operation.key));
  op->client = client;
  op->r = operation.r != 0 ? std::min(operation.r, context_->ring->n()) : context_->ring->r();
  op->w =
      operation.w != 0 ? std::min(operation.w, context_->ring->n()) : context_->ring->nominal_w();
  op->update = std::move(operation.update);
  AllowTransfer(op, GrowthOf(op->update, context_->options.max_value_bytes));
  PassUpdateOn(turn, op);
}

// To the first live node that has room: a full one counts as down. Those that were asked have
// refused, and so written nothing.
void Coordinator::PassUpdateOn(const Turn& turn, Operation* op) {
  const auto may_act = [&](NodeId node) {
    if (node == context_->self()) return !context_->replica.engine()->Full();
    return context_->liveness.IsAlive(node) &&
           std::none_of(op->asked.begin(), op->asked.end(),
                        [node](const Asked& asked) { return asked.node == node; });
  };
  const auto list = context_->ring->PreferenceList(op->position.slot);
  const auto able = std::find_if(list.begin(), list.end(), may_act);
  if (able == list.end() && !op->asked.empty()) {
    Reply(turn, op, 0, Status{ErrorCode::kFull, "no room on the nodes that store this key"});
    Free(op);
    return;
  }
  const NodeId first = context_->FirstLive(op->position.slot);
  const NodeId node = able != list.end() ? *able : first;
  if (first == context_->self() && node != first) ++context_->counters.disk_full_refusals;
  if (node == context_->self()) return ActOrAskBefore(turn, op);
  SendUpdate(turn, op, node);
}

// While reads switch, the node that was the key's first may still be at work on the key: it is
// asked first, and does it, or says that it has stopped.
void Coordinator::ActOrAskBefore(const Turn& turn, Operation* op) {
  const NodeId before = op->cleared ? 0 : context_->FirstBefore(op->position.slot);
  if (before == 0 || before == context_->self()) return BeginUpdate(turn, op);
  SendUpdate(turn, op, before);
}

void Coordinator::SendUpdate(const Turn& turn, Operation* op, NodeId node) {
  // What it is done to is as large there.
  if (Replicates(*op, context_->self())) {
    if (const auto head = context_->replica.Head(Ref(*op))) AllowTransfer(op, head->record_bytes);
  }
  if (op->phase != Phase::kForwarded) EnterStep(turn, op, Phase::kForwarded);
  op->timeout_us = turn.now.mono_us + StepUs(*op);
  op->hedge_us = kNever;  // it may be done from now on: nobody else is asked
  Schedule(*op);
  op->asked.push_back({.node = node});
  UpdateRequest request{.request = op->id,
                        .epoch = context_->epoch(),
                        .r = op->r,
                        .w = op->w,
                        .db = op->key.db,
                        .stamp = context_->StampOf(turn.now),
                        .update = std::move(op->update),
                        .key = op->key.bytes};
  turn.Request(node, request);
  op->update = std::move(request.update);
}

// One of the two nodes knows a newer ring: soon both will.
void Coordinator::PassUpdateOnLater(const Turn& turn, Operation* op) {
  Renumber(op);
  op->asked.clear();
  op->timeout_us = kNever;
  op->hedge_us = turn.now.mono_us + context_->options.hedge_delay_ms * 1000;
  Schedule(*op);
}

void Coordinator::OnUpdateRequest(const Turn& turn, NodeId from, const UpdateRequest& request) {
  const KeyRef key = context_->Locate(request.db, request.key);
  const auto refuse = [&](UpdateStatus status, std::string text = "") {
    UpdateResponse refusal;
    refusal.request = request.request;
    refusal.status = status;
    refusal.needed = request.r;
    refusal.placement = context_->placement();
    refusal.result.text = std::move(text);
    turn.Respond(from, refusal);
  };
  // A refusal is the answer to all that the link may bring again.
  if (!RememberUpdate(from, request.request)) return;
  const uint16_t slot = key.position.slot;
  const auto list = context_->ring->PreferenceList(slot);
  const bool moves = context_->ring->phase() == cartwheel::Phase::kSwitch &&
                     !context_->ring->OtherReplicas(slot).empty();
  if (!IsHandingOver(key.position) &&
      (std::find(list.begin(), list.end(), context_->self()) == list.end() ||
       (moves && context_->FirstLive(slot) != context_->self()))) {
    return refuse(UpdateStatus::kElsewhere);
  }
  // Who asked has told its client "unknown": the outcome must not come long after.
  const int64_t waited_us = context_->transit.Waited(from, request.stamp, turn.now.mono_us);
  if (waited_us > UpdateLifeUs(request.update.bytes.size())) {
    ++context_->counters.updates_too_late;
    return refuse(UpdateStatus::kFailed,
                  "the update came too late to the node that was asked: nothing is written");
  }
  if (context_->replica.engine()->Full()) {
    ++context_->counters.disk_full_refusals;
    return refuse(UpdateStatus::kFull);
  }
  if (in_flight_ >= kMaxInFlight) {
    ++context_->counters.updates_refused;
    // That is: nothing was read, and so nothing written.
    return refuse(UpdateStatus::kNoQuorum);
  }
  Operation* op = Allocate(turn, What::kUpdate, {request.db, std::string(request.key)});
  op->peer = from;
  op->client = request.request;
  op->r = std::clamp<uint8_t>(request.r, 1, context_->ring->n());
  op->w = std::clamp<uint8_t>(request.w, 1, kMaxReplicas);
  op->update = request.update;
  AllowTransfer(op, GrowthOf(op->update, context_->options.max_value_bytes));
  if (IsHandingOver(op->position)) return BeginUpdate(turn, op);
  ActOrAskBefore(turn, op);
}

bool Coordinator::HasHandedUpdatesOver() {
  std::erase_if(handing_over_, [this](uint64_t id) {
    const Operation* op = Find(id);
    return op == nullptr || op->answered;
  });
  return handing_over_.empty();
}

// An update of the key was begun here before reads switched, and is under way.
bool Coordinator::IsHandingOver(const Position& position) {
  if (HasHandedUpdatesOver()) return false;
  return std::any_of(handing_over_.begin(), handing_over_.end(),
                     [&](uint64_t id) { return Find(id)->position == position; });
}

// An update that has written nothing yet, of a key that has another first node now.
bool Coordinator::IsForAnother(const Operation& op) const {
  const bool waits = op.phase == Phase::kReading || op.phase == Phase::kQueued;
  if (op.what != What::kUpdate || !waits || context_->ring->in_motion()) return false;
  return context_->FirstLive(op.position.slot) != context_->self() && op.hint_for == 0;
}

// With all others of its key.
void Coordinator::HandOver(const Turn& turn, Operation* op) {
  update_queues_.erase(op->position);
  if (op->peer == 0) {
    op->phase = Phase::kForwarded;
    return PassUpdateOnLater(turn, op);
  }
  UpdateResponse refusal;
  refusal.request = op->client;
  refusal.status = UpdateStatus::kElsewhere;
  refusal.placement = context_->placement();
  turn.Respond(op->peer, refusal);
  Free(op);
}

bool Coordinator::RememberUpdate(NodeId from, uint64_t request) {
  if (!recent_updates_.insert({from, request}).second) return false;
  recent_updates_order_.push_back({from, request});
  if (recent_updates_order_.size() > kRecentUpdates) {
    recent_updates_.erase(recent_updates_order_.front());
    recent_updates_order_.pop_front();
  }
  return true;
}

void Coordinator::BeginUpdate(const Turn& turn, Operation* op) {
  std::deque<uint64_t>& queue = update_queues_[op->position];
  queue.push_back(op->id);
  op->phase = Phase::kQueued;
  op->hedge_us = op->timeout_us = kNever;
  Schedule(*op);
  if (!context_->Holds(op->position.slot, context_->self())) {
    op->hint_for = context_->FirstDown(op->position.slot);
    op->sloppy = true;
  }
  if (queue.front() == op->id) BeginReading(turn, op);
}

// The operation no longer holds up its key's next one, which begins.
void Coordinator::LeaveQueue(const Turn& turn, const Position& position, uint64_t id) {
  const auto it = update_queues_.find(position);
  if (it == update_queues_.end()) return;
  std::deque<uint64_t>& queue = it->second;
  const bool was_first = queue.front() == id;
  if (was_first) {
    queue.pop_front();
  } else {
    queue.erase(std::remove(queue.begin(), queue.end(), id), queue.end());
  }
  if (queue.empty()) {
    update_queues_.erase(it);
    return;
  }
  if (!was_first) return;
  // One that is answered on the spot comes here again: a loop, since a queue may be long.
  next_updates_.push_back(queue.front());
  if (next_updates_.size() > 1) return;
  while (!next_updates_.empty()) {
    Operation* next = Find(next_updates_.front());
    if (next != nullptr && next->phase == Phase::kQueued) BeginReading(turn, next);
    next_updates_.pop_front();
  }
}

void Coordinator::ApplyAfterRead(const Turn& turn, Operation* op) {
  const KeyRef key = Ref(*op);
  const View view = ViewOf(turn, *op);
  const auto fail = [&](const Status& status) {
    Reply(turn, op, 0, status);
    const Position position = op->position;
    const uint64_t id = op->id;
    Free(op);
    LeaveQueue(turn, position, id);
  };
  const int64_t since_us = turn.now.mono_us - op->started_us;
  if (op->peer != 0 && since_us > UpdateLifeUs(op->update.bytes.size())) {
    ++context_->counters.updates_too_late;
    return fail({ErrorCode::kIo, "the update took too long: nothing is written"});
  }
  // What the quorum knows becomes our own copy; the update then acts on that, so that a write which
  // came here in the meantime is seen as well.
  op->sloppy = op->sloppy || !op->read.AllReplicas();
  const auto merged = context_->MergeAt(key, op->read.TakeMerged(), turn.now);
  if (!merged) return fail(merged.error());
  StoredVersion current;
  const auto loaded =
      op->hint_for == 0
          ? context_->replica.Load(key, &current)
          : context_->replica.LoadKept(key, context_->ring->Replicas(key.position.slot), &current);
  if (!loaded) return fail(loaded.error());
  UpdateEffect effect =
      ApplyUpdate(op->update, current.object, view, context_->options.max_value_bytes);
  op->update_result = std::move(effect.result);
  op->update_result.changed = effect.write != UpdateEffect::Write::kNothing;
  size_t bytes = effect.bytes.size();
  for (const SiblingCopy& sibling : effect.siblings) bytes += sibling.bytes.size();
  AllowTransfer(op, bytes);
  if (effect.write == UpdateEffect::Write::kNothing) {
    Reply(turn, op, std::max(op->after, current.sequence),
          UpdateAnswer{std::move(op->update_result)});
    const Position position = op->position;
    const uint64_t id = op->id;
    Free(op);
    LeaveQueue(turn, position, id);
    return;
  }
  uint64_t operation = 0;
  while (operation == 0) operation = context_->random.Next();
  op->version.Clear();
  op->version.plain = true;
  op->version.operation = operation;
  Result<Minted> minted;
  if (effect.write == UpdateEffect::Write::kSiblings) {
    NewSiblings siblings{operation, current.object.context, ReplacedWith(current.object),
                         std::move(effect.siblings)};
    minted = context_->MintSiblingsAt(key, std::move(siblings), turn.now);
  } else {
    NewVersion version = op->version;
    version.kind =
        effect.write == UpdateEffect::Write::kTombstone ? Kind::kTombstone : Kind::kValue;
    version.bytes = std::move(effect.bytes);
    version.expires_at_ms = effect.expires_at_ms;
    minted = context_->MintAt(key, std::move(version), turn.now);
  }
  if (!minted) return fail(minted.error());
  op->write.Begin(op->w);
  const Position position = op->position;
  const uint64_t id = op->id;
  OnMinted(turn, op, *std::move(minted),
           {.node = context_->self(), .have = 0, .hint_for = op->hint_for});
  LeaveQueue(turn, position, id);
}

void Coordinator::RespondToPeer(const Turn& turn, const Operation& op, uint64_t after,
                                const decltype(Answer::result)& result) {
  if (std::holds_alternative<Unknown>(result)) return;  // as the peer finds out by itself
  UpdateResponse response;
  response.request = op.client;
  response.sloppy = op.sloppy;
  if (const auto* done = std::get_if<UpdateAnswer>(&result)) {
    response.status = UpdateStatus::kDone;
    response.result = done->result;
  } else if (const auto* missing = std::get_if<NoQuorum>(&result)) {
    response.status = UpdateStatus::kNoQuorum;
    response.which = missing->which;
    response.needed = missing->needed;
    response.answered = missing->answered;
  } else if (const auto* status = std::get_if<Status>(&result)) {
    if (status->code == ErrorCode::kTooMany) response.status = UpdateStatus::kTooMany;
    if (status->code == ErrorCode::kFull) response.status = UpdateStatus::kFull;
    response.result.text = status->message;
  }
  turn.Respond(op.peer, response, after);
}

void Coordinator::OnUpdateResponse(const Turn& turn, NodeId from, const UpdateResponse& response) {
  Operation* op = Find(response.request);
  if (op == nullptr || op->phase != Phase::kForwarded || op->asked.back().node != from) return;
  op->sloppy = response.sloppy;
  switch (response.status) {
    case UpdateStatus::kDone: Reply(turn, op, 0, UpdateAnswer{response.result}); break;
    case UpdateStatus::kNoQuorum:
      ++context_->counters.no_quorum;
      Reply(turn, op, 0, NoQuorum{response.which, response.needed, response.answered});
      break;
    case UpdateStatus::kFailed:
      Reply(turn, op, 0, Status{ErrorCode::kIo, response.result.text});
      break;
    case UpdateStatus::kTooMany:
      Reply(turn, op, 0, Status{ErrorCode::kTooMany, response.result.text});
      break;
    case UpdateStatus::kFull: return PassUpdateOn(turn, op);
    case UpdateStatus::kElsewhere:
      op->cleared = from == context_->FirstBefore(op->position.slot);
      PassUpdateOnLater(turn, op);
      if (op->cleared) PassUpdateOn(turn, op);
      return;
  }
  Free(op);
}

}  // namespace cartwheel
