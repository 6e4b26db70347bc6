#include "server/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/check.h"
#include "cluster/cluster_state.h"
#include "protocol/inline_command.h"
#include "server/option_values.h"
#include "server/text.h"

namespace cartwheel {
namespace {

using namespace option;  // NOLINT: the rows below are nothing but its names

constexpr int64_t kHourMs = 3'600'000;
constexpr int64_t kYearS = 31'622'400;  // a leap year

// Name, default, help, changed by CONFIG SET, reader, printer.
constexpr OptionRow kTable[] = {
    {"port", "6379", "RESP port for clients", false, ReadInteger<&Options::port, 1, 65535>,
     PrintInteger<&Options::port>},
    {"bind", "127.0.0.1", "addresses to listen on, several separated by blanks", false, ReadBind,
     PrintBind},
    {"bus-port", "port + 10000", "port of the cluster bus", false,
     ReadInteger<&Options::bus_port, 1, 65535>, PrintInteger<&Options::bus_port>},
    {"announce-host", "what is bound", "host that other nodes and clients are told", false,
     ReadName<&Options::announce_host, 255>, PrintText<&Options::announce_host>},
    {"announce-port", "what is bound", "port that clients are told", false,
     ReadInteger<&Options::announce_port, 1, 65535>, PrintInteger<&Options::announce_port>},
    {"announce-bus-port", "what is bound", "bus port that other nodes are told", false,
     ReadInteger<&Options::announce_bus_port, 1, 65535>, PrintInteger<&Options::announce_bus_port>},
    {"dir", "./data", "this node's data; one process per directory", false,
     ReadText<&Options::dir, 4096, false>, PrintText<&Options::dir>},
    {"engine", "lmdb", "lmdb (durable) or memory (a cache)", false, ReadEngine, PrintEngine},
    {"maxmemory", "0", "bound of the memory engine in bytes (100mb, 1gb); 0: none", true,
     ReadBytes<&Options::maxmemory_bytes, 0>, PrintInteger<&Options::maxmemory_bytes>},
    {"maxmemory-policy", "noeviction", "noeviction: past maxmemory new values are refused", true,
     ReadMaxMemoryPolicy, PrintMaxMemoryPolicy},
    {"fsync", "everysec", "always, everysec or no: when a write counts as stored", false, ReadFsync,
     PrintFsync},
    {"seeds", "", "host:busport[,...]: nodes of the ring to join", false, ReadSeeds, PrintSeeds},
    {"bootstrap", "no", "yes: make a ring of one whatever the seeds say", false,
     ReadYesNo<&Options::bootstrap>, PrintYesNo<&Options::bootstrap>},
    {"replace", "", "id of the member whose partitions a first start takes, with seeds", false,
     ReadReplace, PrintReplace},
    {"cluster-name", "cartwheel", "nodes of different names never talk", false,
     ReadText<&Options::cluster_name, 255, false>, PrintText<&Options::cluster_name>},
    {"cluster-secret", "", "nodes of different secrets never talk; a bus beyond loopback needs one",
     false, ReadText<&Options::cluster_secret, 4096, true>, PrintText<&Options::cluster_secret>},
    {"n", "3", "replicas of each key, when the ring is made", false,
     ReadInteger<&Options::n, 1, kMaxReplicas>, PrintInteger<&Options::n>},
    {"r", "2", "replicas that must answer a read, when the ring is made", false,
     ReadInteger<&Options::r, 1, kMaxReplicas>, PrintInteger<&Options::r>},
    {"w", "2", "replicas that must answer a write, when the ring is made", false,
     ReadInteger<&Options::w, 1, kMaxReplicas>, PrintInteger<&Options::w>},
    {"partitions", "256", "partitions of the ring, a power of two up to 16384", false,
     ReadPartitions, PrintInteger<&Options::partitions>},
    {"placement", "equal",
     "equal: nodes own equal shares of the partitions, by weight; tokens: by random places", false,
     ReadPlacement, PrintPlacement},
    {"tokens", "64", "places of a node on the ring, with placement tokens", false,
     ReadInteger<&Options::tokens, 1, kMaxTokens>, PrintInteger<&Options::tokens>},
    {"partitioner", "slot", "slot (Redis's hash slot) or md5: where a key's place comes from",
     false, ReadPartitioner, PrintPartitioner},
    {"weight", "1", "this node's capacity: its share of the ring", false, ReadWeight, PrintWeight},
    {"zone", "default", "this node's failure zone; replicas go to different zones first", false,
     ReadName<&Options::zone, 255>, PrintText<&Options::zone>},
    {"replica-timeout", "500", "ms until a replica is given up for a request", true,
     ReadInteger<&Options::replica_timeout_ms, 1, kHourMs>,
     PrintInteger<&Options::replica_timeout_ms>},
    {"hedge-delay", "20", "ms until a read asks one more replica", true,
     ReadInteger<&Options::hedge_delay_ms, 0, kHourMs>, PrintInteger<&Options::hedge_delay_ms>},
    {"gossip-interval", "1000", "ms between rounds of gossip", false,
     ReadInteger<&Options::gossip_interval_ms, 10, kHourMs>,
     PrintInteger<&Options::gossip_interval_ms>},
    {"node-timeout", "3000", "ms without a word until a peer counts as down", false,
     ReadInteger<&Options::node_timeout_ms, 10, kHourMs>, PrintInteger<&Options::node_timeout_ms>},
    {"requirepass", "", "password for AUTH", true, ReadText<&Options::requirepass, 512, true>,
     PrintText<&Options::requirepass>},
    {"protected-mode", "yes", "without a password only loopback clients are served", true,
     ReadYesNo<&Options::protected_mode>, PrintYesNo<&Options::protected_mode>},
    {"maxclients", "10000", "clients served at once", true,
     ReadInteger<&Options::maxclients, 1, 10000000>, PrintInteger<&Options::maxclients>},
    {"timeout", "0", "seconds until an idle client is closed; 0: never", true,
     ReadInteger<&Options::timeout_s, 0, INT32_MAX>, PrintInteger<&Options::timeout_s>},
    {"tcp-keepalive", "300", "seconds of silence until the kernel probes a client; 0: never", true,
     ReadInteger<&Options::tcp_keepalive_s, 0, 32767>, PrintInteger<&Options::tcp_keepalive_s>},
    {"unixsocket", "", "path of a Unix socket to listen on as well", false,
     ReadText<&Options::unixsocket, 100, true>, PrintText<&Options::unixsocket>},
    {"client-output-buffer-limit",
     "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
     "CLASS HARD SOFT SECONDS, as in Redis", true, ReadOutputLimits, PrintOutputLimits},
    {"slowlog-log-slower-than", "10000",
     "us past which a command is in SLOWLOG; negative: none, 0: all", true,
     ReadInteger<&Options::slowlog_slower_than_us, -1, INT64_MAX>,
     PrintInteger<&Options::slowlog_slower_than_us>},
    {"slowlog-max-len", "128", "commands that SLOWLOG keeps", true,
     ReadInteger<&Options::slowlog_max_entries, 0, INT64_MAX>,
     PrintInteger<&Options::slowlog_max_entries>},
    {"latency-monitor-threshold", "0", "ms past which a command is an event of LATENCY; 0: none",
     true, ReadInteger<&Options::latency_threshold_ms, 0, INT64_MAX>,
     PrintInteger<&Options::latency_threshold_ms>},
    {"latency-tracking", "yes", "yes: the times of commands are counted, for INFO and LATENCY",
     true, ReadYesNo<&Options::latency_tracking>, PrintYesNo<&Options::latency_tracking>},
    {"latency-tracking-info-percentiles", "50 99 99.9", "percentiles in INFO latencystats", true,
     ReadPercentiles, PrintPercentiles},
    {"notify-keyspace-events", "", "classes of keyspace events to publish, as in Redis", true,
     ReadNotifications, PrintNotifications},
    {"enable-debug-command", "no", "yes, or local for loopback clients: DEBUG is taken", false,
     ReadDebugCommand, PrintDebugCommand},
    {"databases", "16", "SELECT 0 to databases - 1", false,
     ReadInteger<&Options::databases, 1, 65536>, PrintInteger<&Options::databases>},
    {"siblings-warn", "25", "a write that leaves more versions is logged", false,
     ReadInteger<&Options::siblings_warn, 1, 1000000>, PrintInteger<&Options::siblings_warn>},
    {"siblings-max", "100", "a write that would leave more versions is refused", false,
     ReadInteger<&Options::siblings_max, 1, 1000000>, PrintInteger<&Options::siblings_max>},
    {"object-max-bytes", "1gb", "all versions of a key together take no more", false,
     ReadBytes<&Options::object_max_bytes, 1024>, PrintInteger<&Options::object_max_bytes>},
    {"hints-max-bytes", "1gb",
     "writes kept for other nodes take no more, once W replicas have them", false,
     ReadBytes<&Options::hints_max_bytes, 1>, PrintInteger<&Options::hints_max_bytes>},
    {"hints-max-age", "10800", "seconds a write is kept for another node, once W replicas have it",
     false, ReadInteger<&Options::hints_max_age_s, 1, kYearS>,
     PrintInteger<&Options::hints_max_age_s>},
    {"tombstone-min-age", "600", "seconds until a deletion that all replicas know may be forgotten",
     false, ReadInteger<&Options::tombstone_min_age_s, 1, kYearS>,
     PrintInteger<&Options::tombstone_min_age_s>},
    {"transfer-rate", "64mb",
     "bytes a second that a node fetches, and gives, of ranges that move; 0: no limit", true,
     ReadBytes<&Options::transfer_rate_bytes, 0>, PrintInteger<&Options::transfer_rate_bytes>},
    {"repair-rate", "16mb",
     "bytes a second spent on anti-entropy, and as many on handing over hints; 0: no limit", true,
     ReadBytes<&Options::repair_rate_bytes, 0>, PrintInteger<&Options::repair_rate_bytes>},
    {"max-clock-skew", "60", "seconds a peer's clock may be ahead and still be followed", false,
     ReadInteger<&Options::max_clock_skew_s, 0, kYearS>, PrintInteger<&Options::max_clock_skew_s>},
    {"recover", "no", "yes: start in spite of a damaged log, keep what is readable", false,
     ReadYesNo<&Options::recover>, PrintYesNo<&Options::recover>},
    {"moved", "no", "yes: clients that asked for the cluster's map get MOVED for keys of others",
     true, ReadYesNo<&Options::moved>, PrintYesNo<&Options::moved>},
    {"proto-max-bulk-len", "512mb", "longest bulk string accepted", true,
     ReadBytes<&Options::proto_max_bulk_bytes, 1 << 20>,
     PrintInteger<&Options::proto_max_bulk_bytes>},
    {"hll-sparse-max-bytes", "3000", "a HyperLogLog that would be longer becomes a dense one", true,
     ReadBytes<&Options::hll_sparse_max_bytes, 0>, PrintInteger<&Options::hll_sparse_max_bytes>},
    {"loglevel", "notice", "debug, verbose, notice or warning", true, ReadLogLevel, PrintLogLevel},
    {"logfile", "", "file to log to, reopened at SIGHUP; empty: standard output", false,
     ReadText<&Options::logfile, 4096, true>, PrintText<&Options::logfile>},
};

bool IsLoopback(std::string_view host) {
  return host.starts_with("127.") || host == "::1" || host == "localhost";
}

Result<void> SetWords(Options* options, std::string_view name, std::span<const std::string> words) {
  const OptionRow* const row = FindOption(name);
  if (row == nullptr) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("unknown option '{}' (value '{}')", name, fmt::join(words, " ")));
  }
  const std::string obstacle = row->parse(options, words);
  if (!obstacle.empty()) {
    return Error(ErrorCode::kInvalid, fmt::format("option '{}': bad value '{}': {}", name,
                                                  fmt::join(words, " "), obstacle));
  }
  if (!options->Given(row->name)) options->given.push_back(row->name);
  return {};
}

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  // An empty file sets the fail bit of `text`, so only the source is asked.
  if (file && !std::filesystem::is_directory(path)) text << file.rdbuf();
  if (!file || file.bad() || std::filesystem::is_directory(path)) {
    return Error(ErrorCode::kIo, fmt::format("config file '{}': cannot be read", path));
  }
  return text.str();
}

