// CLUSTER and its kin: the ring in the terms of Redis Cluster, for cluster-aware clients and
// redis-cli. A node is "master" of the slots whose preference list it heads; N-1 others hold copies
// of them as well. Any node serves any key, so nothing here moves a client.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/command.h"
#include "server/commands.h"
#include "server/replies.h"
#include "server/ring_view.h"
#include "server/text.h"
#include "storage/record.h"

namespace cartwheel {
namespace {

constexpr int64_t kBusPortOffset = 10000;

bool IsPort(int64_t number) { return number > 0 && number <= 65535; }

void ClusterInfo(Call& call) {
  const Node& node = *call.server().node;
  const ClusterState& state = node.state();
  const bool ready = node.ready();
  const uint32_t slots = ready ? kSlotCount : 0;
  const size_t size = ready ? FirstReplicaRuns(node.ring()).size() : 0;
  call.Reply().Verbatim(
      "txt",
      fmt::format("cluster_state:{}\r\n"
                  "cluster_slots_assigned:{}\r\n"
                  "cluster_slots_ok:{}\r\n"
                  "cluster_slots_pfail:0\r\n"
                  "cluster_slots_fail:0\r\n"
                  "cluster_known_nodes:{}\r\n"
                  "cluster_size:{}\r\n"
                  "cluster_current_epoch:{}\r\n"
                  "cluster_my_epoch:{}\r\n"
                  "cluster_stats_messages_sent:{}\r\n"
                  "cluster_stats_messages_received:{}\r\n"
                  "total_cluster_links_buffer_limit_exceeded:0\r\n",
                  ready ? "ok" : "fail", slots, slots, state.members.size(), size, state.epoch,
                  state.epoch, call.server().bus.frames_out, call.server().bus.frames_in));
}

void ClusterMyId(Call& call) { call.Reply().Bulk(FormatNodeId(call.server().node->id())); }

// One line a member, the same from every node but for "myself".
void ClusterNodes(Call& call) {
  if (!RingKnown(call)) return;
  call.session().asked_for_map = true;
  const Node& node = *call.server().node;
  const auto runs = FirstReplicaRuns(node.ring());
  std::string text;
  auto out = std::back_inserter(text);
  for (const Member& member : node.state().members) {
    fmt::format_to(out, "{} {}:{}@{} {}master - 0 0 {} connected", FormatNodeId(member.id),
                   member.host, member.port, member.bus_port,
                   member.id == node.id() ? "myself," : "", node.state().epoch);
    const auto found = runs.find(member.id);
    if (found != runs.end()) {
      for (const SlotRun& run : found->second) {
        fmt::format_to(out, " {}", run.first);
        if (run.last != run.first) fmt::format_to(out, "-{}", run.last);
      }
    }
    text += '\n';
  }
  call.Reply().Verbatim("txt", text);
}

// Here, unlike in NODES and SHARDS, a node that is down from here does not head a list: a client
// that follows the map then goes to a live one.
void ClusterSlots(Call& call) {
  if (!RingKnown(call)) return;
  call.session().asked_for_map = true;
  const Node& node = *call.server().node;
  const auto runs = ReplicaRuns(node.ring(), [&node](NodeId id) { return node.IsAlive(id); });
  ReplyWriter reply = call.Reply();
  reply.Array(runs.size());
  for (const SlotRun& run : runs) {
    reply.Array(2 + run.nodes.size());
    reply.Integer(run.first);
    reply.Integer(run.last);
    for (const NodeId id : run.nodes) {
      const Member* member = node.state().Find(id);
      reply.Array(4);
      reply.Bulk(member != nullptr ? std::string_view(member->host) : "");
      reply.Integer(member != nullptr ? member->port : 0);
      reply.Bulk(FormatNodeId(id));
      reply.Map(0);
    }
  }
}

void WriteShard(ReplyWriter* reply, const Member& member, const std::vector<SlotRun>& runs) {
  reply->Map(2);
  reply->Bulk("slots");
  reply->Array(2 * runs.size());
  for (const SlotRun& run : runs) {
    reply->Integer(run.first);
    reply->Integer(run.last);
  }
  reply->Bulk("nodes");
  reply->Array(1);
  reply->Map(7);
  reply->Bulk("id");
  reply->Bulk(FormatNodeId(member.id));
  reply->Bulk("port");
  reply->Integer(member.port);
  reply->Bulk("ip");
  reply->Bulk(member.host);
  reply->Bulk("endpoint");
  reply->Bulk(member.host);
  reply->Bulk("role");
  reply->Bulk("master");
  reply->Bulk("replication-offset");
  reply->Integer(0);
  reply->Bulk("health");
  reply->Bulk("online");
}

// A shard is a node and the slots it is first for. Its copies are spread over all other nodes, and
// a node is in one shard only, so none is listed as a replica.
void ClusterShards(Call& call) {
  if (!RingKnown(call)) return;
  call.session().asked_for_map = true;
  const Node& node = *call.server().node;
  const auto runs = FirstReplicaRuns(node.ring());
  ReplyWriter reply = call.Reply();
  reply.Array(node.state().members.size());
  for (const Member& member : node.state().members) {
    const auto found = runs.find(member.id);
    WriteShard(&reply, member, found != runs.end() ? found->second : std::vector<SlotRun>{});
  }
}

// REPLICAS and SLAVES of a node: every node is a master of its slots, nobody is a replica of one.
void ClusterReplicas(Call& call) {
  if (!RingKnown(call)) return;
  const NodeId id = ParseNodeId(call.arg(2));
  if (id == 0 || call.server().node->state().Find(id) == nullptr) {
    return call.Error("ERR Unknown node " + std::string(call.arg(2).substr(0, 128)));
  }
  call.Reply().Array(0);
}

void ClusterKeySlot(Call& call) {
  if (!RingKnown(call)) return;
  call.Reply().Integer(HashSlot(call.arg(2), call.server().node->state().settings.partitioner));
}

// Of the copies that this node holds.
void ClusterCountKeysInSlot(Call& call) {
  const auto slot = ParseInteger(call.arg(2));
  if (!slot) return call.Error("ERR value is not an integer or out of range");
  if (*slot < 0 || *slot >= kSlotCount) return call.Error("ERR Invalid slot");
  call.Reply().Integer(static_cast<int64_t>(
      call.server().engine->ValueCount(call.db(), static_cast<uint16_t>(*slot))));
}

void ClusterGetKeysInSlot(Call& call) {
  const auto slot = ParseInteger(call.arg(2));
  const auto count = ParseInteger(call.arg(3));
  if (!slot || !count) return call.Error("ERR value is not an integer or out of range");
  if (*slot < 0 || *slot >= kSlotCount || *count < 0) {
    return call.Error("ERR Invalid slot or number of keys");
  }
  const auto number = static_cast<uint16_t>(*slot);
  std::vector<std::string> keys;
  const auto visit = [&](const Position&, std::string_view image) {
    const auto record = ReadIntact(image);
    if (record && record->has_value && record->db == call.db()) keys.emplace_back(record->key);
    return keys.size() < static_cast<uint64_t>(*count);
  };
  if (*count > 0) {
    const auto scanned = call.server().engine->Scan(
        Position{number, 0, 0}, Position{number, UINT64_MAX, UINT64_MAX}, visit);
    if (!scanned) return call.Error("ERR " + scanned.error().message);
  }
  ReplyWriter reply = call.Reply();
  reply.Array(keys.size());
  for (const std::string& key : keys) reply.Bulk(key);
}

void ClusterLinks(Call& call) {
  const std::vector<LinkInfo> links =
      call.server().list_links ? call.server().list_links() : std::vector<LinkInfo>{};
  ReplyWriter reply = call.Reply();
  reply.Array(links.size());
  for (const LinkInfo& link : links) {
    reply.Map(6);
    reply.Bulk("direction");
    reply.Bulk(link.outgoing ? "to" : "from");
    reply.Bulk("node");
    reply.Bulk(FormatNodeId(link.peer));
    reply.Bulk("create-time");
    reply.Integer(link.created_wall_ms);
    reply.Bulk("events");
    reply.Bulk(link.send_buffer_bytes > 0 ? "rw" : "r");
    reply.Bulk("send-buffer-allocated");
    reply.Integer(static_cast<int64_t>(link.send_buffer_bytes));
    reply.Bulk("send-buffer-used");
    reply.Integer(static_cast<int64_t>(link.send_buffer_bytes));
  }
}

// MEET host port [bus-port]: the port is the one for clients.
void ClusterMeet(Call& call) {
  if (call.arg_count() > 5) return call.Error("ERR syntax error");
  const auto port = ParseInteger(call.arg(3));
  if (!port) {
    return call.Error("ERR Invalid TCP base port specified: " + std::string(Shown(call.arg(3))));
  }
  // Where the port is none the bus has none either.
  int64_t bus_port = IsPort(*port) ? *port + kBusPortOffset : 0;
  if (call.arg_count() == 5) {
    const auto given = ParseInteger(call.arg(4));
    if (!given) {
      return call.Error("ERR Invalid TCP bus port specified: " + std::string(Shown(call.arg(4))));
    }
    bus_port = *given;
  }
  if (!IsPort(*port) || !IsPort(bus_port) || call.arg(2).empty()) {
    return call.Error(
        fmt::format("ERR Invalid node address specified: {}:{}", Shown(call.arg(2)), *port));
  }
  call.Start(JoinOperation{Address{call.CopyOf(2), static_cast<uint16_t>(bus_port)}}, ReplyDone);
}

// FORGET node-id: for the whole ring, and for good.
void ClusterForget(Call& call) {
  if (!RingKnown(call)) return;
  const Node& node = *call.server().node;
  const NodeId id = ParseNodeId(call.arg(2));
  if (id == 0 || node.state().Find(id) == nullptr) {
    return call.Error("ERR Unknown node " + std::string(Shown(call.arg(2))));
  }
  if (id == node.id()) return call.Error("ERR I tried hard but I can't forget myself...");
  call.Start(RemoveOperation{{id}, false}, ReplyDecided);
}

constexpr CommandRow kClusterTable[] = {
    {"cluster|countkeysinslot", 3, kStale, kNoKeys, ClusterCountKeysInSlot, "3.0.0",
     "How many keys of a slot this node holds.", "COUNTKEYSINSLOT <slot>",
     "of the copies that this node holds"},
    {"cluster|forget", 3, kAdmin | kNoAsyncLoading | kStale, kNoKeys, ClusterForget, "3.0.0",
     "Takes a node that will not come back out of the ring.", "FORGET <node-id>",
     "for the whole ring and for good, as DYN.REMOVE: decided by a majority; a node that somebody "
     "still hears is not forgotten"},
    {"cluster|getkeysinslot", 4, kStale, kNoKeys, ClusterGetKeysInSlot, "3.0.0",
     "Keys of a slot that this node holds.", "GETKEYSINSLOT <slot> <count>",
     "of the copies that this node holds"},
    {"cluster|info", 2, kStale, kNoKeys, ClusterInfo, "3.0.0", "The cluster in a few numbers.",
     "INFO", "no node is marked as failed: that is each node's own opinion"},
    {"cluster|keyslot", 3, kStale, kNoKeys, ClusterKeySlot, "3.0.0", "The slot of a key.",
     "KEYSLOT <key>"},
    {"cluster|links", 2, kStale, kNoKeys, ClusterLinks, "7.0.0",
     "This node's connections to its peers.", "LINKS"},
    {"cluster|meet", -4, kAdmin | kNoAsyncLoading | kStale, kNoKeys, ClusterMeet, "3.0.0",
     "Joins this node, whose ring is empty, to that node's ring.",
     "MEET <host> <port> [<bus-port>]",
     "joins this node, whose ring must be empty, to that node's ring; takes host names, too"},
    {"cluster|myid", 2, kStale, kNoKeys, ClusterMyId, "3.0.0", "The id of this node.", "MYID"},
    {"cluster|nodes", 2, kStale, kNoKeys, ClusterNodes, "3.0.0",
     "A line for each node, with the slots it is first for.", "NODES",
     "every node is a master of the slots it is first for"},
    {"cluster|replicas", 3, kAdmin | kStale, kNoKeys, ClusterReplicas, "5.0.0",
     "Nothing: no node is a replica of another.", "REPLICAS <node-id>",
     "always empty: every node is a master"},
    {"cluster|shards", 2, kStale, kNoKeys, ClusterShards, "7.0.0",
     "Each node with the slots it is first for.", "SHARDS",
     "every node is a shard of its own, of the slots it is first for"},
    {"cluster|slaves", 3, kAdmin | kStale, kNoKeys, ClusterReplicas, "3.0.0",
     "REPLICAS by its old name.", "SLAVES <node-id>", "always empty: every node is a master"},
    {"cluster|slots", 2, kStale, kNoKeys, ClusterSlots, "3.0.0",
     "Runs of slots, each with the nodes that hold it.", "SLOTS",
     "lists the nodes that hold a slot in the order in which they are asked, those that are down "
     "last"},
};

// Cluster clients send these; every node serves reads and writes of every key.
void ReadonlyCommand(Call& call) {
  call.session().readonly = true;
  call.Reply().Ok();
}

void ReadwriteCommand(Call& call) {
  call.session().readonly = false;
  call.Reply().Ok();
}

void AskingCommand(Call& call) { call.Reply().Ok(); }

constexpr CommandRow kRows[] = {
    {"asking", 1, kFast, kNoKeys, AskingCommand, "3.0.0",
     "Accepted for cluster clients; any node serves any key."},
    {"cluster", -2, 0, kNoKeys, nullptr, "3.0.0", "Shows the ring in the terms of Redis Cluster.",
     "", "", kClusterTable},
    {"readonly", 1, kFast | kAnytime, kNoKeys, ReadonlyCommand, "3.0.0",
     "Accepted for cluster clients; any node serves reads."},
    {"readwrite", 1, kFast | kAnytime, kNoKeys, ReadwriteCommand, "3.0.0", "Takes READONLY back.",
     "", kAnyNode},
};

}  // namespace

CommandFamily ClusterCommands() { return {"cluster", kRows}; }

}  // namespace cartwheel
