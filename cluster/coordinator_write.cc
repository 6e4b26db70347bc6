// Coordinator, writing: one replica mints the version, then W copies are stored.
#include <algorithm>
#include <utility>

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
  op->w = operation.w != 0 ? std::min(operation.w, context_->ring->n()) : context_->ring->w();
  op->version.plain = !operation.context.has_value();
  if (operation.context) op->version.context = *std::move(operation.context);
  op->version.kind = operation.kind;
  op->version.bytes = std::move(operation.bytes);
  op->version.expires_at_ms = operation.expires_at_ms;
  BeginMinting(turn, op);
}

// A ring of one: nothing is in flight, nothing is kept.
bool Coordinator::TryPutAlone(const Turn& turn, uint64_t client, PutOperation* operation) {
  if (context_->ring->n() != 1) return false;
  const KeyRef key = context_->Locate(operation->key.db, operation->key.bytes);
  if (!context_->Replicates(key.position.slot, context_->self())) return false;
  NewVersion version{.operation = NewOperationId(&context_->random),
                     .context = {},
                     .plain = !operation->context.has_value(),
                     .kind = operation->kind,
                     .expires_at_ms = operation->expires_at_ms,
                     .bytes = std::move(operation->bytes)};
  if (operation->context) version.context = *std::move(operation->context);
  auto minted = context_->replica.Mint(key, std::move(version), context_->ViewOf(key.db, turn.now));
  if (minted) {
    turn.effects->answers.push_back(
        {client, minted->sequence, PutAnswer{std::move(minted->delta.context)}});
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
  op->w = operation.w != 0 ? std::min(operation.w, context_->ring->n()) : context_->ring->w();
  BeginReading(turn, op);
}

void Coordinator::DeleteAfterRead(const Turn& turn, Operation* op) {
  // With no answer at all the tombstone is put over what its minter holds.
  if (op->read.answered() > 0 && op->read.merged().Newest(ViewOf(turn, *op)) == nullptr) {
    Reply(turn, op, op->after, DeleteAnswer{false});
    Free(op);
    return;
  }
  op->version.plain = true;
  op->version.kind = Kind::kTombstone;
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
    op->timeout_us = turn.now.mono_us + context_->options.replica_timeout_ms * 1000;
    Schedule(*op);
  }
  const NodeId node = NextCandidate(*op, !op->version.plain);
  // Whoever was asked may still answer before the operation's end.
  if (node == 0) return;
  op->asked.push_back({node, 0});
  if (node != context_->self()) {
    std::string given;
    EncodeContext(op->version.context, &given);
    turn.Request(node, MintRequest{.request = op->id,
                                   .epoch = context_->epoch(),
                                   .operation = op->version.operation,
                                   .plain = op->version.plain,
                                   .kind = op->version.kind,
                                   .expires_at_ms = op->version.expires_at_ms,
                                   .db = op->key.db,
                                   .stamp = context_->StampOf(turn),
                                   .key = op->key.bytes,
                                   .context = given,
                                   .bytes = op->version.bytes});
    return;
  }
  if (op->version.kind == Kind::kValue && context_->replica.engine()->Full()) {
    TryNextMinter(turn, op);
    return;
  }
  const bool plain = op->version.plain;
  auto minted = context_->replica.Mint(Ref(*op), std::move(op->version), ViewOf(turn, *op));
  op->version.plain = plain;
  if (minted) {
    OnMinted(turn, op, *std::move(minted), node);
  } else {
    Reply(turn, op, 0, minted.error());
    Free(op);
  }
}

void Coordinator::OnMintResponse(const Turn& turn, NodeId from, const MintResponse& response) {
  Operation* op = Find(response.request);
  if (op == nullptr || op->phase != Phase::kMinting) return;
  switch (response.status) {
    case MintStatus::kMinted: break;
    case MintStatus::kTooMany:
      Reply(turn, op, 0, Status{ErrorCode::kTooMany, std::string(response.error)});
      Free(op);
      return;
    case MintStatus::kFull:
    case MintStatus::kFailed:
      if (op->asked.back().node == from) TryNextMinter(turn, op);
      return;
  }
  Minted minted;
  if (!DecodeObject(response.object, &minted.delta)) {
    ++context_->counters.messages_bad;
    return;
  }
  for (Sibling& sibling : minted.delta.siblings) {
    if (sibling.operation == op->version.operation) sibling.bytes = op->version.bytes;
  }
  OnMinted(turn, op, std::move(minted), from);
}

void Coordinator::OnMinted(const Turn& turn, Operation* op, Minted&& minted, NodeId minter) {
  EnterStep(turn, op, Phase::kStoring);
  op->after = minted.sequence;
  op->write.Stored(minter);
  if (!op->version.plain) op->put_context = minted.delta.context;
  const auto replicas = context_->ring->Replicas(op->position.slot);
  std::string object;
  EncodeObject(minted.delta, &object);
  size_t live = 0;
  for (const NodeId node : replicas) live += context_->liveness.IsAlive(node) ? 1 : 0;
  for (const NodeId node : replicas) {
    if (node == minter) continue;
    if (node == context_->self()) {
      const auto merged =
          context_->replica.Merge(Ref(*op), std::move(minted.delta), ViewOf(turn, *op));
      if (!merged) continue;
      op->after = std::max(op->after, merged->sequence);
      op->write.Stored(node);
      continue;
    }
    // Those that seem down are asked only when the others are too few.
    if (live >= op->w && !context_->liveness.IsAlive(node)) continue;
    op->asked.push_back({node, 0});
    turn.Request(node, MergeRequest{.request = op->id,
                                    .epoch = context_->epoch(),
                                    .exchange = false,
                                    .db = op->key.db,
                                    .key = op->key.bytes,
                                    .object = object});
  }
  CheckWrite(turn, op);
}

void Coordinator::OnMergeResponse(const Turn& turn, NodeId from, const MergeResponse& response) {
  Operation* op = Find(response.request);
  if (op == nullptr || op->phase != Phase::kStoring || !response.stored) return;
  op->write.Stored(from);
  CheckWrite(turn, op);
}

void Coordinator::CheckWrite(const Turn& turn, Operation* op) {
  if (!op->answered && op->write.Enough()) {
    const bool own_counts =
        op->write.HasStored(context_->self()) && op->write.answered() - 1 < op->write.needed();
    const uint64_t after = own_counts ? op->after : 0;
    switch (op->what) {
      case What::kPut: Reply(turn, op, after, PutAnswer{std::move(op->put_context)}); break;
      case What::kDelete: Reply(turn, op, after, DeleteAnswer{true}); break;
      case What::kUpdate: Reply(turn, op, after, UpdateAnswer{std::move(op->update_result)}); break;
      case What::kRead: CHECK(false);
    }
  }
  size_t outstanding = 0;
  for (const Asked& asked : op->asked) outstanding += op->write.HasStored(asked.node) ? 0 : 1;
  if (op->answered && outstanding == 0) Free(op);
}

}  // namespace cartwheel