Result<void> ParseFlags(std::span<const char* const> arguments, Options* options) {
  for (size_t i = 0; i < arguments.size();) {
    const std::string_view flag = arguments[i++];
    if (!flag.starts_with("--")) {
      return Error(ErrorCode::kInvalid, fmt::format("unexpected argument '{}'", flag));
    }
    std::vector<std::string> words;
    while (i < arguments.size() && !std::string_view(arguments[i]).starts_with("--")) {
      words.emplace_back(arguments[i++]);
    }
    Result<void> set = SetWords(options, flag.substr(2), words);
    if (!set) return set;
  }
  return {};
}

}  // namespace

bool Options::Given(std::string_view name) const {
  return std::find(given.begin(), given.end(), name) != given.end();
}

std::span<const OptionRow> OptionTable() { return kTable; }

const OptionRow* FindOption(std::string_view name) {
  for (const OptionRow& row : kTable) {
    if (EqualsIgnoreCase(row.name, name)) return &row;
  }
  return nullptr;
}

Result<void> SetOption(Options* options, std::string_view name, std::string_view value) {
  const std::string word(value);
  return SetWords(options, name, std::span(&word, 1));
}

std::string TakeValue(Options* options, const OptionRow& row, std::string_view value) {
  const std::string word(value);
  std::string obstacle = row.parse(options, std::span(&word, 1));
  if (obstacle.empty() && !options->Given(row.name)) options->given.push_back(row.name);
  return obstacle;
}

