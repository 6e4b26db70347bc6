#include "bench/load_options.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace cartwheel {
namespace {

constexpr char kUsage[] =
    R"(load_generator [--OPTION VALUE]... [HOST:PORT]...    (default 127.0.0.1:6379)

  --rate 1000          requests a second, all connections together
  --duration 10        seconds, after the warm-up
  --warmup 1           seconds of load that are not counted
  --connections 50     spread evenly over the hosts
  --keys 100000        random ones of so many, key:000000000000 and on
  --size 16            bytes of a value
  --sets 0.5           share of SETs; the rest are GETs
  --seed 1             of the keys and the mix
  --route round        who is asked: each connection in turn; `random`: a random node; `first`: the
                       key's first node, by the CLUSTER SLOTS of the first HOST:PORT, the others
                       are not needed
  --timeout 10         seconds to wait for answers once the last request was sent
  --fill               instead: SET every key once, as fast as 16 per connection go, and what is
                       answered -BUSY again a little later
  --json               one line of JSON
  --log                path of a file for a line per request: its name, when it was due, in seconds of
                       the monotonic clock, and its latency in milliseconds

Latency is from when a request was due to its answer. A stall is a time without any answer while at
least one is owed. Exit status 1: a connection failed, an error was answered, an answer is missing.
)";

double ReadNumber(const char* option, const char* text) {
  char* end = nullptr;
  const double value = text == nullptr ? -1 : std::strtod(text, &end);
  if (text == nullptr || end == text || *end != '\0' || value < 0) {
    Die(std::string(option) + " needs a number, not '" + (text == nullptr ? "" : text) + "'");
  }
  return value;
}

Route ReadRoute(const char* text) {
  const std::string_view name = text == nullptr ? "" : text;
  if (name == "round") return Route::kRound;
  if (name == "random") return Route::kRandom;
  if (name == "first") return Route::kFirst;
  Die("--route needs round, random or first, not '" + std::string(name) + "'");
}

}  // namespace

void Die(const std::string& line) {
  std::fprintf(stderr, "load_generator: %s\n", line.c_str());
  std::exit(1);
}

LoadOptions ReadLoadOptions(char** argv) {
  LoadOptions options;
  struct Number {
    std::string_view name;
    double* real;
    uint64_t* whole;
  };
  const Number numbers[] = {
      {"--rate", &options.rate, nullptr},         {"--duration", &options.duration_s, nullptr},
      {"--warmup", &options.warmup_s, nullptr},   {"--connections", nullptr, &options.connections},
      {"--keys", nullptr, &options.keys},         {"--size", nullptr, &options.value_bytes},
      {"--sets", &options.sets, nullptr},         {"--seed", nullptr, &options.seed},
      {"--timeout", &options.timeout_s, nullptr},
  };
  for (char** at = argv + 1; *at != nullptr; ++at) {
    const std::string_view name = *at;
    if (name == "--help") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    } else if (name == "--fill") {
      options.fill = true;
    } else if (name == "--json") {
      options.json = true;
    } else if (name == "--log") {
      if (*++at == nullptr) Die("--log needs a path");
      options.log = *at;
    } else if (name == "--route") {
      options.route = ReadRoute(*++at);
    } else if (!name.starts_with("--")) {
      options.hosts.emplace_back(name);
    } else {
      const Number* number = std::ranges::find(numbers, name, &Number::name);
      if (number == std::end(numbers)) Die("unknown option " + std::string(name));
      const double value = ReadNumber(*at, at[1]);
      ++at;
      if (number->real != nullptr) *number->real = value;
      if (number->whole != nullptr) *number->whole = static_cast<uint64_t>(value);
    }
  }
  if (options.hosts.empty()) options.hosts.emplace_back("127.0.0.1:6379");
  if (options.rate <= 0 || options.connections == 0 || options.keys == 0) {
    Die("--rate, --connections and --keys must be positive");
  }
  return options;
}

}  // namespace cartwheel
