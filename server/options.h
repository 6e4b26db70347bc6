// Options: what a user may set, in the configuration file (redis.conf's syntax) or as --flags. One
// row per option (options.cc) holds its name, default, parser and printer; --help, the file, the
// flags, CONFIG GET and CONFIG SET all read the same rows. An option exists only when it works.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cluster/effects.h"
#include "cluster/placement.h"
#include "cluster/types.h"
#include "storage/lmdb/log_syncer.h"
#include "storage/position.h"

namespace cartwheel {

enum class EngineKind : uint8_t { kLmdb, kMemory };

// From where DEBUG is taken.
enum class DebugCommand : uint8_t { kNo, kYes, kLocal };

// A limit of client-output-buffer-limit: 0 is no limit.
struct OutputLimit {
  uint64_t hard_bytes = 0;
  uint64_t soft_bytes = 0;
  int64_t soft_seconds = 0;
};

// By class of client. All that connect here are normal ones; the others are kept for who asks.
struct OutputLimits {
  OutputLimit normal;
  OutputLimit replica = {256 << 20, 64 << 20, 60};
  OutputLimit pubsub = {32 << 20, 8 << 20, 60};
};

struct Options {
  uint16_t port = 6379;
  std::vector<std::string> bind = {"127.0.0.1"};
  uint16_t bus_port = 0;      // 0: port + 10000
  std::string announce_host;  // empty: the first of bind
  uint16_t announce_port = 0;
  uint16_t announce_bus_port = 0;
  std::string dir = "./data";
  EngineKind engine = EngineKind::kLmdb;
  uint64_t maxmemory_bytes = 0;
  FsyncPolicy fsync = FsyncPolicy::kEverySecond;
  std::vector<Address> seeds;
  bool bootstrap = false;
  NodeId replace = 0;  // 0: nobody
  std::string cluster_name = "cartwheel";
  std::string cluster_secret;
  uint8_t n = 3;
  uint8_t r = 2;
  uint8_t w = 2;
  uint32_t partitions = 256;
  PlacementStrategy placement = PlacementStrategy::kEqual;
  uint32_t tokens = 64;
  Partitioner partitioner = Partitioner::kSlot;
  uint32_t weight_thousandths = 1000;
  std::string zone = "default";
  int64_t replica_timeout_ms = 500;
  int64_t hedge_delay_ms = 20;
  int64_t gossip_interval_ms = 1000;
  int64_t node_timeout_ms = 3000;
  std::string requirepass;
  bool protected_mode = true;
  uint32_t maxclients = 10000;
  int64_t timeout_s = 0;
  int64_t tcp_keepalive_s = 300;
  std::string unixsocket;
  OutputLimits output_limits;
  bool moved = false;
  int64_t slowlog_slower_than_us = 10'000;  // negative: no slow log
  uint64_t slowlog_max_entries = 128;
  int64_t latency_threshold_ms = 0;  // 0: no latency events
  bool latency_tracking = true;
  std::vector<double> latency_percentiles = {50, 99, 99.9};
  uint32_t notifications = 0;  // server/notifications.h
  DebugCommand debug_command = DebugCommand::kNo;
  uint32_t databases = 16;
  uint32_t siblings_warn = 25;
  uint32_t siblings_max = 100;
  uint64_t object_max_bytes = 1ULL << 30;
  uint64_t hints_max_bytes = 1ULL << 30;
  int64_t hints_max_age_s = 10'800;
  int64_t tombstone_min_age_s = 600;
  uint64_t transfer_rate_bytes = 64ULL << 20;
  uint64_t repair_rate_bytes = 16ULL << 20;
  int64_t max_clock_skew_s = 60;
  bool recover = false;
  uint64_t proto_max_bulk_bytes = 512ULL << 20;
  uint64_t hll_sparse_max_bytes = 3000;
  LogLevel loglevel = LogLevel::kNotice;
  std::string logfile;  // empty: stdout

  std::vector<std::string_view> given;  // names of the options that were set explicitly

  bool Given(std::string_view name) const;
};

struct OptionRow {
  std::string_view name;
  std::string_view default_text;
  std::string_view help;
  bool changeable;  // by CONFIG SET
  // Takes the value's words; not empty: why they cannot be. Nothing is changed then.
  std::string (*parse)(Options* options, std::span<const std::string> words);
  std::string (*print)(const Options& options);
};

std::span<const OptionRow> OptionTable();
const OptionRow* FindOption(std::string_view name);  // case-insensitive; nullptr: unknown

// What the command line asked for.
struct CommandLine {
  Options options;
  std::string config_file;  // absolute, empty when there is none
  bool help = false;
  bool version = false;
};
// Reads the file and the flags; the error names the option and the value.
Result<CommandLine> ParseCommandLine(std::span<const char* const> arguments);

// The lines of a configuration file, applied to `options`.
Result<void> ParseConfig(std::string_view text, std::string_view path, Options* options);
// One option from one string of blank-separated words.
Result<void> SetOption(Options* options, std::string_view name, std::string_view value);
// The same of a known row; not empty: why the value cannot be, without the option's name.
std::string TakeValue(Options* options, const OptionRow& row, std::string_view value);
// Relations between options: r and w at most n, a bus port that exists, ...
Result<void> CheckOptions(const Options& options);
// Replaces what was left to follow other options (bus-port, announce-...).
void CompleteOptions(Options* options);

std::string HelpText();

// "1gb", "64mb", "100": bytes, as redis.conf writes them. Nothing when it cannot be read.
std::optional<uint64_t> ParseBytes(std::string_view text);

}  // namespace cartwheel
