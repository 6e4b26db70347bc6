// Keyspace events: what changes through this node, published to this node's subscribers on
// __keyspace@<db>__:<key> and __keyevent@<db>__:<event>, as notify-keyspace-events asks
// (https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/). "expired" comes from every
// node that holds a copy, when its sweep empties it.
#pragma once

#include <cstdint>
#include <string_view>

#include "cluster/client_op.h"
#include "server/command_table.h"

namespace cartwheel {

struct Server;

using Operation = decltype(ClientOp::operation);

// What an operation in flight will be told as, if it changes something.
struct KeyspaceEvent {
  Key key;
  std::string_view name;     // empty: nothing
  uint32_t event_class = 0;  // of server/notifications.h
  bool expires = false;      // an "expire" follows
};

// Of an operation that the command starts now.
KeyspaceEvent EventOf(const Server& server, const Command& command, const Operation& operation);
// It was answered: publishes the event if it has come true.
void NoteAnswer(Server* server, const KeyspaceEvent& event, const Answer& answer);
void NoteExpired(Server* server, const Key& key);

// Whether there is anybody to tell at all.
bool KeyspaceEventsWanted(const Server& server);

}  // namespace cartwheel
