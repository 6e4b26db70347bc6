// Coordinator: carries this node's clients' reads, writes and updates through their quorums
// (Dynamo, section 5). It owns the operations in flight: whom they asked, until when, and whom to
// answer. The quorum logic itself is ReadOp and WriteOp; local copies are Replica's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/check.h"
#include "cluster/client_op.h"
#include "cluster/compared_versions.h"
#include "cluster/messages.h"
#include "cluster/node_context.h"
#include "cluster/read_op.h"
#include "cluster/write_op.h"

namespace cartwheel {

class Coordinator {
 public:
  explicit Coordinator(NodeContext* context) : context_(context) {}

  void Start(const Turn& turn, uint64_t client, ReadOperation&& operation);
  void Start(const Turn& turn, uint64_t client, PutOperation&& operation);
  void Start(const Turn& turn, uint64_t client, DeleteOperation&& operation);
  void Start(const Turn& turn, uint64_t client, UpdateOperation&& operation);

  void OnUpdateRequest(const Turn& turn, NodeId from, const UpdateRequest& request);
  void OnReadResponse(const Turn& turn, NodeId from, const ReadResponse& response);
  void OnMintResponse(const Turn& turn, NodeId from, const MintResponse& response);
  void OnMergeResponse(const Turn& turn, NodeId from, const MergeResponse& response);
  void OnUpdateResponse(const Turn& turn, NodeId from, const UpdateResponse& response);

  // Whatever was asked of the peer will not be answered.
  void OnPeerLost(const Turn& turn, NodeId peer);
  // The placement is another one: what is in flight goes on by that.
  void OnPlacementChanged(const Turn& turn);
  // While reads switch: none of the updates that were begun here before is under way any more.
  bool HasHandedUpdatesOver();
  // A peer is there again, or the ring is another one: what reads compared counts no more.
  void ForgetCompared() { compared_.Forget(); }

  // A tick that comes late finds answers that this node has not read yet: what is due then has its
  // deadlines widened first, and nobody is suspected for it.
  void Tick(const Turn& turn);
  // When the next Tick is due, in mono_us; INT64_MAX when nothing is in flight.
  int64_t NextDeadline() const { return next_due_us_; }
  size_t in_flight() const { return in_flight_; }

 private:
  enum class Phase : uint8_t {
    kFree,
    kQueued,  // an update that waits for another of its key
    kReading,
    kMinting,
    kStoring,
    kForwarded,  // an update that another node carries out
  };
  enum class What : uint8_t { kRead, kPut, kDelete, kUpdate };

  struct Asked {
    NodeId node;
    uint64_t have = 0;    // the version hash we told it, with a read
    NodeId hint_for = 0;  // with a write: whose place this fallback takes
    bool lost = false;    // with a read: it gave no answer
  };
  static constexpr int64_t kNever = INT64_MAX;
  // One operation in flight.
  struct Operation {
    uint64_t id = 0;  // generation << kIndexBits | index: also the request id on the bus
    Phase phase = Phase::kFree;
    What what = What::kRead;
    bool answered = false;
    bool explain = false;
    bool sloppy = false;   // fallbacks made up its quorum
    bool fresh = false;    // Minted::fresh
    bool cleared = false;  // an update that its node of before has refused: this one is to do it
    uint8_t r = 0;
    uint8_t w = 0;
    uint64_t client = 0;  // or, for an update that `peer` sent us, its request
    NodeId peer = 0;
    NodeId hint_for = 0;  // an update that this node carries out as a fallback for that one
    int64_t started_us = 0;
    // Until when, in mono_us: the next replica is asked; whom this step waits for is given up; the
    // operation is.
    int64_t hedge_us = kNever;
    int64_t timeout_us = kNever;
    int64_t final_us = kNever;
    // From when on those who gave no answer in this step are asked once more; kNever: they were.
    int64_t again_us = kNever;
    int64_t transfer_us = 0;  // more time than that, for a large value
    size_t asked_before = 0;  // how many of `asked` are of the round before that
    bool widened = false;     // its timeout, because this node was late itself
    uint64_t after = 0;       // the storage sequence of what we saw or wrote here
    uint64_t placement = 0;   // the latest that an answer named
    Key key;
    Position position;
    ReadOp read;
    WriteOp write;
    NewVersion version;
    Update update;
    UpdateResult update_result;
    CausalContext put_context;            // what a put answers with
    std::string delta;                    // what the minter made, encoded
    absl::InlinedVector<Asked, 4> asked;  // in this step
    absl::InlinedVector<NodeId, 4> failed;
    std::vector<ReplicaAnswer> replicas;  // with explain

