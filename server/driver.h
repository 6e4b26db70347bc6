// Driver: the process around a Node. It owns the loop, the engine, the sockets and the data
// directory, and carries out what the core asks (cluster/effects.h). A turn of the loop: read all
// sockets that are ready, step all inputs, hand the engine one batch, then write each peer's link
// once and each client once.
#pragma once

#include <uv.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/node.h"
#include "server/bus.h"
#include "server/clients.h"
#include "server/data_directory.h"
#include "server/fault_log.h"
#include "server/listener.h"
#include "server/options.h"
#include "server/server.h"
#include "storage/engine.h"
#include "storage/memory/memory_engine.h"

namespace cartwheel {

class Driver {
 public:
  // Binds, then opens the directory and the engine, then starts the node. The error is one line
  // for the user; until the ports are bound nothing is made on disk.
  static Result<std::unique_ptr<Driver>> Open(CommandLine command_line);
  ~Driver();

  // Serves until a signal, SHUTDOWN or the core ends it; the process's exit status.
  int Run();

 private:
  explicit Driver(CommandLine command_line);

  struct WaitingSend {
    NodeId to;
    bool response;
    bool synced;
    uint64_t after;
    std::string frame;
  };

  struct WaitingSync {
    uint64_t id;  // of the operation that is answered
    uint64_t sequence;
  };

  // --- start (driver_start.cc) ---
  Result<void> Bind();
  Result<void> OpenEngine();
  Result<void> StartNode();
  void Listen();
  void StartHandles();
  void ConnectServer();
  Result<void> OpenDurable();
  NodeOptions MakeNodeOptions() const;
  Hello MakeHello() const;
  Result<void> ChangeOptions(Options changed, std::string_view* name);

  // --- the turn ---
  void RefreshTime();
  template <typename Input>
  void Step(const Input& input) {
    node_->Step(server_.now, input, &effects_);
  }
  void Deliver();
  bool HasWork() const;
  void EndTurn();
  void NoteQueueAge(int64_t polled_at_us);
  void CarryOut();
  void ReleaseSends(const Sequences& reached);
  void ReleaseSyncs(const Sequences& reached);
  void ArmTimer();
  void Sweep();

  // --- the end ---
  void BeginStop(int exit_status, std::string_view why);
  void GoOnStopping();
  Result<void> CloseEngine();
  void CloseConnections();
  void CloseLoop();
  void OnSignal(int number);
  [[noreturn]] void Fatal(const Status& status);

  CommandLine command_line_;
  Server server_;
  uv_loop_t loop_{};
  uv_prepare_t prepare_{};
  uv_check_t check_{};
  uv_timer_t deadline_timer_{};
  uv_timer_t sweep_timer_{};
  uv_idle_t no_sleep_{};  // active while clients would go on at once
  uv_async_t engine_woke_{};
  uv_signal_t signals_[3]{};

  std::vector<int> client_descriptors_;
  std::vector<int> bus_descriptors_;
  int unix_descriptor_ = -1;
  bool unix_bound_ = false;  // its file is ours to remove
  std::optional<DataDirectory> directory_;
  std::unique_ptr<StorageEngine> engine_;
  MemoryEngine* memory_engine_ = nullptr;  // the same, where it is one
  std::string may_have_lost_;  // why acknowledged writes may be missing, empty: none are
  std::unique_ptr<Node> node_;
  std::unique_ptr<Bus> bus_;
  std::unique_ptr<Clients> clients_;
  std::vector<std::unique_ptr<Listener>> listeners_;

  Effects effects_;
  // Being carried out, which may lead to more: a link that breaks is an input.
  std::vector<Answer> answers_;
  Outbox outbox_;
  std::vector<SendToAddress> sends_to_address_;
  std::vector<WaitingSend> waiting_sends_;  // for the engine, in order
  size_t waiting_bytes_ = 0;
  std::vector<WaitingSync> waiting_syncs_;
  int64_t armed_for_us_ = INT64_MAX;
  int64_t swept_at_us_ = 0;
  bool full_ = false;  // as the engine said last
  FaultLog fault_log_;
  bool stopping_ = false;
  bool stopped_ = false;
  int64_t stop_deadline_us_ = 0;
  int exit_status_ = 0;
};

}  // namespace cartwheel
