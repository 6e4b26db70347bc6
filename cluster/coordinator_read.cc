// Coordinator, reading: R replicas, hedges, the merge, and read repair after the answer.
#include <algorithm>
#include <utility>

#include "cluster/coordinator.h"

namespace cartwheel {
namespace {

// Of how many quorum reads that find nothing one is compared with the replicas it did not ask.
constexpr uint64_t kAbsentCompares = 8;

}  // namespace

void Coordinator::Start(const Turn& turn, uint64_t client, ReadOperation&& operation) {
  ++context_->counters.reads;
  if (TryReadAlone(turn, client, operation)) return;
  Operation* op = Allocate(turn, What::kRead, std::move(operation.key));
  op->client = client;
  op->r = operation.r != 0 ? std::min(operation.r, context_->ring->n()) : context_->ring->r();
  op->explain = operation.explain;
  BeginReading(turn, op);
}

// R of 1 on a replica: nothing is in flight, nothing is kept.
bool Coordinator::TryReadAlone(const Turn& turn, uint64_t client, const ReadOperation& operation) {
  const uint8_t r = operation.r != 0 ? operation.r : context_->ring->r();
  if (r != 1 || operation.explain) return false;
  const KeyRef key = context_->Locate(operation.key.db, operation.key.bytes);
  const uint16_t slot = key.position.slot;
  if (!context_->Replicates(slot, context_->self()) || context_->IsBehind(slot)) return false;
  StoredVersion version;
  if (!context_->replica.Load(key, &version)) return false;
  const size_t siblings = version.object.siblings.size();
  if (siblings > 0) ++context_->counters.reads_by_siblings[std::min<size_t>(siblings, 4) - 1];
  turn.effects->answers.push_back(
      {client, version.sequence, ReadAnswer{std::move(version.object), {}}});
  CompareUnasked(turn, key, version.hash, context_->self(), nullptr);
  return true;
}

void Coordinator::BeginReading(const Turn& turn, Operation* op) {
  EnterStep(turn, op, Phase::kReading);
  // Members that were removed leave fewer to serve a key than R, until the target does. Its
  // replicas are read with them, as fallbacks: they may have nothing of before, but all that was
  // written since.
  const auto replicas = context_->ring->Replicas(op->position.slot);
  size_t readers = replicas.size();
  for (const NodeId node : context_->ring->OtherReplicas(op->position.slot)) {
    readers += Contains(replicas, node) ? 0 : 1;
  }
  const auto of_these = [op](size_t nodes) {
    return static_cast<uint8_t>(std::min<size_t>(op->r, nodes));
  };
  op->read.Begin(op->position, of_these(readers), of_these(replicas.size()));
  op->hedge_us = turn.now.mono_us + context_->options.hedge_delay_ms * 1000;
  Schedule(*op);
  const size_t want =
      op->explain ? context_->ring->PreferenceList(op->position.slot).size() : op->read.needed();
  while (op->asked.size() - op->failed.size() < want && AskNextReplica(turn, op)) {
  }
  CheckRead(turn, op);
}

// Where fewer serve the key than R, the fallbacks are first those that hold it by the other
// placement; elsewhere those that may have hints.
NodeId Coordinator::NextReader(const Operation& op) const {
  const NodeId next = NextCandidate(op, true);
  if (context_->ring->Replicas(op.position.slot).size() >= op.r) return next;
  if (Replicates(op, next) && context_->liveness.IsAlive(next)) return next;
  for (const NodeId node : context_->ring->OtherReplicas(op.position.slot)) {
    if (!WasAsked(op, node) && context_->liveness.IsAlive(node)) return node;
  }
  return next;
}

// False when everybody was asked.
bool Coordinator::AskNextReplica(const Turn& turn, Operation* op) {
  const NodeId node = NextReader(*op);
  if (node == 0) return false;
  const uint64_t have = op->explain ? 0 : op->read.merged_hash();
  op->asked.push_back({.node = node, .have = have});
  const bool fallback = !Replicates(*op, node);
  if (node == context_->self()) {
    fallback ? ReadKept(turn, op) : ReadLocally(turn, op);
    return true;
  }
  SendRead(turn, *op, op->asked.back());
  return true;
}

void Coordinator::SendRead(const Turn& turn, const Operation& op, const Asked& asked) const {
  turn.Request(asked.node, ReadRequest{.request = op.id,
                                       .epoch = context_->epoch(),
                                       .have = asked.have,
                                       .fallback = !Replicates(op, asked.node),
                                       .db = op.key.db,
                                       .key = op.key.bytes});
}

// When nobody is left to ask, those who gave no answer are asked once more after replica-timeout: a
// link that was lost may be there again. True while that is to come, and when it is done now. A
// DEL goes on without its read.
bool Coordinator::ReadsAgain(const Turn& turn, Operation* op) {
  const bool lost = std::any_of(op->asked.begin(), op->asked.end(),
                                [](const Asked& asked) { return asked.lost; });
  if (!lost || op->again_us == kNever) return false;
  if (turn.now.mono_us < op->again_us) return true;
  op->again_us = kNever;
  ++context_->counters.asked_again;
  for (Asked& asked : op->asked) {
    if (!std::exchange(asked.lost, false)) continue;
    op->failed.erase(std::remove(op->failed.begin(), op->failed.end(), asked.node),
                     op->failed.end());
    SendRead(turn, *op, asked);
  }
  return true;
}

void Coordinator::ReadLocally(const Turn& turn, Operation* op) {
  StoredVersion version;
  if (!context_->replica.Load(Ref(*op), &version)) {
    MarkFailed(op, context_->self());
    return;
  }
  op->after = std::max(op->after, version.sequence);
  AddReply(turn, op, context_->self(), context_->IsBehind(op->position.slot), version.hash,
           std::move(version.object));
}

// What this node keeps for others, being no replica itself.
void Coordinator::ReadKept(const Turn& turn, Operation* op) {
  StoredVersion kept;
  const auto replicas = context_->ring->Replicas(op->position.slot);
  if (!context_->replica.LoadKept(Ref(*op), replicas, &kept)) {
    MarkFailed(op, context_->self());
    return;
  }
  op->after = std::max(op->after, kept.sequence);
  AddReply(turn, op, context_->self(), false, kept.hash, std::move(kept.object));
}

void Coordinator::AddReply(const Turn& turn, Operation* op, NodeId node, bool behind, uint64_t hash,
                           Object&& object) {
  // The others of it, and what is repaired of it, are as large.
  if (!object.siblings.empty()) AllowTransfer(op, object.siblings.front().bytes.size());
  const bool fallback = !Replicates(*op, node);
  if (op->explain && (hash != 0 || !fallback)) {
    op->replicas.push_back({.node = node,
                            .primary = !fallback,
                            .answered_in_us = turn.now.mono_us - op->started_us,
                            .object = WithoutBytes(object),
                            .same = false});
  }
  op->read.Add({node, hash, fallback, behind}, std::move(object));
}

void Coordinator::OnReadResponse(const Turn& turn, NodeId from, const ReadResponse& response) {
  Operation* op = Find(response.request);
  if (op == nullptr || op->phase != Phase::kReading || op->read.HasReplied(from)) return;
  const auto asked = std::find_if(op->asked.begin(), op->asked.end(),
                                  [&](const Asked& a) { return a.node == from; });
  if (asked == op->asked.end()) return;
  op->placement = std::max(op->placement, response.placement);
  switch (response.status) {
    case ReadStatus::kSame:
      op->read.AddSame({from, asked->have, !Replicates(*op, from), response.behind});
      break;
    case ReadStatus::kNothing: AddReply(turn, op, from, response.behind, 0, Object()); break;
    case ReadStatus::kFailed: MarkFailed(op, from); break;
    case ReadStatus::kObject: {
      Object object;
      if (!DecodeObject(response.object, &object)) {
        ++context_->counters.messages_bad;
        MarkFailed(op, from);
        break;
      }
      const uint64_t hash = VersionHash(op->position, object);
      AddReply(turn, op, from, response.behind, hash, std::move(object));
      break;
    }
  }
  CheckRead(turn, op);
}

void Coordinator::CheckRead(const Turn& turn, Operation* op) {
  if (IsHeld(*op)) return;
  const auto settled = [&] {
    size_t count = op->read.replied().size();
    for (const NodeId node : op->failed) count += op->read.HasReplied(node) ? 0 : 1;
    return count;
  };
  // Whoever failed is replaced at once.
  while (!op->explain && !op->read.Enough() &&
         op->asked.size() - settled() + op->read.answered() < op->read.needed() &&
         AskNextReplica(turn, op)) {
  }
  const bool all_settled = settled() >= op->asked.size();
  if (op->read.Enough() && (all_settled || !op->explain)) return FinishRead(turn, op);
  if (!all_settled) return;
  if (!op->explain && (NextReader(*op) != 0 || ReadsAgain(turn, op))) return;
  CountBehind(op);
  if (op->read.Enough()) {
    FinishRead(turn, op);
  } else {
    FinishNoQuorum(turn, op, 'R');
  }
}

// Those who may lack something are better than nobody.
void Coordinator::CountBehind(Operation* op) {
  if (op->read.CountBehind()) ++context_->counters.reads_behind;
}

void Coordinator::FinishRead(const Turn& turn, Operation* op) {
  context_->counters.sloppy_reads += op->read.AllReplicas() ? 0 : 1;
  switch (op->what) {
    case What::kDelete: DeleteAfterRead(turn, op); break;
    case What::kUpdate: ApplyAfterRead(turn, op); break;
    case What::kRead:
      RepairReplied(turn, op);
      AnswerRead(turn, op);
      break;
    case What::kPut: CHECK(false);
  }
}

void Coordinator::AnswerRead(const Turn& turn, Operation* op) {
  const size_t siblings = op->read.merged().siblings.size();
  for (ReplicaAnswer& replica : op->replicas) {
    replica.same = replica.object.context == op->read.merged().context &&
                   replica.object.siblings.size() == siblings;
  }
  op->sloppy = !op->read.AllReplicas();
  ReadAnswer answer{op->read.TakeMerged(), std::move(op->replicas)};
  UniteTwins(&answer.object);
  const size_t shown = answer.object.siblings.size();
  if (shown > 0) ++context_->counters.reads_by_siblings[std::min<size_t>(shown, 4) - 1];
  Reply(turn, op, op->after, std::move(answer));
  Free(op);
}

// Read repair (Dynamo, section 5): whoever answered with less gets the merge; the replicas that
// were not asked are told what it is, if they were not just now, and exchange copies if theirs
// differs.
void Coordinator::RepairReplied(const Turn& turn, Operation* op) {
  const uint64_t hash = op->read.merged_hash();
  std::string object;
  NodeId holder = 0;
  for (const ReadOp::Replied& replied : op->read.replied()) {
    if (replied.fallback) continue;
    if (holder == 0 || replied.node == context_->self()) holder = replied.node;
    if (replied.hash == hash) continue;
    ++context_->counters.read_repairs;
    if (replied.node == context_->self()) {
      // The answer rests on what the others have stored: it does not wait for this.
      (void)context_->MergeAt(Ref(*op), Object(op->read.merged()), turn.now);
      continue;
    }
    if (object.empty()) EncodeObject(op->read.merged(), &object);
    turn.Request(replied.node, MergeRequest{.request = 0,
                                            .epoch = context_->epoch(),
                                            .stamp = context_->StampOf(turn.now),
                                            .db = op->key.db,
                                            .key = op->key.bytes,
                                            .object = object});
  }
  if (holder != 0) CompareUnasked(turn, Ref(*op), hash, holder, op);
}

void Coordinator::CompareUnasked(const Turn& turn, const KeyRef& key, uint64_t hash, NodeId holder,
                                 const Operation* op) {
  if (hash == 0) {
    // Nothing that was acknowledged is missed by a quorum which meets every write's.
    const bool saw_all = op != nullptr && op->r + context_->ring->w() > context_->ring->n();
    if (saw_all && !context_->random.Chance(1, kAbsentCompares)) return;
  } else if (compared_.Noted(hash, turn.now.mono_us)) {
    return;
  }
  const auto failed = [&](NodeId node) {
    return op != nullptr &&
           std::find(op->failed.begin(), op->failed.end(), node) != op->failed.end();
  };
  for (const NodeId node : context_->ring->Replicas(key.position.slot)) {
    if (node == context_->self() && failed(node) && hash != 0) {
      // Its copy was damaged. If it cannot be written either, another read or repair tries again.
      (void)context_->MergeAt(key, Object(op->read.merged()), turn.now);
    }
    if (node == holder || node == context_->self() || !context_->liveness.IsAlive(node)) continue;
    const bool was_asked = op != nullptr && !failed(node) &&
                           std::any_of(op->asked.begin(), op->asked.end(),
                                       [&](const Asked& asked) { return asked.node == node; });
    if (was_asked) continue;
    turn.Request(node, CompareRequest{.epoch = context_->epoch(),
                                      .have = hash,
                                      .holder = holder,
                                      .db = key.db,
                                      .key = key.bytes});
  }
}

}  // namespace cartwheel
