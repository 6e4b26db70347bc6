#include "server/option_values.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>

#include "server/notifications.h"
#include "server/text.h"
#include "storage/position.h"

namespace cartwheel {

std::optional<uint64_t> ParseBytes(std::string_view text) {
  struct Unit {
    std::string_view name;
    uint64_t bytes;
  };
  static constexpr std::array<Unit, 8> kUnits = {{{"", 1},
                                                  {"b", 1},
                                                  {"k", 1000},
                                                  {"kb", 1 << 10},
                                                  {"m", 1'000'000},
                                                  {"mb", 1 << 20},
                                                  {"g", 1'000'000'000},
                                                  {"gb", 1 << 30}}};
  uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<size_t>(rest - text.data()));
  for (const Unit& known : kUnits) {
    if (!EqualsIgnoreCase(known.name, unit)) continue;
    if (number > static_cast<uint64_t>(INT64_MAX) / known.bytes) return std::nullopt;
    return number * known.bytes;
  }
  return std::nullopt;
}

namespace option {
namespace {

// An enumeration's values by name.
template <typename T, size_t kCount>
using Names = std::array<std::pair<std::string_view, T>, kCount>;

constexpr Names<EngineKind, 2> kEngines = {
    {{"lmdb", EngineKind::kLmdb}, {"memory", EngineKind::kMemory}}};
constexpr Names<FsyncPolicy, 3> kPolicies = {{{"always", FsyncPolicy::kAlways},
                                              {"everysec", FsyncPolicy::kEverySecond},
                                              {"no", FsyncPolicy::kNo}}};
constexpr Names<PlacementStrategy, 2> kPlacements = {
    {{"equal", PlacementStrategy::kEqual}, {"tokens", PlacementStrategy::kTokens}}};
constexpr Names<Partitioner, 2> kPartitioners = {
    {{"slot", Partitioner::kSlot}, {"md5", Partitioner::kMd5}}};
constexpr Names<LogLevel, 4> kLevels = {{{"debug", LogLevel::kDebug},
                                         {"verbose", LogLevel::kVerbose},
                                         {"notice", LogLevel::kNotice},
                                         {"warning", LogLevel::kWarning}}};

constexpr Names<DebugCommand, 3> kDebugCommands = {
    {{"no", DebugCommand::kNo}, {"yes", DebugCommand::kYes}, {"local", DebugCommand::kLocal}}};

template <typename T, size_t kCount>
std::string ReadName(const Names<T, kCount>& names, Words words, T* value) {
  if (words.size() != 1) return std::string(kWrongCount);
  std::string known;
  for (const auto& [name, meaning] : names) {
    known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
    if (!EqualsIgnoreCase(name, words[0])) continue;
    *value = meaning;
    return {};
  }
  return "argument(s) must be one of the following: " + known;
}

template <typename T, size_t kCount>
std::string PrintName(const Names<T, kCount>& names, T value) {
  for (const auto& [name, meaning] : names) {
    if (meaning == value) return std::string(name);
  }
  return {};
}

// The pieces of `text` between the characters of `separators`; empty ones are left out.
std::vector<std::string_view> Split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> pieces;
  while (true) {
    const size_t begin = text.find_first_not_of(separators);
    if (begin == std::string_view::npos) return pieces;
    text.remove_prefix(begin);
    const size_t end = std::min(text.find_first_of(separators), text.size());
    pieces.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

}  // namespace

std::string OutOfRange(int64_t least, int64_t most) {
  return fmt::format("argument must be between {} and {} inclusive", least, most);
}

std::string ReadBind(Options* options, Words words) {
  std::vector<std::string> addresses;
  for (const std::string& word : words) {
    for (const std::string_view address : Split(word, " \t")) {
      addresses.emplace_back(address == "*" ? "0.0.0.0" : address);
    }
  }
  if (addresses.empty()) return "argument must not be empty";
  if (addresses.size() > 16) return "Too many bind addresses specified.";
  options->bind = std::move(addresses);
  return {};
}

std::string PrintBind(const Options& options) {
  return fmt::format("{}", fmt::join(options.bind, " "));
}

std::string ReadSeeds(Options* options, Words words) {
  std::vector<Address> seeds;
  for (const std::string& word : words) {
    for (const std::string_view text : Split(word, ", \t")) {
      std::optional<Address> seed = ParseAddress(text);
      if (!seed) return "argument must be host:busport[,host:busport ...]";
      seeds.push_back(std::move(*seed));
    }
  }
  if (seeds.size() > 1024) return "argument is too long";
  options->seeds = std::move(seeds);
  return {};
}

std::string PrintSeeds(const Options& options) {
  std::string text;
  for (const Address& seed : options.seeds) {
    const bool bracketed = seed.host.find(':') != std::string::npos;
    const std::string host = bracketed ? "[" + seed.host + "]" : seed.host;
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", host, seed.port);
  }
  return text;
}

// Empty: nobody.
std::string ReadReplace(Options* options, Words words) {
  if (words.size() != 1) return std::string(kWrongCount);
  const NodeId replace = ParseNodeId(words[0]);
  if (replace == 0 && !words[0].empty()) return "argument must be a node id";
  options->replace = replace;
  return {};
}
std::string PrintReplace(const Options& options) {
  return options.replace == 0 ? "" : FormatNodeId(options.replace);
}

std::string ReadEngine(Options* options, Words words) {
  return ReadName(kEngines, words, &options->engine);
}
std::string PrintEngine(const Options& options) { return PrintName(kEngines, options.engine); }

std::string ReadFsync(Options* options, Words words) {
  return ReadName(kPolicies, words, &options->fsync);
}
std::string PrintFsync(const Options& options) { return PrintName(kPolicies, options.fsync); }

std::string ReadPlacement(Options* options, Words words) {
  return ReadName(kPlacements, words, &options->placement);
}
std::string PrintPlacement(const Options& options) {
  return PrintName(kPlacements, options.placement);
}

std::string ReadPartitions(Options* options, Words words) {
  if (words.size() != 1) return std::string(kWrongCount);
  const std::optional<int64_t> value = ParseInteger(words[0]);
  if (!value) return std::string(kNoInteger);
  if (*value < 1 || *value > int64_t{kSlotCount}) return OutOfRange(1, kSlotCount);
  const uint32_t partitions = static_cast<uint32_t>(*value);
  if (!std::has_single_bit(partitions)) return "argument must be a power of two";
  options->partitions = partitions;
  return {};
}

std::string ReadPartitioner(Options* options, Words words) {
  return ReadName(kPartitioners, words, &options->partitioner);
}
std::string PrintPartitioner(const Options& options) {
  return PrintName(kPartitioners, options.partitioner);
}

std::string ReadWeight(Options* options, Words words) {
  if (words.size() != 1) return std::string(kWrongCount);
  double weight = 0;
  const char* const end = words[0].data() + words[0].size();
  const auto [rest, error] = std::from_chars(words[0].data(), end, weight);
  if (error != std::errc{} || rest != end || !(weight >= 0.001 && weight <= 1000)) {
    return "argument must be a number between 0.001 and 1000";
  }
  options->weight_thousandths = static_cast<uint32_t>(std::lround(weight * 1000));
  return {};
}
std::string PrintWeight(const Options& options) {
  return fmt::format("{}", static_cast<double>(options.weight_thousandths) / 1000);
}

std::string ReadLogLevel(Options* options, Words words) {
  return ReadName(kLevels, words, &options->loglevel);
}
std::string PrintLogLevel(const Options& options) { return PrintName(kLevels, options.loglevel); }

// "CLASS HARD SOFT SECONDS", for as many classes as are named; the others stay.
std::string ReadOutputLimits(Options* options, Words words) {
  std::vector<std::string_view> parts;
  for (const std::string& word : words) {
    for (const std::string_view part : Split(word, " \t")) parts.push_back(part);
  }
  if (parts.empty() || parts.size() % 4 != 0) {
    return "Wrong number of arguments in buffer limit configuration.";
  }
  OutputLimits limits = options->output_limits;
  for (auto part = parts.begin(); part != parts.end(); part += 4) {
    OutputLimit* limit = nullptr;
    if (EqualsIgnoreCase(part[0], "normal")) limit = &limits.normal;
    if (EqualsIgnoreCase(part[0], "replica")) limit = &limits.replica;
    if (EqualsIgnoreCase(part[0], "slave")) limit = &limits.replica;
    if (EqualsIgnoreCase(part[0], "pubsub")) limit = &limits.pubsub;
    const std::optional<uint64_t> hard = ParseBytes(part[1]);
    const std::optional<uint64_t> soft = ParseBytes(part[2]);
    const std::optional<int64_t> seconds = ParseInteger(part[3]);
    if (limit == nullptr) return "Invalid client class specified in buffer limit configuration.";
    if (!hard || !soft || !seconds || *seconds < 0 || *seconds > INT32_MAX) {
      return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    }
    *limit = {*hard, *soft, *seconds};
  }
  options->output_limits = limits;
  return {};
}
std::string PrintOutputLimits(const Options& options) {
  const auto print = [](std::string_view name, const OutputLimit& limit) {
    return fmt::format("{} {} {} {}", name, limit.hard_bytes, limit.soft_bytes, limit.soft_seconds);
  };
  const OutputLimits& limits = options.output_limits;
  return print("normal", limits.normal) + " " + print("slave", limits.replica) + " " +
         print("pubsub", limits.pubsub);
}

// One policy so far: nothing is kept.
std::string ReadMaxMemoryPolicy(Options*, Words words) {
  constexpr Names<bool, 1> kMaxMemoryPolicies = {{{"noeviction", true}}};
  bool none = true;
  return ReadName(kMaxMemoryPolicies, words, &none);
}
std::string PrintMaxMemoryPolicy(const Options&) { return "noeviction"; }

std::string ReadDebugCommand(Options* options, Words words) {
  return ReadName(kDebugCommands, words, &options->debug_command);
}
std::string PrintDebugCommand(const Options& options) {
  return PrintName(kDebugCommands, options.debug_command);
}

// "50 99 99.9"; empty: none.
std::string ReadPercentiles(Options* options, Words words) {
  std::vector<double> percentiles;
  for (const std::string& word : words) {
    for (const std::string_view part : Split(word, " \t")) {
      double number = 0;
      const char* const end = part.data() + part.size();
      const auto [rest, error] = std::from_chars(part.data(), end, number);
      if (error != std::errc{} || rest != end) {
        return "Invalid latency-tracking-info-percentiles parameters";
      }
      if (!(number >= 0 && number <= 100)) {
        return "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
      }
      percentiles.push_back(number);
    }
  }
  options->latency_percentiles = std::move(percentiles);
  return {};
}
std::string PrintPercentiles(const Options& options) {
  return fmt::format("{}", fmt::join(options.latency_percentiles, " "));
}

std::string ReadNotifications(Options* options, Words words) {
  if (words.size() != 1) return std::string(kWrongCount);
  const std::optional<uint32_t> events = ParseNotifications(words[0]);
  if (!events) return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
  options->notifications = *events;
  return {};
}
std::string PrintNotifications(const Options& options) {
  return FormatNotifications(options.notifications);
}

}  // namespace option
}  // namespace cartwheel
