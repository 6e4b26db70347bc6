#include "server/command_docs.h"

#include <algorithm>

#include "base/check.h"

namespace cartwheel {
namespace {

// In alphabetical order, as the command table.
constexpr CommandDoc kDocs[] = {
    {"append", "string", "2.0.0", "Adds bytes to the end of a value."},
    {"asking", "cluster", "3.0.0", "Accepted for cluster clients; any node serves any key."},
    {"auth", "connection", "1.0.0", "Authenticates the connection."},
    {"client", "connection", "2.4.0", "Names, describes and lists connections."},
    {"cluster", "cluster", "3.0.0", "Shows the ring in the terms of Redis Cluster."},
    {"command", "server", "2.8.13", "Describes the commands of this server."},
    {"config", "server", "2.0.0", "Reads and changes options."},
    {"dbsize", "server", "1.0.0", "Counts the keys of the whole ring."},
    {"decr", "string", "1.0.0", "Takes one from an integer."},
    {"decrby", "string", "1.0.0", "Takes a number from an integer."},
    {"del", "generic", "1.0.0", "Deletes keys."},
    {"dyn.del", "dynamo", "7.0.0", "Deletes the versions that a context covers."},
    {"dyn.explain", "dynamo", "7.0.0", "Shows where a key lives and what each replica holds."},
    {"dyn.get", "dynamo", "7.0.0", "Reads every version of a key, and their context."},
    {"dyn.history", "dynamo", "7.0.0", "Lists the last changes of the cluster."},
    {"dyn.join", "dynamo", "7.0.0", "Joins this node to the ring of a peer."},
    {"dyn.nodes", "dynamo", "7.0.0", "Lists the members of the ring."},
    {"dyn.preflist", "dynamo", "7.0.0", "Lists the nodes that hold a key, in order."},
    {"dyn.put", "dynamo", "7.0.0", "Writes a version that replaces those a context covers."},
    {"dyn.quorum", "dynamo", "7.0.0", "Sets R and W of this connection."},
    {"dyn.repair", "dynamo", "7.0.0", "Compares this node with its live peers and repairs."},
    {"dyn.ring", "dynamo", "7.0.0", "Lists runs of slots with their preference lists."},
    {"dyn.siblings", "dynamo", "7.0.0", "Describes every version of a key."},
    {"dyn.status", "dynamo", "7.0.0", "Counters of the Dynamo inside."},
    {"echo", "connection", "1.0.0", "Answers with its argument."},
    {"exists", "generic", "1.0.0", "Counts which of the keys have a value."},
    {"expire", "generic", "1.0.0", "Lets a key expire after seconds."},
    {"expireat", "generic", "1.2.0", "Lets a key expire at a second since 1970."},
    {"flushall", "server", "1.0.0", "Empties all databases, also on nodes that are away."},
    {"flushdb", "server", "1.0.0", "Empties one database, also on nodes that are away."},
    {"get", "string", "1.0.0", "Reads the newest version of a key."},
    {"getdel", "string", "6.2.0", "Reads a value and deletes it."},
    {"getex", "string", "6.2.0", "Reads a value and sets when it expires."},
    {"getset", "string", "1.0.0", "Writes a value and answers with the old one."},
    {"hello", "connection", "6.0.0", "Greets the server and chooses the protocol version."},
    {"incr", "string", "1.0.0", "Adds one to an integer."},
    {"incrby", "string", "1.0.0", "Adds a number to an integer."},
    {"info", "server", "1.0.0", "Facts and counters of this node."},
    {"keys", "generic", "1.0.0", "Lists the keys that match a pattern."},
    {"mget", "string", "1.0.0", "Reads several keys."},
    {"mset", "string", "1.0.1", "Writes several keys, each for itself."},
    {"persist", "generic", "2.2.0", "Lets a key live on for good."},
    {"pexpire", "generic", "2.6.0", "Lets a key expire after milliseconds."},
    {"pexpireat", "generic", "2.6.0", "Lets a key expire at a millisecond since 1970."},
    {"ping", "connection", "1.0.0", "Answers PONG."},
    {"psetex", "string", "2.6.0", "Writes a value that expires after milliseconds."},
    {"pttl", "generic", "2.6.0", "Milliseconds until a key expires."},
    {"quit", "connection", "1.0.0", "Closes the connection."},
    {"readonly", "cluster", "3.0.0", "Accepted for cluster clients; any node serves reads."},
    {"readwrite", "cluster", "3.0.0", "Takes READONLY back."},
    {"reset", "connection", "6.2.0", "Puts the connection back to how it began."},
    {"scan", "generic", "2.8.0", "Lists the keys of the whole ring page by page."},
    {"select", "connection", "1.0.0", "Chooses the database."},
    {"set", "string", "1.0.0", "Writes a value over every version."},
    {"setex", "string", "2.0.0", "Writes a value that expires after seconds."},
    {"setnx", "string", "1.0.0", "Writes a value where none is."},
    {"shutdown", "server", "1.0.0", "Ends this node cleanly."},
    {"strlen", "string", "2.2.0", "The length of a value."},
    {"time", "server", "2.6.0", "This node's clock."},
    {"ttl", "generic", "1.0.0", "Seconds until a key expires."},
    {"type", "generic", "1.0.0", "The type of a value."},
    {"unlink", "generic", "4.0.0", "Deletes keys."},
};

}  // namespace

const CommandDoc& DocOf(std::string_view name) {
  const auto* doc = std::lower_bound(
      std::begin(kDocs), std::end(kDocs), name,
      [](const CommandDoc& a, std::string_view wanted) { return a.name < wanted; });
  CHECK(doc != std::end(kDocs) && doc->name == name);
  return *doc;
}

}  // namespace cartwheel
