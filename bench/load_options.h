// What bench/load_generator is told on its command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cartwheel {

// Which connection a request takes.
enum class Route : uint8_t {
  kRound,   // each in turn
  kRandom,  // one of a random node, as behind a load balancer
  kFirst,   // one of the key's first node, as a client with the cluster's map
};

struct LoadOptions {
  double rate = 1000;
  double duration_s = 10;
  double warmup_s = 1;
  uint64_t connections = 50;
  uint64_t keys = 100000;
  uint64_t value_bytes = 16;
  double sets = 0.5;
  uint64_t seed = 1;
  double timeout_s = 10;
  Route route = Route::kRound;
  bool fill = false;
  bool json = false;
  std::string log;  // path; none: no log
  std::vector<std::string> hosts;
};

// Ends the process with that line on standard error.
[[noreturn]] void Die(const std::string& line);

LoadOptions ReadLoadOptions(char** argv);

}  // namespace cartwheel
