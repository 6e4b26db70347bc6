#include "server/info.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <initializer_list>
#include <iterator>

#include "server/client_names.h"
#include "server/process_memory.h"
#include "server/status_list.h"
#include "server/text.h"
#include "server/version.h"

namespace cartwheel {
namespace {

constexpr int64_t kUsPerSecond = 1'000'000;

// Bytes a second as Redis's "kbps".
std::string KiB(uint64_t bytes) { return fmt::format("{:.2f}", static_cast<double>(bytes) / 1024); }

template <typename Value>
void Field(std::string* out, std::string_view name, const Value& value) {
  fmt::format_to(std::back_inserter(*out), "{}:{}\r\n", name, value);
}

void Bytes(std::string* out, std::string_view name, uint64_t bytes) {
  Field(out, name, bytes);
  Field(out, std::string(name) + "_human", HumanBytes(bytes));
}

// What stands for a feature that does not exist here, as a Redis shows it that does not use it.
void Resting(std::string* out, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) Field(out, name, 0);
}

std::string Percent(uint64_t part, uint64_t whole) {
  return fmt::format(
      "{:.2f}%", whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string Ratio(uint64_t part, uint64_t whole) {
  return fmt::format("{:.2f}",
                     whole == 0 ? 1 : static_cast<double>(part) / static_cast<double>(whole));
}

std::string Executable() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  return length > 0 ? std::string(path, static_cast<size_t>(length)) : "";
}

void ServerSection(const Server& server, std::string* out) {
  utsname system{};
  uname(&system);
  const int64_t uptime = (server.now.mono_us - server.started.mono_us) / kUsPerSecond;
  Field(out, "redis_version", kRedisVersion);
  Field(out, "cartwheel_version", Version());
  Field(out, "redis_git_sha1", "00000000");
  Field(out, "redis_git_dirty", 0);
  Field(out, "redis_build_id", "0");
  Field(out, "redis_mode", "cluster");
  Field(out, "os", fmt::format("{} {} {}", system.sysname, system.release, system.machine));
  Field(out, "arch_bits", 8 * sizeof(void*));
  Field(out, "monotonic_clock", "POSIX clock_gettime");
  Field(out, "multiplexing_api", "libuv");
  Field(out, "process_id", getpid());
  Field(out, "process_supervised", "no");
  Field(out, "run_id", server.run_id);
  Field(out, "tcp_port", server.options.port);
  Field(out, "server_time_usec", server.now.wall_ms * 1000);
  Field(out, "uptime_in_seconds", uptime);
  Field(out, "uptime_in_days", uptime / 86400);
  Field(out, "hz", 10);
  Field(out, "configured_hz", 10);
  Field(out, "executable", Executable());
  Field(out, "config_file", server.config_file);
  Field(out, "io_threads_active", 0);
}

void ClientsSection(const Server& server, std::string* out) {
  size_t largest_input = 0;
  size_t largest_output = 0;
  for (const auto& [id, session] : server.sessions) {
    largest_input = std::max(largest_input, session->input_allocated_bytes);
    largest_output = std::max(largest_output, session->output_bytes + session->kept_bytes);
  }
  // A client that CLIENT PAUSE holds up is one as well, as in Redis.
  size_t blocked = server.pause.waiting.size();
  for (const auto& [id, session] : server.sessions) blocked += session->blocked ? 1 : 0;
  Field(out, "connected_clients", server.sessions.size());
  Field(out, "cluster_connections", server.bus.links);
  Field(out, "maxclients", server.options.maxclients);
  Field(out, "client_recent_max_input_buffer", largest_input);
  Field(out, "client_recent_max_output_buffer", largest_output);
  Field(out, "blocked_clients", blocked);
  Field(out, "tracking_clients", 0);
  Field(out, "clients_in_timeout_table", 0);
}

void MemorySection(const Server& server, std::string* out) {
  const ProcessMemory memory = MeasureMemory();
  const uint64_t dataset = server.engine->stats().memory_bytes;
  const uint64_t peak = std::max(memory.peak_resident, memory.allocated);
  uint64_t clients = 0;
  for (const auto& [id, session] : server.sessions) {
    clients += session->input_allocated_bytes + session->output_bytes + session->kept_bytes;
  }
  Bytes(out, "used_memory", memory.allocated);
  Bytes(out, "used_memory_rss", memory.resident);
  Bytes(out, "used_memory_peak", peak);
  Field(out, "used_memory_peak_perc", Percent(memory.allocated, peak));
  Field(out, "used_memory_overhead", memory.allocated - std::min(dataset, memory.allocated));
  Field(out, "used_memory_dataset", dataset);
  Field(out, "used_memory_dataset_perc", Percent(dataset, memory.allocated));
  Field(out, "allocator_allocated", memory.allocated);
  Field(out, "allocator_active", memory.active);
  Field(out, "allocator_resident", memory.mapped_resident);
  Bytes(out, "total_system_memory", SystemMemoryBytes());
  Bytes(out, "maxmemory", server.options.maxmemory_bytes);
  Field(out, "maxmemory_policy", "noeviction");
  Field(out, "allocator_frag_ratio", Ratio(memory.active, memory.allocated));
  Field(out, "allocator_rss_ratio", Ratio(memory.mapped_resident, memory.active));
  Field(out, "rss_overhead_ratio", Ratio(memory.resident, memory.mapped_resident));
  Field(out, "mem_fragmentation_ratio", Ratio(memory.resident, memory.allocated));
  Field(out, "mem_clients_normal", clients);
  Field(out, "mem_allocator", AllocatorName());
  Resting(out, {"active_defrag_running", "lazyfree_pending_objects", "lazyfreed_objects"});
}

void PersistenceSection(const Server& server, std::string* out) {
  const EngineStats stats = server.engine->stats();
  const bool durable = server.options.engine == EngineKind::kLmdb;
  Field(out, "loading", server.node->ready() ? 0 : 1);
  Field(out, "async_loading", 0);
  // Of this run: no save is ever due.
  Field(out, "rdb_changes_since_last_save", server.counters.changes);
  Field(out, "rdb_bgsave_in_progress", 0);
  Field(out, "rdb_last_save_time", server.started.wall_ms / 1000);
  Field(out, "rdb_last_bgsave_status", "ok");
  Field(out, "rdb_last_bgsave_time_sec", -1);
  Field(out, "rdb_current_bgsave_time_sec", -1);
  Field(out, "aof_enabled", durable ? 1 : 0);
  Resting(out, {"aof_rewrite_in_progress", "aof_rewrite_scheduled"});
  Field(out, "aof_last_rewrite_time_sec", -1);
  Field(out, "aof_current_rewrite_time_sec", -1);
  Field(out, "aof_last_bgrewrite_status", "ok");
  Field(out, "aof_last_write_status", server.engine->Full() ? "err" : "ok");
  Field(out, "cartwheel_disk_bytes", stats.disk_bytes);
  Field(out, "cartwheel_log_bytes_written", stats.log_bytes_written);
  Field(out, "cartwheel_log_syncs", stats.syncs);
  Field(out, "cartwheel_checkpoints", stats.checkpoints);
}

void StatsSection(const Server& server, std::string* out) {
  const ServerCounters& counters = server.counters;
  Field(out, "total_connections_received", counters.connections_received);
  Field(out, "total_commands_processed", counters.commands_processed);
  Field(out, "instantaneous_ops_per_sec", server.rates.commands);
  Field(out, "total_net_input_bytes", counters.input_bytes);
  Field(out, "total_net_output_bytes", counters.output_bytes);
  Field(out, "instantaneous_input_kbps", KiB(server.rates.input_bytes));
  Field(out, "instantaneous_output_kbps", KiB(server.rates.output_bytes));
  Field(out, "rejected_connections", counters.connections_rejected);
  Resting(out, {"sync_full", "sync_partial_ok", "sync_partial_err"});
  Field(out, "expired_keys", counters.expired_keys);
  Field(out, "evicted_keys", server.engine->stats().evictions);
  Field(out, "keyspace_hits", counters.keyspace_hits);
  Field(out, "keyspace_misses", counters.keyspace_misses);
  Field(out, "pubsub_channels", server.pubsub.Count(Subscription::kChannel));
  Field(out, "pubsub_patterns", server.pubsub.Count(Subscription::kPattern));
  Field(out, "pubsubshard_channels", server.pubsub.Count(Subscription::kShard));
  Field(out, "latest_fork_usec", 0);
  Field(out, "total_error_replies", counters.errors_replied);
  Field(out, "client_output_buffer_limit_disconnections", counters.output_limit_closes);
  for (const auto& [name, value] : CountersOf(server)) {
    std::string field = "cartwheel_" + std::string(name);
    std::replace(field.begin(), field.end(), '-', '_');
    Field(out, field, value);
  }
}

// There are no masters and replicas among Dynamo's nodes; to a tool each is a master.
void ReplicationSection(const Server& server, std::string* out) {
  Field(out, "role", "master");
  Field(out, "connected_slaves", 0);
  Field(out, "master_failover_state", "no-failover");
  Field(out, "master_replid", server.run_id);
  Field(out, "master_replid2", std::string(40, '0'));
  Field(out, "master_repl_offset", 0);
  Field(out, "second_repl_offset", -1);
  Resting(out, {"repl_backlog_active", "repl_backlog_size", "repl_backlog_first_byte_offset",
                "repl_backlog_histlen"});
}

void CpuSection(const Server&, std::string* out) {
  const auto field = [out](std::string_view name, const timeval& time) {
    Field(out, name, fmt::format("{}.{:06}", time.tv_sec, time.tv_usec));
  };
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  field("used_cpu_sys", usage.ru_stime);
  field("used_cpu_user", usage.ru_utime);
  field("used_cpu_sys_children", {});
  field("used_cpu_user_children", {});
  getrusage(RUSAGE_THREAD, &usage);
  field("used_cpu_sys_main_thread", usage.ru_stime);
  field("used_cpu_user_main_thread", usage.ru_utime);
}

void ModulesSection(const Server&, std::string*) {}

template <typename Visit>
void ForEachCommand(Visit visit) {
  for (const Command& command : CommandTable()) {
    visit(command);
    for (const Command& subcommand : command.subcommands) visit(subcommand);
  }
}

void CommandStatsSection(const Server& server, std::string* out) {
  ForEachCommand([&](const Command& command) {
    const CommandCounters& counters = server.stats.commands[command.id];
    if (counters.calls == 0 && counters.rejected == 0 && counters.failed == 0) return;
    const double mean = counters.calls == 0 ? 0
                                            : static_cast<double>(counters.us) /
                                                  static_cast<double>(counters.calls);
    fmt::format_to(
        std::back_inserter(*out),
        "cmdstat_{}:calls={},usec={},usec_per_call={:.2f},rejected_calls={},failed_calls={}\r\n",
        command.name, counters.calls, counters.us, mean, counters.rejected, counters.failed);
  });
}

void ErrorStatsSection(const Server& server, std::string* out) {
  for (const auto& [code, count] : server.stats.errors) {
    fmt::format_to(std::back_inserter(*out), "errorstat_{}:count={}\r\n", code, count);
  }
}

void LatencyStatsSection(const Server& server, std::string* out) {
  ForEachCommand([&](const Command& command) {
    const LatencyHistogram& times = server.stats.commands[command.id].times;
    if (times.total() == 0) return;
    std::string shown;
    for (const double percentile : server.options.latency_percentiles) {
      fmt::format_to(std::back_inserter(shown), "{}p{}={:.3f}", shown.empty() ? "" : ",",
                     percentile, static_cast<double>(times.AtPercentile(percentile)) / 1000);
    }
    fmt::format_to(std::back_inserter(*out), "latency_percentiles_usec_{}:{}\r\n", command.name,
                   shown);
  });
}

void ClusterSection(const Server& server, std::string* out) {
  Field(out, "cluster_enabled", 1);
  Field(out, "cartwheel_ring_id", fmt::format("{:016x}", server.node->state().ring_id));
  Field(out, "cartwheel_epoch", server.node->state().epoch);
  Field(out, "cartwheel_members", server.node->state().members.size());
}

// The keys of which this node holds a copy, not those of the ring (that is DBSIZE).
void KeyspaceSection(const Server& server, std::string* out) {
  if (server.engine->stats().records == 0) return;
  for (uint32_t db = 0; db < server.options.databases; ++db) {
    uint64_t keys = 0;
    for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
      keys += server.engine->ValueCount(db, static_cast<uint16_t>(slot));
    }
    if (keys != 0)
      Field(out, fmt::format("db{}", db), fmt::format("keys={},expires=0,avg_ttl=0", keys));
  }
}

struct Section {
  std::string_view name;
  std::string_view title;
  void (*write)(const Server&, std::string*);
  bool by_default = true;
};

constexpr Section kSections[] = {
    {"server", "Server", ServerSection},
    {"clients", "Clients", ClientsSection},
    {"memory", "Memory", MemorySection},
    {"persistence", "Persistence", PersistenceSection},
    {"stats", "Stats", StatsSection},
    {"replication", "Replication", ReplicationSection},
    {"cpu", "CPU", CpuSection},
    {"modules", "Modules", ModulesSection},
    {"commandstats", "Commandstats", CommandStatsSection, false},
    {"errorstats", "Errorstats", ErrorStatsSection},
    {"latencystats", "Latencystats", LatencyStatsSection, false},
    {"cluster", "Cluster", ClusterSection},
    {"keyspace", "Keyspace", KeyspaceSection},
};

bool Wanted(const Section& section, std::span<const std::string_view> names) {
  if (names.empty()) return section.by_default;
  return std::any_of(names.begin(), names.end(), [&section](std::string_view name) {
    return EqualsIgnoreCase(name, section.name) || EqualsIgnoreCase(name, "all") ||
           EqualsIgnoreCase(name, "everything") ||
           (EqualsIgnoreCase(name, "default") && section.by_default);
  });
}

}  // namespace

std::string InfoText(const Server& server, std::span<const std::string_view> sections) {
  std::string text;
  for (const Section& section : kSections) {
    if (!Wanted(section, sections)) continue;
    if (!text.empty()) text += "\r\n";
    fmt::format_to(std::back_inserter(text), "# {}\r\n", section.title);
    section.write(server, &text);
  }
  return text;
}

}  // namespace cartwheel
