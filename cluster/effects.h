// Effects: what one or more Steps of a Node ask of the world. The driver (server/, the simulator)
// carries them out in this order:
//   1. `control`, when set, is made durable (written, fsynced, renamed into place);
//   2. every send and answer leaves once the engine's stored sequence (its synced one where
//   `synced`
//      says so) has reached its `after`; 0 leaves at the end of the turn. Sends to one peer with
//      equal needs keep their order. What waits for the disk has it synced soon.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/client_op.h"
#include "cluster/types.h"
#include "storage/engine.h"

namespace cartwheel {

struct Send {
  NodeId to = 0;
  uint64_t after = 0;
  bool response = false;  // goes back on the connection its request came from; else on our own link
  bool synced = false;    // `after` must be on the disk, whatever the fsync policy
  size_t begin = 0;       // its frame, an encoded message, in Outbox::frames
  size_t bytes = 0;
};

inline bool MayLeave(uint64_t after, bool synced, const Sequences& reached) {
  return after <= (synced ? reached.synced : reached.stored);
}

// What is to be sent, and the bytes of it all in one buffer.
struct Outbox {
  std::vector<Send> sends;
  std::string frames;

  void Add(NodeId to, bool response, uint64_t after, std::string_view frame);
  std::string_view FrameOf(const Send& send) const {
    return std::string_view(frames).substr(send.begin, send.bytes);
  }
  // Keeps its room, within reason.
  void Clear();
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

// A message that a peer's client has published: for the subscribers at this node.
struct Published {
  bool sharded = false;
  std::string channel;
  std::string message;
};

struct Effects {
  std::optional<std::string> control;  // the node's whole control image, replacing the last one
  Outbox outbox;
  std::vector<SendToAddress> sends_to_address;
  std::vector<Answer> answers;
  std::vector<LogLine> log;
  std::vector<Published> published;
  std::vector<Key> expired;         // of which this node holds a copy: their last value was emptied
  bool ring_changed = false;        // Node::state() is another one now
  std::optional<std::string> stop;  // this node must exit 1, and why (it was removed)
  bool departed = false;            // it has left the ring as it was told to: it must exit 0

  void Clear();
};

}  // namespace cartwheel