Result<void> ParseConfig(std::string_view text, std::string_view path, Options* options) {
  for (size_t line_number = 1; !text.empty(); ++line_number) {
    const size_t length = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    const size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos || line[begin] == '#') continue;
    const size_t end = line.find_last_not_of(" \t\r");
    line = line.substr(begin, end - begin + 1);

    std::string unescaped(line);
    std::vector<std::string_view> views;
    if (!SplitInlineCommand(unescaped.data(), unescaped.size(), &views)) {
      return Error(ErrorCode::kInvalid,
                   fmt::format("{}:{}: unbalanced quotes in '{}'", path, line_number, line));
    }
    const std::vector<std::string> words(views.begin(), views.end());
    Result<void> set = SetWords(options, words[0], std::span(words).subspan(1));
    if (!set) {
      return Error(set.error().code,
                   fmt::format("{}:{}: {}", path, line_number, set.error().message));
    }
  }
  return {};
}

Result<CommandLine> ParseCommandLine(std::span<const char* const> arguments) {
  CommandLine result;
  for (const char* const argument : arguments) {
    const std::string_view word = argument;
    if (word == "--help" || word == "-h") result.help = true;
    if (word == "--version" || word == "-v") result.version = true;
  }
  if (result.help || result.version) return result;
  if (!arguments.empty() && !std::string_view(arguments[0]).starts_with("--")) {
    const Result<std::string> text = ReadFile(arguments[0]);
    if (!text) return tl::unexpected(text.error());
    std::error_code error;
    result.config_file = std::filesystem::absolute(arguments[0], error).string();
    if (error) result.config_file = arguments[0];
    const Result<void> parsed = ParseConfig(*text, arguments[0], &result.options);
    if (!parsed) return tl::unexpected(parsed.error());
    arguments = arguments.subspan(1);
  }
  const Result<void> parsed = ParseFlags(arguments, &result.options);
  if (!parsed) return tl::unexpected(parsed.error());
  const Result<void> checked = CheckOptions(result.options);
  if (!checked) return tl::unexpected(checked.error());
  CompleteOptions(&result.options);
  return result;
}

