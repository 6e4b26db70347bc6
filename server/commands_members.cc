// The DYN. commands by which an operator changes the ring: JOIN, LEAVE, REMOVE, REPLACE, SETTINGS;
// and PLAN, which says what such a change would move.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "cluster/plan.h"
#include "server/command.h"
#include "server/commands.h"
#include "server/replies.h"
#include "server/text.h"

namespace cartwheel {
namespace {

// What DYN.PLAN looks at to estimate how large records are: some of each of some partitions.
constexpr uint32_t kSampledPartitions = 32;
constexpr uint32_t kSampledRecords = 64;

// The id in that argument; 0 when it is none, and the reply says so.
NodeId NodeAt(Call& call, size_t index) {
  const NodeId node = ParseNodeId(call.arg(index));
  if (node == 0) call.Error(fmt::format("ERR invalid node id '{}'", Shown(call.arg(index))));
  return node;
}

// DYN.JOIN host:busport
void DynJoinCommand(Call& call) {
  auto peer = ParseAddress(call.arg(1));
  if (!peer) return call.Error("ERR invalid address, expected host:busport");
  call.Start(JoinOperation{*std::move(peer)}, ReplyDone);
}

// DYN.REPLACE node-id host:busport
void DynReplaceCommand(Call& call) {
  const NodeId replaced = NodeAt(call, 1);
  if (replaced == 0) return;
  auto peer = ParseAddress(call.arg(2));
  if (!peer) return call.Error("ERR invalid address, expected host:busport");
  call.Start(JoinOperation{*std::move(peer), replaced}, ReplyDone);
}

void DynLeaveCommand(Call& call) { call.Start(LeaveOperation{}, ReplyDecided); }

// DYN.REMOVE node-id [node-id ...] [FORCE]
void DynRemoveCommand(Call& call) {
  RemoveOperation remove;
  size_t ids = call.arg_count();
  if (ids > 2 && EqualsIgnoreCase(call.arg(ids - 1), "FORCE")) {
    remove.force = true;
    --ids;
  }
  for (size_t index = 1; index < ids; ++index) {
    const NodeId node = NodeAt(call, index);
    if (node == 0) return;
    remove.nodes.push_back(node);
  }
  call.Start(std::move(remove), ReplyDecided);
}

void ReplySettings(Call& call) {
  const ClusterSettings& settings = call.server().node->state().settings;
  ReplyWriter reply = call.Reply();
  reply.Map(3);
  reply.Bulk("n");
  reply.Integer(settings.n);
  reply.Bulk("r");
  reply.Integer(settings.r);
  reply.Bulk("w");
  reply.Integer(settings.w);
}

// DYN.SETTINGS [N n] [R r] [W w]
void DynSettingsCommand(Call& call) {
  if (!RingKnown(call)) return;
  if (call.arg_count() == 1) return ReplySettings(call);
  if (call.arg_count() % 2 == 0) return call.Error("ERR syntax error");
  QuorumSettings wanted;
  for (size_t index = 1; index < call.arg_count(); index += 2) {
    const std::string word = UpperCase(call.arg(index));
    uint8_t* const setting = word == "N"   ? &wanted.n
                             : word == "R" ? &wanted.r
                             : word == "W" ? &wanted.w
                                           : nullptr;
    if (setting == nullptr || *setting != 0) return call.Error("ERR syntax error");
    const auto number = ParseInteger(call.arg(index + 1));
    if (!number) return call.Error("ERR value is not an integer or out of range");
    if (*number < 1 || *number > kMaxReplicas) {
      return call.Error(fmt::format("ERR {} must be between 1 and {}", word, kMaxReplicas));
    }
    *setting = static_cast<uint8_t>(*number);
  }
  const uint8_t n = wanted.n != 0 ? wanted.n : call.server().node->state().settings.n;
  for (const auto& [word, value] : {std::pair('R', wanted.r), std::pair('W', wanted.w)}) {
    if (value > n) return call.Error(fmt::format("ERR {} must be between 1 and N={}", word, n));
  }
  call.Start(SettingsOperation{wanted}, ReplyDecided);
}

// What a copy of a partition takes, going by this node's own: the mean of some records, and how
// many there are.
uint64_t BytesOfCopy(const Server& server) {
  const Ring& ring = server.node->ring();
  std::vector<uint32_t> held;
  for (uint32_t partition = 0; partition < ring.partition_count(); ++partition) {
    const auto replicas = ring.Replicas(ring.FirstSlot(partition));
    if (std::find(replicas.begin(), replicas.end(), server.node->id()) != replicas.end()) {
      held.push_back(partition);
    }
  }
  uint64_t records = 0;
  uint64_t bytes = 0;
  const size_t step = std::max<size_t>(1, held.size() / kSampledPartitions);
  for (size_t i = 0; i < held.size(); i += step) {
    const Position first{ring.FirstSlot(held[i]), 0, 0};
    const Position last{ring.LastSlot(held[i]), UINT64_MAX, UINT64_MAX};
    uint32_t seen = 0;
    const auto visit = [&](const Position&, std::string_view image) {
      records += 1;
      bytes += image.size();
      return ++seen < kSampledRecords;
    };
    if (!server.engine->Scan(first, last, visit)) break;
  }
  if (records == 0) return 0;
  const double mean = static_cast<double>(bytes) / static_cast<double>(records);
  const auto all = static_cast<double>(server.engine->stats().records);
  return static_cast<uint64_t>(mean * all / static_cast<double>(held.size()));
}

void ReplyPlan(Call& call, const Result<Plan>& plan) {
  if (!plan) return call.Error("ERR " + plan.error().message);
  ReplyWriter reply = call.Reply();
  reply.Map(4);
  reply.Bulk("partitions-moved");
  reply.Integer(plan->partitions_moved);
  reply.Bulk("bytes-moved");
  reply.Integer(static_cast<int64_t>(plan->replicas_gained * BytesOfCopy(call.server())));
  reply.Bulk("nodes");
  reply.Map(plan->shares.size());
  for (const Plan::Share& share : plan->shares) {
    reply.Bulk(share.node == 0 ? "(new)" : FormatNodeId(share.node));
    reply.Map(2);
    reply.Bulk("before");
    reply.Integer(share.before);
    reply.Bulk("after");
    reply.Integer(share.after);
  }
  reply.Bulk("zones-violated");
  reply.Integer(plan->zones_violated);
}

// DYN.PLAN JOIN weight zone | LEAVE id | REMOVE id
void DynPlanCommand(Call& call) {
  if (!RingKnown(call)) return;
  const ClusterState& state = call.server().node->state();
  if (EqualsIgnoreCase(call.arg(1), "JOIN") && call.arg_count() == 4) {
    // As the options of the node that would join are read.
    Options joiner;
    for (const auto& [name, index] : {std::pair("weight", 2), std::pair("zone", 3)}) {
      const auto taken = SetOption(&joiner, name, call.arg(static_cast<size_t>(index)));
      if (!taken) return call.Error("ERR " + taken.error().message);
    }
    return ReplyPlan(call, PlanJoin(state, joiner.zone, joiner.weight_thousandths));
  }
  const bool leave = EqualsIgnoreCase(call.arg(1), "LEAVE");
  if (call.arg_count() != 3 || !(leave || EqualsIgnoreCase(call.arg(1), "REMOVE"))) {
    return call.Error("ERR syntax error");
  }
  const NodeId node = NodeAt(call, 2);
  if (node == 0) return;
  ReplyPlan(call, leave ? PlanLeave(state, node) : PlanRemove(state, node));
}

constexpr uint32_t kOperator = kAdmin | kNoScript | kStale;

constexpr CommandRow kRows[] = {
    {"dyn.join", 2, kOperator | kLoading, kNoKeys, DynJoinCommand, "7.0.0",
     "Joins this node to the ring of a peer."},
    {"dyn.leave", 1, kOperator, kNoKeys, DynLeaveCommand, "7.0.0",
     "Hands over what this node holds, takes it out of the ring, and ends it."},
    {"dyn.plan", -3, kOperator, kNoKeys, DynPlanCommand, "7.0.0",
     "Says what a change of the members would move."},
    {"dyn.remove", -2, kOperator, kNoKeys, DynRemoveCommand, "7.0.0",
     "Takes members that will not come back out of the ring."},
    {"dyn.replace", 3, kOperator | kLoading, kNoKeys, DynReplaceCommand, "7.0.0",
     "Joins this node to the ring of a peer in the place of a member."},
    {"dyn.settings", -1, kOperator, kNoKeys, DynSettingsCommand, "7.0.0",
     "Shows N, R and W of the ring, or changes them."},
};

}  // namespace

CommandFamily MemberCommands() { return {"dynamo", kRows}; }

}  // namespace cartwheel
