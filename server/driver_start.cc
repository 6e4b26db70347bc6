// The start of the process's parts, in the order that leaves nothing behind when one fails.
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <utility>

#include "base/check.h"
#include "server/driver.h"
#include "server/file_limit.h"
#include "server/log.h"
#include "server/version.h"
#include "storage/lmdb/lmdb_engine.h"

namespace cartwheel {
namespace {

constexpr uint64_t kSweepMs = 250;
constexpr int kSignals[] = {SIGTERM, SIGINT, SIGHUP};

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<uint8_t>(byte));
  return text;
}

// The first address of this machine that others could dial.
std::string OwnAddress() {
  uv_interface_address_t* interfaces = nullptr;
  int count = 0;
  if (uv_interface_addresses(&interfaces, &count) != 0) return "127.0.0.1";
  std::string found = "127.0.0.1";
  for (int i = 0; i < count; ++i) {
    if (interfaces[i].is_internal || interfaces[i].address.address4.sin_family != AF_INET) continue;
    char text[64] = "";
    uv_ip4_name(&interfaces[i].address.address4, text, sizeof(text));
    found = text;
    break;
  }
  uv_free_interface_addresses(interfaces, count);
  return found;
}

}  // namespace

Driver::Driver(CommandLine command_line) : command_line_(std::move(command_line)) {
  server_.options = command_line_.options;
  server_.config_file = command_line_.config_file;
  server_.run_id = Hex(RandomBytes(20));
  server_.random = Random(RandomNumber());
  CHECK(uv_loop_init(&loop_) == 0);
  CHECK(uv_async_init(&loop_, &engine_woke_, [](uv_async_t*) {}) == 0);
  RefreshTime();
  server_.started = server_.now;
}

Driver::~Driver() {
  node_.reset();
  engine_.reset();  // its threads end before the loop that they wake
  for (const int fd : client_descriptors_) close(fd);
  for (const int fd : bus_descriptors_) close(fd);
  if (unix_descriptor_ >= 0) close(unix_descriptor_);
  if (unix_bound_) unlink(server_.options.unixsocket.c_str());
  CloseLoop();
}

Result<std::unique_ptr<Driver>> Driver::Open(CommandLine command_line) {
  std::unique_ptr<Driver> driver(new Driver(std::move(command_line)));
  using Part = Result<void> (Driver::*)();
  for (const Part part : {&Driver::Bind, &Driver::OpenEngine, &Driver::StartNode}) {
    Result<void> done = (driver.get()->*part)();
    if (!done) return tl::unexpected(std::move(done.error()));
  }
  driver->Listen();
  driver->StartHandles();
  return driver;
}

Result<void> Driver::Bind() {
  Options& options = server_.options;
  Result<std::vector<int>> clients = BindAll(options.bind, options.port, "port");
  if (!clients) return tl::unexpected(std::move(clients.error()));
  client_descriptors_ = std::move(*clients);
  Result<std::vector<int>> bus = BindAll(options.bind, options.bus_port, "bus-port");
  if (!bus) return tl::unexpected(std::move(bus.error()));
  bus_descriptors_ = std::move(*bus);
  if (!options.unixsocket.empty()) {
    const Result<int> bound = BindPath(options.unixsocket);
    if (!bound) return tl::unexpected(bound.error());
    unix_descriptor_ = *bound;
    unix_bound_ = true;
  }

  Result<void> log = OpenLog(options.logfile, options.loglevel);
  if (!log) return log;
  const uint32_t served = RaiseFileLimit(options.maxclients);
  if (served < options.maxclients) {
    LogEvent(LogLevel::kWarning, "maxclients lowered from {} to {}: the limit of open files",
             options.maxclients, served);
    options.maxclients = served;
  }
  if (options.announce_host.empty()) options.announce_host = OwnAddress();
  return {};
}

Result<void> Driver::OpenEngine() {
  const Options& options = server_.options;
  Result<DataDirectory> directory = DataDirectory::Open(options.dir);
  if (!directory) return tl::unexpected(std::move(directory.error()));
  directory_.emplace(std::move(*directory));

  if (options.engine == EngineKind::kMemory) {
    auto engine = std::make_unique<MemoryEngine>(MemoryOptions{options.maxmemory_bytes});
    memory_engine_ = engine.get();
    engine_ = std::move(engine);
    if (!directory_->control().empty()) may_have_lost_ = "the memory engine keeps nothing";
  } else if (auto opened = OpenDurable(); !opened) {
    return opened;
  }
  if (may_have_lost_.empty()) return {};
  LogEvent(LogLevel::kNotice, "acknowledged writes may be missing here: {}", may_have_lost_);
  return {};
}