Result<void> CheckOptions(const Options& options) {
  const auto wrong = [](std::string_view name, auto value, std::string_view why) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("option '{}': bad value '{}': {}", name, value, why));
  };
  // r and w that were not given follow n down.
  if (options.Given("r") && options.r > options.n) return wrong("r", options.r, "more than n");
  if (options.Given("w") && options.w > options.n) return wrong("w", options.w, "more than n");
  if (options.replace != 0 && options.seeds.empty()) {
    return wrong("replace", FormatNodeId(options.replace), "it needs seeds");
  }
  if (options.bus_port == 0 && options.port > 65535 - 10000) {
    return wrong("bus-port", "", "port + 10000 is past 65535, so it must be given");
  }
  if (options.bus_port == options.port) return wrong("bus-port", options.bus_port, "that is port");
  for (const std::string& host : options.bind) {
    if (!IsLoopback(host) && options.cluster_secret.empty()) {
      return wrong("bind", host, "beyond loopback the bus needs a cluster-secret");
    }
  }
  return {};
}

void CompleteOptions(Options* options) {
  options->r = std::min(options->r, options->n);
  options->w = std::min(options->w, options->n);
  if (options->bus_port == 0) options->bus_port = static_cast<uint16_t>(options->port + 10000);
  if (options->announce_port == 0) options->announce_port = options->port;
  if (options->announce_bus_port == 0) options->announce_bus_port = options->bus_port;
  const bool wildcard = options->bind[0] == "0.0.0.0" || options->bind[0] == "::";
  if (options->announce_host.empty() && !wildcard) options->announce_host = options->bind[0];
}

std::string HelpText() {
  std::string text =
      "Usage: cartwheel [CONFIG_FILE] [--OPTION VALUE]...\n\n"
      "CONFIG_FILE holds lines `option value`; flags win over it.\n\n";
  for (const OptionRow& row : kTable) {
    fmt::format_to(std::back_inserter(text), "  --{:<27} {} (default: {})\n", row.name, row.help,
                   row.default_text.empty() ? "none" : row.default_text);
  }
  text +=
      "  --help                        this text\n  --version                     the version\n";
  return text;
}

}  // namespace cartwheel
