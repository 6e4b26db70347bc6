// The DYN. commands about a key's versions: GET, PUT, DEL, SIBLINGS, EXPLAIN, and QUORUM. Those
// about the ring are in commands_ring.cc.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "cluster/hybrid_clock.h"
#include "server/command.h"
#include "server/commands.h"
#include "server/key_options.h"
#include "server/replies.h"
#include "server/text.h"
#include "storage/context_token.h"

namespace cartwheel {
namespace {

const ClusterState& StateOf(const Call& call) { return call.server().node->state(); }

Position PositionIn(const Call& call, std::string_view key) {
  return PositionOf(call.db(), key, StateOf(call).settings.partitioner);
}

// Keeps the key for the continuation, which has to name contexts after it.
void StartRead(Call& call, uint8_t r, bool explain, Continuation then) {
  call.scratch = call.CopyOf(1);
  call.Start(ReadOperation{call.KeyAt(1), r, explain}, then);
}

void ReplySiblingValues(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  NewestOf(call, *read);  // counts the hit
  const View view = call.server().node->ViewOf(call.db(), call.now());
  const auto& siblings = read->object.siblings;
  const auto live = [&view](const Sibling& sibling) { return sibling.LiveAt(view); };
  ReplyWriter reply = call.Reply();
  reply.Array(2);
  reply.Bulk(EncodeToken(PositionIn(call, call.scratch), read->object.context));
  reply.Array(static_cast<size_t>(std::count_if(siblings.begin(), siblings.end(), live)));
  for (const Sibling& sibling : siblings) {
    if (live(sibling)) reply.Bulk(sibling.bytes);
  }
}

void ReplyNewContext(Call& call, Answer& answer) {
  const PutAnswer* put = call.Expect<PutAnswer>(answer);
  if (put == nullptr) return;
  call.Reply().Bulk(EncodeToken(PositionIn(call, call.scratch), put->context));
}

int64_t TtlOf(const Sibling& sibling, int64_t wall_ms) {
  if (sibling.expires_at_ms == 0) return -1;
  return std::max<int64_t>(0, sibling.expires_at_ms - wall_ms);
}

void WriteSibling(ReplyWriter* reply, const Sibling& sibling, const View& view) {
  const bool live = sibling.LiveAt(view);
  reply->Map(6);
  reply->Bulk("value");
  if (live) {
    reply->Bulk(sibling.bytes);
  } else {
    reply->Null();
  }
  reply->Bulk("dot");
  reply->Bulk(ToString(sibling.dot));
  reply->Bulk("node");
  reply->Bulk(FormatNodeId(sibling.dot.actor.node));
  reply->Bulk("time");
  reply->Integer(HybridClock::ToWall(sibling.time));
  reply->Bulk("ttl");
  reply->Integer(TtlOf(sibling, view.wall_ms));
  reply->Bulk("deleted");
  reply->Integer(live ? 0 : 1);
}

void ReplySiblings(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  NewestOf(call, *read);
  const View view = call.server().node->ViewOf(call.db(), call.now());
  ReplyWriter reply = call.Reply();
  reply.Array(read->object.siblings.size());
  for (const Sibling& sibling : read->object.siblings) WriteSibling(&reply, sibling, view);
}

void WriteReplica(ReplyWriter* reply, const ReplicaAnswer& replica, const Position& position) {
  const auto& siblings = replica.object.siblings;
  reply->Map(7);
  reply->Bulk("node");
  reply->Bulk(FormatNodeId(replica.node));
  reply->Bulk("role");
  reply->Bulk(replica.primary ? "primary" : "fallback");
  reply->Bulk("answered-in");
  reply->Integer(replica.answered_in_us);
  reply->Bulk("siblings");
  reply->Integer(static_cast<int64_t>(siblings.size()));
  reply->Bulk("context");
  reply->Bulk(EncodeToken(position, replica.object.context));
  reply->Bulk("last-write");
  reply->Integer(siblings.empty() ? 0 : HybridClock::ToWall(siblings.front().time));
  reply->Bulk("same");
  reply->Integer(replica.same ? 1 : 0);
}

void ReplyExplanation(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  const Ring& ring = call.server().node->ring();
  const Position position = PositionIn(call, call.scratch);
  const auto replicas = ring.Replicas(position.slot);
  ReplyWriter reply = call.Reply();
  reply.Map(4);
  reply.Bulk("slot");
  reply.Integer(position.slot);
  reply.Bulk("partition");
  reply.Integer(ring.PartitionOf(position.slot));
  reply.Bulk("preference-list");
  reply.Array(replicas.size());
  for (const NodeId id : replicas) reply.Bulk(FormatNodeId(id));
  reply.Bulk("replicas");
  reply.Array(read->replicas.size());
  for (const ReplicaAnswer& replica : read->replicas) WriteReplica(&reply, replica, position);
}

// Starts a put of `kind` under the context in argument 2. `options` begins the options.
void StartPut(Call& call, Kind kind, size_t options) {
  if (!RingKnown(call)) return;
  const auto words = ParseDynOptions(call.args().subspan(options), kind == Kind::kValue, "W",
                                     StateOf(call).settings.n);
  if (!words) return call.Error(words.error().message);
  int64_t expires_at_ms = 0;
  if (words->expiry.given) {
    const auto time = ExpiryTime(words->expiry, call.command().name, call.now().wall_ms);
    if (!time) return call.Error(time.error().message);
    expires_at_ms = *time;
  }
  auto context = DecodeToken(PositionIn(call, call.arg(1)), call.arg(2));
  if (!context) return call.Error("BADCONTEXT " + context.error().message);
  const uint8_t w = words->quorum != 0 ? words->quorum : call.w();
  call.scratch = call.CopyOf(1);
  call.Start(PutOperation{call.KeyAt(1), *std::move(context), kind,
                          kind == Kind::kValue ? call.CopyOf(3) : std::string(), expires_at_ms, w},
             ReplyNewContext);
}

void ReplyQuorum(Call& call) {
  const Session& session = call.session();
  const Ring& ring = call.server().node->ring();
  ReplyWriter reply = call.Reply();
  reply.Map(2);
  reply.Bulk("r");
  reply.Integer(session.r != 0 ? session.r : ring.r());
  reply.Bulk("w");
  reply.Integer(session.w != 0 ? session.w : ring.w());
}

// DYN.GET key [R n]
void DynGetCommand(Call& call) {
  if (!RingKnown(call)) return;
  const auto words = ParseDynOptions(call.args().subspan(2), false, "R", StateOf(call).settings.n);
  if (!words) return call.Error(words.error().message);
  const uint8_t r = words->quorum != 0 ? words->quorum : call.r();
  StartRead(call, r, false, ReplySiblingValues);
}

// DYN.PUT key context value [EX s | PX ms | EXAT s | PXAT ms] [W n]
void DynPutCommand(Call& call) { StartPut(call, Kind::kValue, 4); }

// DYN.DEL key context [W n]
void DynDelCommand(Call& call) { StartPut(call, Kind::kTombstone, 3); }

void DynSiblingsCommand(Call& call) { StartRead(call, call.r(), false, ReplySiblings); }
void DynExplainCommand(Call& call) { StartRead(call, call.r(), true, ReplyExplanation); }

// DYN.QUORUM [R n] [W n]: for this connection until RESET.
void DynQuorumCommand(Call& call) {
  if (!RingKnown(call)) return;
  if (call.arg_count() == 1) return ReplyQuorum(call);
  const uint8_t n = StateOf(call).settings.n;
  uint8_t r = call.session().r;
  uint8_t w = call.session().w;
  for (size_t index = 1; index < call.arg_count(); index += 2) {
    const bool read = EqualsIgnoreCase(call.arg(index), "R");
    const auto words = ParseDynOptions(
        call.args().subspan(index).first(std::min<size_t>(2, call.arg_count() - index)), false,
        read ? "R" : "W", n);
    if (!words) return call.Error(words.error().message);
    (read ? r : w) = words->quorum;
  }
  call.session().r = r;
  call.session().w = w;
  call.Reply().Ok();
}

constexpr CommandRow kRows[] = {
    {"dyn.del", -3, kFastWrite, OneKey(kKeyReadWrite | kKeyDelete), DynDelCommand, "7.0.0",
     "Deletes the versions that a context covers."},
    {"dyn.explain", 2, kReadonly, OneKey(kReadsKey), DynExplainCommand, "7.0.0",
     "Shows where a key lives and what each replica holds."},
    {"dyn.get", -2, kFastRead, OneKey(kReadsKey), DynGetCommand, "7.0.0",
     "Reads every version of a key, and their context."},
    {"dyn.put", -4, kValueWrite | kFast, OneKey(kKeyReadWrite | kKeyUpdate), DynPutCommand, "7.0.0",
     "Writes a version that replaces those a context covers."},
    {"dyn.quorum", -1, kFast | kAnytime, kNoKeys, DynQuorumCommand, "7.0.0",
     "Sets R and W of this connection."},
    {"dyn.siblings", 2, kFastRead, OneKey(kReadsKey), DynSiblingsCommand, "7.0.0",
     "Describes every version of a key."},
};

}  // namespace

CommandFamily VersionCommands() { return {"dynamo", kRows}; }

}  // namespace cartwheel