Result<void> Driver::OpenDurable() {
  const Options& options = server_.options;
  LmdbOptions lmdb;
  lmdb.dir = options.dir + "/store";
  lmdb.fsync = options.fsync;
  lmdb.recover = options.recover;
  lmdb.wake = [this] {
    // libuv 1.44 may miss what was written before a send that it merges with an earlier one.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    uv_async_send(&engine_woke_);
  };
  Result<std::unique_ptr<LmdbEngine>> engine = LmdbEngine::Open(std::move(lmdb));
  if (!engine) return tl::unexpected(std::move(engine.error()));
  const ReplayReport& replay = (*engine)->replay();
  if (replay.replayed > 0) {
    LogEvent(LogLevel::kNotice, "replayed {} writes from the log", replay.replayed);
  }
  if (!replay.cut.empty()) {
    LogEvent(LogLevel::kNotice, "the log ends in an unsynced tail, cut off at {}", replay.cut);
  }
  for (const std::string& place : replay.damaged) {
    LogEvent(LogLevel::kWarning, "recover: damaged log skipped, {}", place);
  }
  may_have_lost_ = (*engine)->may_have_lost();
  const bool is_known = !directory_->control().empty();
  if ((*engine)->made_new() && is_known) may_have_lost_ = "the store of this node is gone";
  if (!is_known && (*engine)->stats().records > 0) {
    return Error(
        ErrorCode::kCorrupt,
        fmt::format("option 'dir': bad value '{}': it has a store, but whose it is is gone "
                    "(the files node.0 and node.1)",
                    options.dir));
  }
  engine_ = std::move(*engine);
  return {};
}

NodeOptions Driver::MakeNodeOptions() const {
  const Options& options = server_.options;
  NodeOptions node;
  node.id = directory_->id();
  node.self.id = node.id;
  node.self.host = options.announce_host;
  node.self.port = options.announce_port;
  node.self.bus_port = options.announce_bus_port;
  node.self.zone = options.zone;
  node.self.weight_thousandths = options.weight_thousandths;
  node.seeds = options.seeds;
  node.bootstrap = options.bootstrap;
  node.replaces = options.replace;
  node.cluster_name = options.cluster_name;
  node.settings.n = options.n;
  node.settings.r = options.r;
  node.settings.w = options.w;
  node.settings.partitions = options.partitions;
  node.settings.placement = options.placement;
  node.settings.partitioner = options.partitioner;
  node.settings.tokens = options.tokens;
  node.partitions_given = options.Given("partitions");
  node.placement_given = options.Given("placement");
  node.partitioner_given = options.Given("partitioner");
  node.quorum_given = options.Given("n") || options.Given("r") || options.Given("w");
  node.replica_timeout_ms = options.replica_timeout_ms;
  node.hedge_delay_ms = options.hedge_delay_ms;
  node.gossip_interval_ms = options.gossip_interval_ms;
  node.node_timeout_ms = options.node_timeout_ms;
  node.max_clock_skew_ms = options.max_clock_skew_s * 1000;
  node.siblings_warn = options.siblings_warn;
  node.siblings_max = options.siblings_max;
  node.object_max_bytes = options.object_max_bytes;
  node.hints_max_bytes = options.hints_max_bytes;
  node.hints_max_age_ms = options.hints_max_age_s * 1000;
  node.tombstone_min_age_ms = options.tombstone_min_age_s * 1000;
  node.transfer_rate_bytes = options.transfer_rate_bytes;
  node.repair_rate_bytes = options.repair_rate_bytes;
  node.max_value_bytes = options.proto_max_bulk_bytes;
  node.seed = RandomNumber();
  node.may_have_lost = !may_have_lost_.empty();
  return node;
}

Result<void> Driver::StartNode() {
  RefreshTime();
  Result<std::unique_ptr<Node>> node =
      Node::Start(MakeNodeOptions(), engine_.get(), directory_->control(), server_.now, &effects_);
  if (!node) return tl::unexpected(std::move(node.error()));
  node_ = std::move(*node);
  return {};
}

Hello Driver::MakeHello() const {
  Hello hello;
  hello.node = directory_->id();
  hello.ring_id = node_->state().ring_id;
  hello.started_at_ms = server_.started.wall_ms;
  hello.cluster_name = server_.options.cluster_name;
  return hello;
}

void Driver::ConnectServer() {
  server_.node = node_.get();
  server_.engine = engine_.get();
  server_.submit = [this](ClientOp&& operation) {
    node_->Step(server_.now, std::move(operation), &effects_);
  };
  server_.deliver = [this] { Deliver(); };
  server_.await_sync = [this](uint64_t id) {
    const uint64_t applied = engine_->sequences().applied;
    engine_->SyncSoon(applied);
    waiting_syncs_.push_back({id, applied});
  };
  server_.shut_down = [this] { BeginStop(0, "SHUTDOWN"); };
  server_.change_options = [this](Options changed, std::string_view* name) {
    return ChangeOptions(std::move(changed), name);
  };
}

