// OneNode: a ring of one as the commands of a client see it: a Server over a Node with the memory
// engine, without sockets and without a clock of its own. It carries out of the node's effects what
// a client can notice. FuzzClient: one connection to it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/node.h"
#include "server/pipeline.h"
#include "server/server.h"
#include "storage/memory/memory_engine.h"

namespace cartwheel {

class OneNode {
 public:
  // The longest argument and value: small, so that no input takes much memory.
  static constexpr uint64_t kMaxBulkBytes = 96 << 10;

  // `engine_max_bytes` as `maxmemory`, 0: no bound.
  explicit OneNode(uint64_t engine_max_bytes);
  OneNode(const OneNode&) = delete;

  Server* server() { return &server_; }
  // Hands on the answers that are there.
  void Deliver();
  // Lets the time pass until the node has something to do.
  void Wait();

 private:
  // What goes to the disk, to peers and to the log has no reader.
  void CarryOut();

  Server server_;
  MemoryEngine engine_;
  Effects effects_;
  std::unique_ptr<Node> node_;
};

class FuzzClient {
 public:
  FuzzClient(OneNode* node, Resp resp);
  ~FuzzClient();
  FuzzClient(const FuzzClient&) = delete;

  // Sends the bytes in reads of at most `read_bytes`, waits until nothing more is to be done, and
  // gives what came back meanwhile.
  std::string Send(std::string_view bytes, size_t read_bytes = SIZE_MAX);
  // The same without waiting for answers.
  void Push(std::string_view bytes, size_t read_bytes);
  bool closing() const { return pipeline_.closing(); }
  const Session& session() { return pipeline_.session(); }
  bool NeedsAuth() { return node_->server()->NeedsAuth(session()); }

 private:
  // Goes on with what it was woken for, and takes what may be written; false: nothing was to do.
  bool Turn();
  void Settle();

  OneNode* node_;
  bool woken_ = false;
  std::string received_;
  Pipeline pipeline_;
};

}  // namespace cartwheel
