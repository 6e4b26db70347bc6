// Coordinator, writing: one replica mints the version, then W copies are stored.
#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "cluster/coordinator.h"

namespace cartwheel {
namespace {

uint64_t NewOperationId(Random* random) {
  uint64_t id = 0;
  while (id == 0) id = random->Next();
  return id;
}

}  // namespace

void Coordinator::Start(const Turn& turn, uint64_t client, PutOperation&& operation) {
  ++context_->counters.writes;
  if (TryPutAlone(turn, client, &operation)) return;
  Operation* op = Allocate(turn, What::kPut, std::move(operation.key));
  op->client = client;
  op->w =
      operation.w != 0 ? std::min(operation.w, context_->ring->n()) : context_->ring->nominal_w();
  op->version.plain = !operation.context.has_value();
  if (operation.context) op->version.context = *std::move(operation.context);
  op->version.kind = operation.kind;
  op->version.bytes = std::move(operation.bytes);
  op->version.expires_at_ms = operation.expires_at_ms;
  op->version.replaces = std::move(operation.replaces);
  AllowTransfer(op, op->version.bytes.size());
  BeginMinting(turn, op);
}

// A ring of one: nothing is in flight, nothing is kept.
bool Coordinator::TryPutAlone(const Turn& turn, uint64_t client, PutOperation* operation) {
  if (context_->ring->n() != 1 || context_->ring->in_motion()) return false;
  const KeyRef key = context_->Locate(operation->key.db, operation->key.bytes);
  if (!context_->Replicates(key.position.slot, context_->self())) return false;
  NewVersion version{.operation = NewOperationId(&context_->random),
                     .attempt = 0,
                     .context = {},
                     .replaces = std::move(operation->replaces),
                     .plain = !operation->context.has_value(),
                     .kind = operation->kind,
                     .expires_at_ms = operation->expires_at_ms,
                     .bytes = std::move(operation->bytes)};
  if (operation->context) version.context = *std::move(operation->context);
  auto minted = context_->replica.Mint(key, std::move(version), context_->ViewOf(key.db, turn.now));
  if (minted) {
    turn.effects->answers.push_back(
        {client, minted->sequence, PutAnswer{std::move(minted->delta.context), minted->fresh}});
  } else {
    turn.effects->answers.push_back({client, 0, std::move(minted.error())});
  }
  return true;
}

void Coordinator::Start(const Turn& turn, uint64_t client, DeleteOperation&& operation) {
  ++context_->counters.writes;
  Operation* op = Allocate(turn, What::kDelete, std::move(operation.key));
  op->client = client;
  op->r = operation.r != 0 ? std::min(operation.r, context_->ring->n()) : context_->ring->r();
  op->w =
      operation.w != 0 ? std::min(operation.w, context_->ring->n()) : context_->ring->nominal_w();
  BeginReading(turn, op);
}

void Coordinator::DeleteAfterRead(const Turn& turn, Operation* op) {
  if (op->read.merged().Newest(ViewOf(turn, *op)) == nullptr) {
    Reply(turn, op, op->after, DeleteAnswer{false});
    Free(op);
    return;
  }
  op->version.plain = true;
  op->version.kind = Kind::kTombstone;
  op->version.replaces = ReplacedWith(op->read.merged());
  op->version.context = op->read.TakeMerged().context;
  BeginMinting(turn, op);
}

void Coordinator::BeginMinting(const Turn& turn, Operation* op) {
  EnterStep(turn, op, Phase::kMinting);
  op->write.Begin(op->w);
  op->version.operation = NewOperationId(&context_->random);
  TryNextMinter(turn, op);
}

// Plain writes are minted by the first live replica, so that while nodes agree on who is alive the
// later of two leaves one version. Others are minted here when this node is a replica.
void Coordinator::TryNextMinter(const Turn& turn, Operation* op) {
  if (!op->asked.empty()) {
    ++context_->counters.mint_retries;
    if (op->asked.size() > op->asked_before) MarkFailed(op, op->asked.back().node);
    op->timeout_us = turn.now.mono_us + StepUs(*op);
    Schedule(*op);
  }
  NodeId node = NextCandidate(*op, !op->version.plain);
  // Who is not up to date leaves plain writes to another live replica, if there is one.
  const NodeId other = op->version.plain ? NextCandidate(*op, false, node) : 0;
  const bool may_pass = other != 0 && Replicates(*op, other) && context_->liveness.IsAlive(other);
  if (may_pass && node == context_->self() && !context_->MintsPlain(op->position.slot)) {
    ++context_->counters.mints_passed_on;
    node = other;
  }
  if (node == 0) return MintAgain(turn, op);
  const bool fallback = !Replicates(*op, node);
  const NodeId hint_for = fallback ? context_->FirstDown(op->position.slot) : 0;
  op->asked.push_back({.node = node, .have = 0, .hint_for = hint_for});
  if (node != context_->self()) {
    std::string given;
    EncodeContext(op->version.context, &given);
    std::string replaces;
    if (!op->version.replaces.empty()) EncodeReplaces(op->version.replaces, &replaces);
    turn.Request(node, MintRequest{.request = op->id,
                                   .epoch = context_->epoch(),
                                   .operation = op->version.operation,
                                   .plain = op->version.plain,
                                   .may_pass = may_pass,
                                   .attempt = op->version.attempt,
                                   .kind = op->version.kind,
                                   .expires_at_ms = op->version.expires_at_ms,
                                   .patience_us = op->timeout_us - turn.now.mono_us,
                                   .hint_for = hint_for,
                                   .db = op->key.db,
                                   .stamp = context_->StampOf(turn.now),
                                   .key = op->key.bytes,
                                   .context = given,
                                   .replaces = replaces,
                                   .bytes = op->version.bytes});
    return;
  }
  const bool plain = op->version.plain;
  CausalContext given;
  if (!plain) given = op->version.context;
  KeyRef key = Ref(*op);
  key.hint_for = hint_for;
  auto minted = context_->MintAt(key, std::move(op->version), turn.now);
  op->version.plain = plain;
  if (minted) op->version.context = std::move(given);
  if (minted) {
    OnMinted(turn, op, *std::move(minted), op->asked.back());
  } else if (minted.error().code == ErrorCode::kFull) {
    TryNextMinter(turn, op);  // nothing was taken from op->version
  } else {
    RefuseWrite(turn, op, minted.error());
  }
}

// When a node that was asked before may have stored it, nobody can say that nothing is written.
void Coordinator::RefuseWrite(const Turn& turn, Operation* op, const Status& refusal) {
  if (op->version.attempt != 0) return FinishNoQuorum(turn, op, 'W');
  Reply(turn, op, 0, refusal);
  Free(op);
}

// Everybody was asked. After replica-timeout they are asked once more, under the same operation id:
// links that were lost may be there again. Whoever was asked may still answer until the end.
void Coordinator::MintAgain(const Turn& turn, Operation* op) {
  if (op->again_us == kNever) return;
  if (turn.now.mono_us < op->again_us) {
    op->timeout_us = op->again_us;
    Schedule(*op);
    return;
  }
  op->again_us = kNever;
  op->asked_before = op->asked.size();
  op->failed.clear();
  ++context_->counters.asked_again;
  TryNextMinter(turn, op);
}

void Coordinator::OnMintResponse(const Turn& turn, NodeId from, const MintResponse& response) {
  Operation* op = Find(response.request);
  if (op == nullptr || op->phase != Phase::kMinting) return;
  op->placement = std::max(op->placement, response.placement);
  switch (response.status) {
    case MintStatus::kMinted: break;
    case MintStatus::kTooMany:
      return RefuseWrite(turn, op, {ErrorCode::kTooMany, std::string(response.error)});
    case MintStatus::kFull:
    case MintStatus::kFailed:
    case MintStatus::kPassed:
      if (op->asked.back().node == from) TryNextMinter(turn, op);
      return;
  }
  const auto minter = std::find_if(op->asked.begin(), op->asked.end(),
                                   [&](const Asked& asked) { return asked.node == from; });
  Minted minted;
  minted.fresh = response.fresh;
  if (minter == op->asked.end() || !DecodeObject(response.object, &minted.delta)) {
    ++context_->counters.messages_bad;
    return;
  }
  for (Sibling& sibling : minted.delta.siblings) {
    if (sibling.operation != op->version.operation) continue;
    sibling.bytes = op->version.bytes;
    // Elsewhere too, when this answer came late.
    sibling.attempt = std::max(sibling.attempt, op->version.attempt);
  }
  OnMinted(turn, op, std::move(minted), *minter);
}

void Coordinator::OnMinted(const Turn& turn, Operation* op, Minted&& minted, const Asked& asked) {
  const Asked minter = asked;  // which the next step forgets
  EnterStep(turn, op, Phase::kStoring);
  op->after = minted.sequence;
  op->fresh = op->update_result.fresh = minted.fresh;
  op->write.Stored(minter.node, minter.hint_for);
  if (!op->version.plain) {
    op->put_context = std::move(op->version.context);
    // Whom another has replaced already need not know by what.
    const Sibling* put = minted.delta.Find(op->version.operation);
    if (put != nullptr) op->put_context.Add(put->dot);
  }
  op->delta.clear();
  EncodeObject(minted.delta, &op->delta);
  absl::InlinedVector<NodeId, 4> down;
  for (const NodeId node : context_->HoldersOf(op->position.slot)) {
    if (node == minter.node || node == minter.hint_for) continue;
    if (node == context_->self()) {
      if (!StoreHere(turn, op, 0, std::move(minted.delta))) down.push_back(node);
    } else if (context_->liveness.IsAlive(node)) {
      SendDelta(turn, op, node, 0);
    } else {
      down.push_back(node);
    }
  }
  for (const NodeId node : down) {
    if (GiveToFallback(turn, op, node) || node == context_->self()) continue;
    // Those that seem down are asked themselves only when all others are too few.
    if (!HopesForQuorum(*op)) SendDelta(turn, op, node, 0);
  }
  CheckWrite(turn, op);
}

void Coordinator::SendDelta(const Turn& turn, Operation* op, NodeId to, NodeId hint_for) {
  op->asked.push_back({.node = to, .have = 0, .hint_for = hint_for});
  RequestMerge(turn, *op, op->asked.back());
}

void Coordinator::RequestMerge(const Turn& turn, const Operation& op, const Asked& asked) const {
  turn.Request(asked.node, MergeRequest{.request = op.id,
                                        .epoch = context_->epoch(),
                                        .hint_for = asked.hint_for,
                                        .stamp = context_->StampOf(turn.now),
                                        .db = op.key.db,
                                        .key = op.key.bytes,
                                        .object = op.delta});
}

// After replica-timeout, when those who may still answer are too few for W: everybody who has not
// stored the delta gets it once more. Merging it twice is merging it once.
void Coordinator::StoreAgain(const Turn& turn, Operation* op) {
  if (op->answered || HopesForQuorum(*op)) return;
  ++context_->counters.asked_again;
  for (const Asked& asked : op->asked) {
    if (!op->write.HasStored(asked.node)) RequestMerge(turn, *op, asked);
  }
  StoreOnOthers(turn, op);
}

// On the replicas that have no part in this write yet.
void Coordinator::StoreOnOthers(const Turn& turn, Operation* op) {
  for (const NodeId node : context_->HoldersOf(op->position.slot)) {
    const bool asked = std::any_of(op->asked.begin(), op->asked.end(),
                                   [&](const Asked& a) { return a.node == node; });
    if (asked || op->write.HasStored(node)) continue;
    if (node != context_->self()) {
      SendDelta(turn, op, node, 0);
    } else if (!HasFailed(*op, node)) {
      Object delta;
      CHECK(DecodeObject(op->delta, &delta));
      StoreHere(turn, op, 0, std::move(delta));
    }
  }
}

// This node's own copy, or the one it keeps for another. False when it has no room for it.
bool Coordinator::StoreHere(const Turn& turn, Operation* op, NodeId hint_for, Object&& delta) {
  KeyRef key = Ref(*op);
  key.hint_for = hint_for;
  const auto merged = context_->MergeAt(key, std::move(delta), turn.now);
  if (!merged) {
    MarkFailed(op, context_->self());
    return false;
  }
  op->after = std::max(op->after, merged->sequence);
  op->write.Stored(context_->self(), hint_for);
  return true;
}

// Hinted handoff (Dynamo, section 4.6): the next live fallback that has no part in this write yet
// keeps it for the replica. False when there is none.
bool Coordinator::GiveToFallback(const Turn& turn, Operation* op, NodeId hint_for) {
  const auto list = context_->ring->PreferenceList(op->position.slot);
  for (const NodeId node : list.subspan(context_->ring->Replicas(op->position.slot).size())) {
    const bool taken = context_->Holds(op->position.slot, node) || op->write.HasStored(node) ||
                       HasFailed(*op, node) ||
                       std::any_of(op->asked.begin(), op->asked.end(),
                                   [&](const Asked& asked) { return asked.node == node; });
    if (taken || !context_->liveness.IsAlive(node)) continue;
    if (node == context_->self()) {
      Object delta;
      CHECK(DecodeObject(op->delta, &delta));
      if (StoreHere(turn, op, hint_for, std::move(delta))) return true;
      continue;
    }
    SendDelta(turn, op, node, hint_for);
    return true;
  }
  return false;
}

// Whom this step asked has not stored it: another takes its place, once.
void Coordinator::ReplaceLate(const Turn& turn, Operation* op, size_t asked) {
  const Asked late = op->asked[asked];
  if (op->write.HasStored(late.node) || HasFailed(*op, late.node)) return;
  MarkFailed(op, late.node);
  GiveToFallback(turn, op, late.hint_for != 0 ? late.hint_for : late.node);
}

void Coordinator::OnMergeResponse(const Turn& turn, NodeId from, const MergeResponse& response) {
  Operation* op = Find(response.request);
  if (op == nullptr || op->phase != Phase::kStoring) return;
  const auto asked = std::find_if(op->asked.begin(), op->asked.end(),
                                  [&](const Asked& a) { return a.node == from; });
  if (asked == op->asked.end()) return;
  op->placement = std::max(op->placement, response.placement);
  if (response.stored) {
    op->write.Stored(from, asked->hint_for);
  } else {
    ReplaceLate(turn, op, static_cast<size_t>(asked - op->asked.begin()));
  }
  CheckWrite(turn, op);
}

// Whether W of the replicas hold it, fallbacks included. While a ring is in motion, a node of the
// other placement that holds it is as good as a fallback, for one that seems down and has none.
bool Coordinator::IsQuorum(const Operation& op, std::span<const NodeId> replicas,
                           NodeId besides) const {
  const size_t needed = Needed(op, replicas);
  const size_t count = op.write.CountOf(replicas, besides);
  if (count >= needed || !context_->ring->in_motion()) return count >= needed;
  const size_t others = op.write.answered() - (op.write.HasStored(besides) ? 1U : 0U);
  const size_t spare = others - count;
  const auto without =
      static_cast<size_t>(std::count_if(replicas.begin(), replicas.end(), [&](NodeId node) {
        const bool down = !context_->liveness.IsAlive(node) || HasFailed(op, node);
        return down && !op.write.HasStored(node) && !op.write.HasFallbackFor(node);
      }));
  return count + std::min(spare, without) >= needed;
}

bool Coordinator::HasQuorum(const Operation& op, NodeId besides) const {
  const uint16_t slot = op.position.slot;
  return IsQuorum(op, context_->ring->Replicas(slot), besides) &&
         IsQuorum(op, context_->ring->OtherReplicas(slot), besides);
}

// Whether those who have stored it or may still do so are enough.
bool Coordinator::HopesForQuorum(const Operation& op) const {
  const auto hopes = [&](std::span<const NodeId> replicas) {
    size_t count = op.write.CountOf(replicas);
    for (const Asked& asked : op.asked) {
      if (op.write.HasStored(asked.node) || HasFailed(op, asked.node)) continue;
      const auto is = [&](NodeId node) { return node == asked.node || node == asked.hint_for; };
      count += std::any_of(replicas.begin(), replicas.end(), is) ? 1 : 0;
    }
    return count >= Needed(op, replicas);
  };
  const uint16_t slot = op.position.slot;
  return hopes(context_->ring->Replicas(slot)) && hopes(context_->ring->OtherReplicas(slot));
}

void Coordinator::CheckWrite(const Turn& turn, Operation* op) {
  if (IsHeld(*op)) return;
  if (!op->answered && HasQuorum(*op)) {
    const auto replicas = context_->ring->Replicas(op->position.slot);
    const auto others = context_->ring->OtherReplicas(op->position.slot);
    op->sloppy = op->sloppy || op->write.ReplicasOf(replicas) < Needed(*op, replicas) ||
                 op->write.ReplicasOf(others) < Needed(*op, others);
    context_->counters.sloppy_writes += op->sloppy ? 1 : 0;
    const bool own_counts =
        op->write.HasStored(context_->self()) && !HasQuorum(*op, context_->self());
    const uint64_t after = own_counts ? op->after : 0;
    switch (op->what) {
      case What::kPut:
        Reply(turn, op, after, PutAnswer{std::move(op->put_context), op->fresh});
        break;
      case What::kDelete: Reply(turn, op, after, DeleteAnswer{true}); break;
      case What::kUpdate: Reply(turn, op, after, UpdateAnswer{std::move(op->update_result)}); break;
      case What::kRead: CHECK(false);
    }
  }
  size_t outstanding = 0;
  for (const Asked& asked : op->asked) {
    outstanding += op->write.HasStored(asked.node) || HasFailed(*op, asked.node) ? 0 : 1;
  }
  if (op->answered && outstanding == 0) Free(op);
}

}  // namespace cartwheel
