// Effects: what one or more Steps of a Node ask of the world. The driver (server/, the simulator)
// carries them out in this order:
//   1. `control`, when set, is made durable (written, fsynced, renamed into place);
//   2. every send and answer leaves once the engine's stored sequence has reached its `after`;
//      0 leaves at the end of the turn. Sends to one peer with equal needs keep their order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/client_op.h"
#include "cluster/types.h"

namespace cartwheel {

struct Send {
  NodeId to = 0;
  uint64_t after = 0;
  bool response = false;  // goes back on the connection its request came from; else on our own link
  std::string frame;      // an encoded message (cluster/messages.h)
};

// To a node whose id is not known yet: a seed, the argument of DYN.JOIN. Its answers arrive as
// frames from the id that its handshake named.
struct SendToAddress {
  Address to;
  std::string frame;
};

enum class LogLevel : uint8_t { kDebug, kVerbose, kNotice, kWarning };

struct LogLine {
  LogLevel level = LogLevel::kNotice;
  std::string text;
};

struct Effects {
  std::optional<std::string> control;  // the node's whole control image, replacing the last one
  std::vector<Send> sends;
  std::vector<SendToAddress> sends_to_address;
  std::vector<Answer> answers;
  std::vector<LogLine> log;
  bool ring_changed = false;        // Node::state() is another one now
  std::optional<std::string> stop;  // this node must exit 1, and why (it was removed)

  void Clear();
};

}  // namespace cartwheel
