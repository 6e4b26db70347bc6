// The DYN. commands that show the ring: PREFLIST, NODES, RING, STATUS, HISTORY; and REPAIR. Those
// that change it are in commands_members.cc.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/command.h"
#include "server/commands.h"
#include "server/replies.h"
#include "server/ring_view.h"
#include "server/status_list.h"
#include "server/text.h"

namespace cartwheel {
namespace {

std::string_view NameOf(MemberStatus status) {
  switch (status) {
    case MemberStatus::kJoining: return "joining";
    case MemberStatus::kNormal: return "normal";
    case MemberStatus::kLeaving: return "leaving";
  }
  return "normal";
}

// Under `placement tokens` as many as a weight of 1 has, by weight (cluster/placement.h); else the
// partitions that it owns (Dynamo, section 6.2).
int64_t TokensOf(const Member& member, const ClusterSettings& settings, int64_t owned) {
  if (settings.placement != PlacementStrategy::kTokens) return owned;
  const uint64_t tokens = (uint64_t{settings.tokens} * member.weight_thousandths + 500) / 1000;
  return static_cast<int64_t>(std::clamp<uint64_t>(tokens, 1, settings.partitions));
}

void WriteMember(ReplyWriter* reply, const Member& member, const Node& node) {
  const Placement& placement = node.state().reading();
  int64_t owned = 0;
  for (uint32_t partition = 0; partition < placement.owners.size(); ++partition) {
    owned += placement.OwnerOf(partition) == member.id ? 1 : 0;
  }
  const double share = static_cast<double>(owned) / static_cast<double>(placement.owners.size());
  reply->Map(10);
  reply->Bulk("id");
  reply->Bulk(FormatNodeId(member.id));
  reply->Bulk("host");
  reply->Bulk(member.host);
  reply->Bulk("port");
  reply->Integer(member.port);
  reply->Bulk("bus-port");
  reply->Integer(member.bus_port);
  reply->Bulk("zone");
  reply->Bulk(member.zone);
  reply->Bulk("weight");
  reply->Double(member.weight_thousandths / 1000.0);
  reply->Bulk("tokens");
  reply->Integer(TokensOf(member, node.state().settings, owned));
  reply->Bulk("status");
  reply->Bulk(NameOf(member.status));
  reply->Bulk("alive");
  reply->Integer(node.IsAlive(member.id) ? 1 : 0);
  reply->Bulk("owns");
  reply->Double(share);
}

// DYN.PREFLIST key [ALL]
void DynPreflistCommand(Call& call) {
  const bool all = call.arg_count() == 3 && EqualsIgnoreCase(call.arg(2), "ALL");
  if (call.arg_count() > 2 && !all) return call.Error("ERR syntax error");
  if (!RingKnown(call)) return;
  const Node& node = *call.server().node;
  const uint16_t slot = HashSlot(call.arg(1), node.state().settings.partitioner);
  const auto replicas = node.ring().Replicas(slot);
  const std::vector<NodeId> ids =
      all ? node.ring().Walk(slot) : std::vector<NodeId>(replicas.begin(), replicas.end());
  ReplyWriter reply = call.Reply();
  reply.Array(ids.size());
  for (const NodeId id : ids) {
    const Member* member = node.state().Find(id);
    reply.Array(4);
    reply.Bulk(FormatNodeId(id));
    reply.Bulk(member != nullptr ? std::string_view(member->host) : "");
    reply.Integer(member != nullptr ? member->port : 0);
    reply.Integer(node.IsAlive(id) ? 1 : 0);
  }
}

void DynNodesCommand(Call& call) {
  if (!RingKnown(call)) return;
  const Node& node = *call.server().node;
  ReplyWriter reply = call.Reply();
  reply.Array(node.state().members.size());
  for (const Member& member : node.state().members) WriteMember(&reply, member, node);
}

void DynRingCommand(Call& call) {
  if (!RingKnown(call)) return;
  const auto runs = ReplicaRuns(call.server().node->ring());
  ReplyWriter reply = call.Reply();
  reply.Array(runs.size());
  for (const SlotRun& run : runs) {
    reply.Array(3);
    reply.Integer(run.first);
    reply.Integer(run.last);
    reply.Array(run.nodes.size());
    for (const NodeId id : run.nodes) reply.Bulk(FormatNodeId(id));
  }
}

void DynStatusCommand(Call& call) {
  const auto counters = CountersOf(call.server());
  std::string waiting_for;
  for (const NodeId node : call.server().node->WaitsFor()) {
    waiting_for += (waiting_for.empty() ? "" : " ") + FormatNodeId(node);
  }
  ReplyWriter reply = call.Reply();
  reply.Map(counters.size() + 2);
  reply.Bulk("waiting-for");
  reply.Bulk(waiting_for);
  reply.Bulk("left-over-slots");
  reply.Integer(static_cast<int64_t>(call.server().node->LeftOverSlots()));
  for (const auto& [name, value] : counters) {
    reply.Bulk(name);
    reply.Integer(static_cast<int64_t>(value));
  }
}

void DynRepairCommand(Call& call) {
  call.Start(RepairOperation{}, [](Call& done, Answer& answer) {
    const RepairAnswer* repair = done.Expect<RepairAnswer>(answer);
    if (repair != nullptr) done.Reply().Integer(static_cast<int64_t>(repair->keys));
  });
}

void DynHistoryCommand(Call& call) {
  const auto& history = call.server().node->state().history;
  ReplyWriter reply = call.Reply();
  reply.Array(history.size());
  for (const Change& change : history) {
    reply.Array(4);
    reply.Integer(static_cast<int64_t>(change.epoch));
    reply.Integer(change.wall_ms);
    reply.Bulk(FormatNodeId(change.proposer));
    reply.Bulk(change.what);
  }
}

constexpr CommandRow kRows[] = {
    {"dyn.history", 1, kFast | kAnytime, kNoKeys, DynHistoryCommand, "7.0.0",
     "Lists the last changes of the cluster."},
    {"dyn.nodes", 1, kFast | kAnytime, kNoKeys, DynNodesCommand, "7.0.0",
     "Lists the members of the ring."},
    {"dyn.preflist", -2, kFast | kStale, OneKey(kKeyRead), DynPreflistCommand, "7.0.0",
     "Lists the nodes that hold a key, in order."},
    {"dyn.repair", 1, kAdmin | kNoScript | kStale, kNoKeys, DynRepairCommand, "7.0.0",
     "Compares this node with its live peers and repairs."},
    {"dyn.ring", 1, kStale, kNoKeys, DynRingCommand, "7.0.0",
     "Lists runs of slots with their preference lists."},
    {"dyn.status", 1, kFast | kAnytime, kNoKeys, DynStatusCommand, "7.0.0",
     "Counters of the Dynamo inside."},
};

}  // namespace

CommandFamily RingCommands() { return {"dynamo", kRows}; }

}  // namespace cartwheel