    // When it is done: lets go of what it held, in place.
    void Clear();
  };
  static constexpr int kIndexBits = 24;
  static constexpr size_t kRecentUpdates = 4096;
  // Past this no peer's update begins here. Clients' operations are bounded by server/.
  static constexpr size_t kMaxInFlight = 32768;

  // Operations in flight (coordinator.cc).
  Operation* Allocate(const Turn& turn, What what, Key key);
  static size_t IndexOf(uint64_t id) { return id & ((uint64_t{1} << kIndexBits) - 1); }
  Operation* Find(uint64_t id);
  void Free(Operation* op);
  // A new id: answers to what it asked so far are not for it any more.
  void Renumber(Operation* op);
  // It met somebody who knows a later placement, and goes on once this node knows that as well:
  // its quorum is judged by it.
  bool IsHeld(const Operation& op) const { return op.placement > context_->placement(); }
  void EnterStep(const Turn& turn, Operation* op, Phase phase);
  // Its deadlines have changed.
  void Schedule(const Operation& op);
  KeyRef Ref(const Operation& op) const {
    return {op.position, op.key.db, op.key.bytes, op.hint_for};
  }
  View ViewOf(const Turn& turn, const Operation& op) const {
    return context_->ViewOf(op.key.db, turn.now);
  }
  bool Replicates(const Operation& op, NodeId node) const {
    return context_->Replicates(op.position.slot, node);
  }
  // The next node to ask in this step: this node first when it is a replica and that is wanted,
  // then the live ones of the preference list (so fallbacks come after the replicas), then those
  // replicas that seem down; 0 when all were asked. Never `except`.
  NodeId NextCandidate(const Operation& op, bool self_first, NodeId except = 0) const;
  // The same for a read.
  NodeId NextReader(const Operation& op) const;
  static bool WasAsked(const Operation& op, NodeId node);
  static void MarkFailed(Operation* op, NodeId node);
  static bool HasFailed(const Operation& op, NodeId node) {
    return std::find(op.failed.begin(), op.failed.end(), node) != op.failed.end();
  }
  void OnDue(const Turn& turn, Operation* op);
  bool Widen(const Turn& turn, Operation* op, int64_t late_us);
  void OnTimeout(const Turn& turn, Operation* op);
  void OnFinal(const Turn& turn, Operation* op);
  // Answers the client, or the peer that sent the update, with one of the types of Answer::result.
  template <typename T>
  void Reply(const Turn& turn, Operation* op, uint64_t after, T&& result);
  void FinishNoQuorum(const Turn& turn, Operation* op, char which);

  // Reading (coordinator_read.cc). What ends an operation frees it: `op` is gone afterwards.
  bool TryReadAlone(const Turn& turn, uint64_t client, const ReadOperation& operation);
  void BeginReading(const Turn& turn, Operation* op);
  bool AskNextReplica(const Turn& turn, Operation* op);
  void SendRead(const Turn& turn, const Operation& op, const Asked& asked) const;
  bool ReadsAgain(const Turn& turn, Operation* op);
  void ReadLocally(const Turn& turn, Operation* op);
  void CountBehind(Operation* op);
  void ReadKept(const Turn& turn, Operation* op);
  void AddReply(const Turn& turn, Operation* op, NodeId node, bool behind, uint64_t hash,
                Object&& object);
  void CheckRead(const Turn& turn, Operation* op);
  void FinishRead(const Turn& turn, Operation* op);
  void AnswerRead(const Turn& turn, Operation* op);
  void RepairReplied(const Turn& turn, Operation* op);
  void CompareUnasked(const Turn& turn, const KeyRef& key, uint64_t hash, NodeId holder,
                      const Operation* op);

