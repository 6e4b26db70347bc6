// Server: what command handlers see of the process: the node, the engine, the options, the time,
// the connected clients and the counters. It holds no sockets; server/driver.h runs it. One per
// process, handed around by reference; the loop's thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "cluster/client_op.h"
#include "cluster/node.h"
#include "server/call_pool.h"
#include "server/command_stats.h"
#include "server/options.h"
#include "server/pubsub.h"
#include "server/queue_age.h"
#include "server/rates.h"
#include "server/session.h"
#include "server/timers.h"
#include "storage/engine.h"

namespace cartwheel {

class Pipeline;

// INFO's numbers; they only grow.
struct ServerCounters {
  uint64_t connections_received = 0;
  uint64_t connections_rejected = 0;
  uint64_t commands_processed = 0;
  uint64_t errors_replied = 0;  // unknown commands, wrong arity, failed operations
  uint64_t input_bytes = 0;
  uint64_t output_bytes = 0;
  uint64_t expired_keys = 0;  // of which this node held a copy
  uint64_t output_limit_closes = 0;
  uint64_t busy_refusals = 0;  // commands on data, while the node was overloaded
  uint64_t changes = 0;        // writes of this node's clients that changed something
  uint64_t keyspace_hits = 0;  // counted by the handlers of reads
  uint64_t keyspace_misses = 0;
};

// A connection on the bus, for CLUSTER LINKS.
struct LinkInfo {
  NodeId peer = 0;
  bool outgoing = true;
  int64_t created_wall_ms = 0;
  size_t send_buffer_bytes = 0;
};

// All of this node's connections on the bus together, for INFO.
struct LinkStats {
  uint64_t links = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t frames_in = 0;
  uint64_t frames_out = 0;
  uint64_t frames_dropped = 0;
  uint64_t links_lost = 0;  // that were up, and did not end with this node
};

// CLIENT PAUSE: commands that it names begin no earlier than its end.
struct Pause {
  int64_t until_us = 0;  // mono; 0: there is none
  bool writes_only = false;
  Timers::Id timer = 0;  // that ends it
  std::set<Pipeline*> waiting;
};

// What BGSAVE asked for, and when a save was done.
struct SaveProgress {
  bool running = false;
  uint64_t sequence = 0;  // which it waits for
  int64_t began_ms = 0;
  int64_t last_ms = 0;  // what was there at that time is on the disk; 0: none was asked for
};

struct Server {
  Options options;
  std::string config_file;
  Node* node = nullptr;             // set before the first client is served
  StorageEngine* engine = nullptr;  // likewise
  Now now;                          // of this loop turn
  Now started;
  std::string run_id;  // 40 hex digits, new at every start
  ServerCounters counters;
  CommandStats stats;
  Rates rates;
  LinkStats bus;
  SaveProgress save;
  Random random{0};  // for what is left to chance (RANDOMKEY)
  CallPool calls;
  QueueAge queue_age;
  std::map<uint64_t, Session*> sessions;  // by id
  PubSub pubsub;
  std::set<Pipeline*> monitors;
  Pause pause;
  Timers timers;

  // As in Redis a password that is taken away lets everybody in, and a new one those who were in.
  bool NeedsAuth(const Session& session) const {
    return !session.authenticated && !options.requirepass.empty();
  }

  // Hands an operation to the core. Its answer goes to CallPool::Deliver, at the earliest when
  // `deliver` is called.
  std::function<void(ClientOp&&)> submit;
  // Hands on the answers that the core has given meanwhile.
  std::function<void()> deliver;
  // Answers an operation of that id with Done when all that the engine has applied by now is on
  // this node's disk, whatever the fsync policy.
  std::function<void(uint64_t id)> await_sync;
  // Begins the clean end of the process: nothing new is accepted, what is in flight is finished.
  std::function<void()> shut_down;
  // Closes a client at once; false when there is none. Not the one that asks for it.
  std::function<bool(uint64_t id)> close_client;
  // What CONFIG SET does: makes changed options count from now on, all or none. The error is why,
  // without the name of an option, which goes to `name`.
  std::function<Result<void>(Options changed, std::string_view* name)> change_options;
  // The connections on the bus; unset while there is no bus.
  std::function<std::vector<LinkInfo>()> list_links;
};

}  // namespace cartwheel
