// The DYN. commands about the ring: PREFLIST, NODES, RING, STATUS, JOIN, HISTORY.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/command.h"
#include "server/commands.h"
#include "server/replies.h"
#include "server/ring_view.h"
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

void WriteMember(ReplyWriter* reply, const Member& member, const Node& node) {
  const auto& owners = node.state().owners;
  const auto owned = std::count(owners.begin(), owners.end(), member.id);
  const double share =
      owners.empty() ? 0 : static_cast<double>(owned) / static_cast<double>(owners.size());
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
  reply->Bulk("tokens");  // with equal placement: the partitions it owns (Dynamo, section 6.2)
  reply->Integer(owned);
  reply->Bulk("status");
  reply->Bulk(NameOf(member.status));
  reply->Bulk("alive");
  reply->Integer(node.IsAlive(member.id) ? 1 : 0);
  reply->Bulk("owns");
  reply->Double(share);
}

using Counter = std::pair<std::string_view, uint64_t>;

std::vector<Counter> CountersOf(const Server& server) {
  const StatusCounters& counters = server.node->counters();
  const EngineStats engine = server.engine->stats();
  return {{"reads", counters.reads},
          {"writes", counters.writes},
          {"updates", counters.updates},
          {"no-quorum", counters.no_quorum},
          {"hedged-reads", counters.hedges},
          {"read-repairs", counters.read_repairs},
          {"anti-entropy-last", counters.anti_entropy_last},
          {"anti-entropy-rounds", counters.anti_entropy_rounds},
          {"anti-entropy-keys-repaired", counters.anti_entropy_keys_repaired},
          {"anti-entropy-bytes-sent", counters.anti_entropy_bytes_sent},
          {"siblings-created", counters.siblings_created},
          {"siblings-1", counters.reads_by_siblings[0]},
          {"siblings-2", counters.reads_by_siblings[1]},
          {"siblings-3", counters.reads_by_siblings[2]},
          {"siblings-4-or-more", counters.reads_by_siblings[3]},
          {"clock-amnesia", counters.clock_amnesia},
          {"clock-skew-refused", counters.clock_skew_refused},
          {"mint-retries", counters.mint_retries},
          {"asked-again", counters.asked_again},
          {"timeouts-widened", counters.timeouts_widened},
          {"mints-too-late", counters.mints_too_late},
          {"merges-too-late", counters.merges_too_late},
          {"sloppy-reads", counters.sloppy_reads},
          {"reads-behind", counters.reads_behind},
          {"mints-passed-on", counters.mints_passed_on},
          {"sloppy-writes", counters.sloppy_writes},
          {"hints-pending", counters.hints_pending},
          {"hints-pending-bytes", counters.hints_pending_bytes},
          {"hints-stored", counters.hints_stored},
          {"hints-refused", counters.hints_refused},
          {"hints-delivered", counters.hints_delivered},
          {"hints-bytes-sent", counters.hints_bytes_sent},
          {"hints-given-up", counters.hints_given_up},
          {"left-overs-moved", counters.left_overs_moved},
          {"tombstones-pending", counters.tombstones_pending},
          {"tombstones-dropped", counters.tombstones_dropped},
          {"contexts-pruned", counters.contexts_pruned},
          {"messages-received", counters.messages_received},
          {"messages-unknown", counters.messages_unknown},
          {"messages-bad", counters.messages_bad},
          {"operations-in-flight", counters.operations_in_flight},
          {"busy-refusals", server.counters.busy_refusals},
          {"updates-refused", counters.updates_refused},
          {"disk-full-refusals", counters.disk_full_refusals},
          {"records-set-aside", counters.records_set_aside},
          {"scrub-records", counters.scrub_records},
          {"scrub-rot-found", counters.scrub_rot_found},
          {"leaf-sums-mended", counters.leaf_sums_mended},
          {"log-cut-at-start", engine.log_cut},
          {"damaged-log-records-skipped", engine.damaged_skipped}};
}

}  // namespace

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
  ReplyWriter reply = call.Reply();
  reply.Map(counters.size());
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

// DYN.JOIN host:busport
void DynJoinCommand(Call& call) {
  auto peer = ParseAddress(call.arg(1));
  if (!peer) return call.Error("ERR invalid address, expected host:busport");
  call.Start(JoinOperation{*std::move(peer)}, ReplyDone);
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

}  // namespace cartwheel
