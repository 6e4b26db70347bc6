#include "server/info.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "server/client_names.h"
#include "server/status_list.h"
#include "server/text.h"
#include "server/version.h"

// jemalloc's, where the process is linked with it.
extern "C" __attribute__((weak)) int mallctl(const char* name, void* old_value, size_t* old_bytes,
                                             void* new_value, size_t new_bytes);

namespace cartwheel {
namespace {

constexpr int64_t kUsPerSecond = 1'000'000;

template <typename Value>
void Field(std::string* out, std::string_view name, const Value& value) {
  fmt::format_to(std::back_inserter(*out), "{}:{}\r\n", name, value);
}

// "jemalloc-5.3.0", as Redis names it, without what follows the version.
std::string Allocator() {
  const char* version = nullptr;
  size_t bytes = sizeof(version);
  if (mallctl == nullptr || mallctl("version", &version, &bytes, nullptr, 0) != 0) return "libc";
  const std::string_view all = version;
  return "jemalloc-" + std::string(all.substr(0, all.find('-')));
}

// "894.68K", as Redis writes sizes for people.
std::string HumanBytes(uint64_t bytes) {
  constexpr std::string_view kUnits = "BKMGTP";
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{}B", bytes);
  return fmt::format("{:.2f}{}", value, kUnits[unit]);
}

void Bytes(std::string* out, std::string_view name, uint64_t bytes) {
  Field(out, name, bytes);
  Field(out, std::string(name) + "_human", HumanBytes(bytes));
}

uint64_t ResidentBytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long total = 0;
  unsigned long resident = 0;
  const int read = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
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
  Field(out, "connected_clients", server.sessions.size());
  Field(out, "cluster_connections", server.bus.links);
  Field(out, "maxclients", server.options.maxclients);
  Field(out, "client_recent_max_input_buffer", largest_input);
  Field(out, "client_recent_max_output_buffer", largest_output);
  Field(out, "blocked_clients", 0);
  Field(out, "tracking_clients", 0);
  Field(out, "clients_in_timeout_table", 0);
}

void MemorySection(const Server& server, std::string* out) {
  const uint64_t resident = ResidentBytes();
  const uint64_t engine = server.engine->stats().memory_bytes;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const uint64_t peak = std::max<uint64_t>(static_cast<uint64_t>(usage.ru_maxrss) * 1024, resident);
  const uint64_t system =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  Bytes(out, "used_memory", resident);
  Bytes(out, "used_memory_rss", resident);
  Bytes(out, "used_memory_peak", peak);
  Field(out, "used_memory_dataset", engine);
  Bytes(out, "total_system_memory", system);
  Bytes(out, "maxmemory", server.options.maxmemory_bytes);
  Field(out, "maxmemory_policy", "noeviction");
  Field(out, "mem_fragmentation_ratio", "1.00");
  Field(out, "mem_allocator", Allocator());
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
  Field(out, "aof_enabled", durable ? 1 : 0);
  Field(out, "aof_rewrite_in_progress", 0);
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
  Field(out, "total_net_input_bytes", counters.input_bytes);
  Field(out, "total_net_output_bytes", counters.output_bytes);
  Field(out, "rejected_connections", counters.connections_rejected);
  Field(out, "evicted_keys", server.engine->stats().evictions);
  Field(out, "keyspace_hits", counters.keyspace_hits);
  Field(out, "keyspace_misses", counters.keyspace_misses);
  Field(out, "pubsub_channels", 0);
  Field(out, "pubsub_patterns", 0);
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
  Field(out, "repl_backlog_active", 0);
}

void CpuSection(const Server&, std::string* out) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto field = [out](std::string_view name, const timeval& time) {
    Field(out, name, fmt::format("{}.{:06}", time.tv_sec, time.tv_usec));
  };
  field("used_cpu_sys", usage.ru_stime);
  field("used_cpu_user", usage.ru_utime);
  Field(out, "used_cpu_sys_children", "0.000000");
  Field(out, "used_cpu_user_children", "0.000000");
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
};

constexpr Section kSections[] = {
    {"server", "Server", ServerSection},
    {"clients", "Clients", ClientsSection},
    {"memory", "Memory", MemorySection},
    {"persistence", "Persistence", PersistenceSection},
    {"stats", "Stats", StatsSection},
    {"replication", "Replication", ReplicationSection},
    {"cpu", "CPU", CpuSection},
    {"cluster", "Cluster", ClusterSection},
    {"keyspace", "Keyspace", KeyspaceSection},
};

bool Wanted(const Section& section, std::span<const std::string_view> names) {
  if (names.empty()) return true;
  return std::any_of(names.begin(), names.end(), [&section](std::string_view name) {
    return EqualsIgnoreCase(name, section.name) || EqualsIgnoreCase(name, "all") ||
           EqualsIgnoreCase(name, "everything") || EqualsIgnoreCase(name, "default");
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