  // Writing (coordinator_write.cc).
  bool TryPutAlone(const Turn& turn, uint64_t client, PutOperation* operation);
  void DeleteAfterRead(const Turn& turn, Operation* op);
  void BeginMinting(const Turn& turn, Operation* op);
  void TryNextMinter(const Turn& turn, Operation* op);
  void RefuseWrite(const Turn& turn, Operation* op, const Status& refusal);
  void MintAgain(const Turn& turn, Operation* op);
  void OnMinted(const Turn& turn, Operation* op, Minted&& minted, const Asked& minter);
  void SendDelta(const Turn& turn, Operation* op, NodeId to, NodeId hint_for);
  void RequestMerge(const Turn& turn, const Operation& op, const Asked& asked) const;
  void StoreAgain(const Turn& turn, Operation* op);
  bool StoreHere(const Turn& turn, Operation* op, NodeId hint_for, Object&& delta);
  bool GiveToFallback(const Turn& turn, Operation* op, NodeId hint_for);
  void ReplaceLate(const Turn& turn, Operation* op, size_t asked);
  void StoreOnOthers(const Turn& turn, Operation* op);
  size_t Needed(const Operation& op, std::span<const NodeId> replicas) const {
    return std::min<size_t>(op.write.needed(), replicas.size());
  }
  bool IsQuorum(const Operation& op, std::span<const NodeId> replicas, NodeId besides) const;
  bool HasQuorum(const Operation& op, NodeId besides = 0) const;
  bool HopesForQuorum(const Operation& op) const;
  void CheckWrite(const Turn& turn, Operation* op);

  // Updates (coordinator_update.cc).
  // False when the peer's request came before: an update that comes twice happens once.
  bool RememberUpdate(NodeId from, uint64_t request);
  void PassUpdateOn(const Turn& turn, Operation* op);
  void PassUpdateOnLater(const Turn& turn, Operation* op);
  void SendUpdate(const Turn& turn, Operation* op, NodeId node);
  void ActOrAskBefore(const Turn& turn, Operation* op);
  bool IsHandingOver(const Position& position);
  bool IsForAnother(const Operation& op) const;
  void HandOver(const Turn& turn, Operation* op);
  void BeginUpdate(const Turn& turn, Operation* op);
  void ApplyAfterRead(const Turn& turn, Operation* op);
  // Its value turned out to be so large: deadlines move.
  void AllowTransfer(Operation* op, size_t bytes);
  int64_t StepUs(const Operation& op) const {
    return context_->ReplicaTimeoutUs() + op.transfer_us;
  }
  // So long whoever passed an update on waits for it.
  int64_t UpdateLifeUs(size_t bytes) const {
    return 2 * (context_->ReplicaTimeoutUs() + NodeContext::TransferUs(bytes));
  }
  void LeaveQueue(const Turn& turn, const Position& position, uint64_t id);
  void RespondToPeer(const Turn& turn, const Operation& op, uint64_t after,
                     const decltype(Answer::result)& result);

  NodeContext* context_;
  std::vector<std::unique_ptr<Operation>> operations_;
  std::vector<uint32_t> free_;
  size_t in_flight_ = 0;
  ComparedVersions compared_;
  // The earliest deadline of each operation, by index. They change far more often than they pass:
  // nothing is kept in order, and all are looked at when the earliest may have passed.
  std::vector<int64_t> due_us_;
  int64_t next_due_us_ = kNever;  // none is earlier
  // Updates of a key run one after the other: the first of the queue is at work.
  std::map<Position, std::deque<uint64_t>> update_queues_;
  std::deque<uint64_t> next_updates_;  // that have become the first
  // While reads switch: those that were begun before.
  std::vector<uint64_t> handing_over_;
  // The last requests for updates that peers sent: who, and which.
  std::set<std::pair<NodeId, uint64_t>> recent_updates_;
  std::deque<std::pair<NodeId, uint64_t>> recent_updates_order_;
};

template <typename T>
void Coordinator::Reply(const Turn& turn, Operation* op, uint64_t after, T&& result) {
  CHECK(!op->answered);
  op->answered = true;
  context_->load.Note(turn.now.mono_us - op->started_us, turn.now.mono_us);
  if (op->peer != 0) return RespondToPeer(turn, *op, after, std::forward<T>(result));
  Answer& answer = turn.effects->answers.emplace_back();
  answer.id = op->client;
  answer.after = after;
  answer.sloppy = op->sloppy;
  answer.result.template emplace<std::decay_t<T>>(std::forward<T>(result));
}

}  // namespace cartwheel