void Driver::Listen() {
  ConnectServer();
  clients_ = std::make_unique<Clients>(&loop_, &server_);
  BusEvents events;
  events.hello = [this] { return MakeHello(); };
  events.opening = [this] { return node_->Opening(server_.now); };
  events.address_of = [this](NodeId id) -> std::optional<Address> {
    const Member* const member = node_->state().Find(id);
    if (member == nullptr) return std::nullopt;
    return Address{member->host, member->bus_port};
  };
  events.frame = [this](NodeId from, std::span<const std::string_view> fields) {
    Step(FrameReceived{from, fields});
  };
  events.link_up = [this](NodeId peer) { Step(LinkUp{peer}); };
  events.link_lost = [this](NodeId peer) { Step(LinkLost{peer}); };
  events.activity = [this] { RefreshTime(); };
  events.twin = [this](const Address& address) {
    effects_.stop =
        fmt::format("another process, at {}, is node {} already: was its directory copied?",
                    ToString(address), FormatNodeId(directory_->id()));
  };
  bus_ = std::make_unique<Bus>(&loop_, &server_, std::move(events));
  server_.list_links = [this] { return bus_->Links(); };
  server_.close_client = [this](uint64_t id) { return clients_->CloseNow(id); };

  const auto accept_client = [](uv_stream_t* listener, void* context) {
    static_cast<Clients*>(context)->Accept(listener, listener->type == UV_NAMED_PIPE);
  };
  const auto accept_peer = [](uv_stream_t* listener, void* context) {
    static_cast<Bus*>(context)->Accept(listener);
  };
  for (const int fd : std::exchange(client_descriptors_, {})) {
    listeners_.push_back(Listener::OnTcp(&loop_, fd, accept_client, clients_.get()));
  }
  for (const int fd : std::exchange(bus_descriptors_, {})) {
    listeners_.push_back(Listener::OnTcp(&loop_, fd, accept_peer, bus_.get()));
  }
  if (!unix_bound_) return;
  const int fd = std::exchange(unix_descriptor_, -1);
  listeners_.push_back(Listener::OnUnix(&loop_, fd, accept_client, clients_.get()));
}

void Driver::StartHandles() {
  signal(SIGPIPE, SIG_IGN);
  uv_prepare_init(&loop_, &prepare_);
  uv_check_init(&loop_, &check_);
  uv_idle_init(&loop_, &no_sleep_);
  uv_timer_init(&loop_, &deadline_timer_);
  uv_timer_init(&loop_, &sweep_timer_);
  prepare_.data = check_.data = deadline_timer_.data = sweep_timer_.data = this;
  // Timers run before the poll and what they asked for must not wait for its end.
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) {
    auto* self = static_cast<Driver*>(handle->data);
    const bool fired = self->armed_for_us_ == INT64_MAX;  // and is to be armed again
    if (fired || self->HasWork()) self->EndTurn();
  });
  uv_check_start(&check_, [](uv_check_t* handle) {
    auto* self = static_cast<Driver*>(handle->data);
    const int64_t polled_at_us = static_cast<int64_t>(uv_now(&self->loop_)) * 1000;
    self->EndTurn();
    self->NoteQueueAge(polled_at_us);
  });
  uv_timer_start(
      &sweep_timer_, [](uv_timer_t* timer) { static_cast<Driver*>(timer->data)->Sweep(); },
      kSweepMs, kSweepMs);
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    uv_signal_init(&loop_, &signals_[i]);
    signals_[i].data = this;
    uv_signal_start(
        &signals_[i],
        [](uv_signal_t* handle, int number) {
          static_cast<Driver*>(handle->data)->OnSignal(number);
        },
        kSignals[i]);
  }
  const Options& options = server_.options;
  LogEvent(LogLevel::kNotice, "Cartwheel {}, node {}, port {}, bus {}, data in {}", Version(),
           FormatNodeId(directory_->id()), options.port, options.bus_port, options.dir);
}

Result<void> Driver::ChangeOptions(Options changed, std::string_view* name) {
  if (changed.maxmemory_bytes != server_.options.maxmemory_bytes && memory_engine_ == nullptr) {
    *name = "maxmemory";
    return Error(ErrorCode::kInvalid, "it bounds the memory engine, and this node's is lmdb");
  }
  const uint32_t served = RaiseFileLimit(changed.maxclients);
  if (served < changed.maxclients) {
    *name = "maxclients";
    return Error(ErrorCode::kInvalid,
                 fmt::format("The operating system is not able to handle the specified number of "
                             "clients, try with {}",
                             served));
  }
  if (memory_engine_ != nullptr) memory_engine_->set_max_bytes(changed.maxmemory_bytes);
  server_.options = std::move(changed);
  node_->SetReplicaTimeout(server_.options.replica_timeout_ms);
  node_->SetHedgeDelay(server_.options.hedge_delay_ms);
  node_->SetMaxValueBytes(server_.options.proto_max_bulk_bytes);
  node_->SetTransferRate(server_.options.transfer_rate_bytes);
  node_->SetRepairRate(server_.options.repair_rate_bytes);
  SetLogLevel(server_.options.loglevel);
  return {};
}

}  // namespace cartwheel
