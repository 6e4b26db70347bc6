// Session: what a client's connection remembers between commands, and what CLIENT INFO shows of it.
// Plain data; the loop's thread only. The connection itself is server/client.h.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "cluster/types.h"
#include "protocol/reply_writer.h"
#include "server/transaction.h"

namespace cartwheel {

struct Session {
  uint64_t id = 0;  // CLIENT ID, never reused
  uint32_t db = 0;
  Resp resp = Resp::k2;
  bool authenticated = true;   // false until AUTH when a password is set
  bool readonly = false;       // READONLY was given; it changes nothing here
  bool asked_for_map = false;  // CLUSTER SLOTS, SHARDS or NODES: it can follow MOVED
  bool no_evict = false;
  bool no_touch = false;
  bool local = false;  // of a loopback address or a Unix socket
  // The connection closes once all replies so far are written (QUIT).
  bool close_after_reply = false;
  // CLIENT REPLY: no command's reply is sent; the next one's is not.
  bool reply_off = false;
  bool skip_next_reply = false;
  bool monitor = false;
  bool unix_socket = false;
  // WAIT: it waits, and how CLIENT UNBLOCK ended that.
  bool blocked = false;
  enum class Unblocked : uint8_t { kNo, kTimeout, kError } unblocked = Unblocked::kNo;
  // Quorum sizes of DYN.QUORUM; 0: the cluster's default.
  uint8_t r = 0;
  uint8_t w = 0;

  Transaction transaction;
  // By Subscription: channels, patterns, sharded channels (kept by server/pubsub.h).
  std::set<std::string, std::less<>> subscriptions[3];
  size_t Subscriptions() const {
    return subscriptions[0].size() + subscriptions[1].size() + subscriptions[2].size();
  }
  // The key of its last write, for WAIT.
  std::optional<Key> last_written;

  std::string name;
  std::string library_name;  // CLIENT SETINFO
  std::string library_version;

  // For CLIENT INFO and LIST.
  std::string address;        // of the client, "127.0.0.1:50000"; a path for a Unix socket
  std::string local_address;  // the one it connected to
  int fd = -1;
  int64_t connected_at_us = 0;       // mono
  int64_t last_command_at_us = 0;    // mono
  std::string_view last_command;     // a name of the command table
  size_t input_bytes = 0;            // read and not yet consumed
  size_t input_allocated_bytes = 0;  // what the input buffer holds in memory
  size_t output_bytes = 0;           // not yet written
  size_t kept_bytes = 0;             // besides: given to the socket, which has not taken them yet
};

}  // namespace cartwheel
