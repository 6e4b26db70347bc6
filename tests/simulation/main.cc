// cartwheel-sim: plays seeds of the simulation and says what it saw. Exit status 0 when all is
// well; with --mutant when some seed failed, as it must. The last line of a failure replays it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/decimal.h"
#include "tests/simulation/simulation.h"

namespace cartwheel::sim {
namespace {

struct Arguments {
  SimulationOptions one;
  uint64_t seeds = 1;
  uint64_t most_failures = 10;  // ends the run
  std::string faults = "all";
  std::string mutant;
  uint64_t matrix_seeds = 0;  // of each cell
};

constexpr std::string_view kUsage =
    "cartwheel-sim [--seed S] [--seeds COUNT] [--failures 10] [--nodes BY-SEED] [--seconds 120]\n"
    "              [--ops-per-second 50] [--faults all|none|KIND,KIND] [--mutant NAME]\n"
    "              [--cell CHANGE,FAULT,ROLE] [--matrix SEEDS-A-CELL] [--trace]\n";

struct MutantName {
  Mutant mutant;
  std::string_view name;
};
constexpr MutantName kMutants[] = {{Mutant::kAckBeforeStored, "ack-before-stored"},
                                   {Mutant::kNewestSiblingWins, "newest-sibling-wins"},
                                   {Mutant::kSiblingLost, "sibling-lost"},
                                   {Mutant::kControlForgotten, "control-forgotten"},
                                   {Mutant::kNothingRepaired, "nothing-repaired"}};

[[noreturn]] void Refuse(const char* what, std::string_view argument) {
  std::fprintf(stderr, "%s: %.*s\n%.*s", what, static_cast<int>(argument.size()), argument.data(),
               static_cast<int>(kUsage.size()), kUsage.data());
  std::exit(2);
}

void SetFaults(std::string_view text, SimulationOptions* options) {
  if (text == "all") return;
  options->swarm = false;
  options->faults = FaultSet();
  if (text == "none") return;
  while (!text.empty()) {
    const std::string_view name = text.substr(0, text.find(','));
    const auto kind = ParseFaultKind(name);
    if (!kind) Refuse("no such fault", name);
    options->faults.Add(*kind);
    text.remove_prefix(std::min(name.size() + 1, text.size()));
  }
}

void SetMutant(std::string_view name, SimulationOptions* options) {
  for (const MutantName& known : kMutants) {
    if (known.name == name) options->mutant = known.mutant;
  }
  if (options->mutant == Mutant::kNone) Refuse("no such mutant", name);
}

// CHANGE,FAULT,ROLE
Cell ParseCell(std::string_view text) {
  std::array<std::string_view, 3> words;
  for (std::string_view& word : words) {
    word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  const auto kind = [](const auto& kinds, std::string_view name) {
    for (const FaultKind known : kinds) {
      if (Name(known) == name) return known;
    }
    Refuse("not of the matrix", name);
  };
  Cell cell;
  cell.change = kind(kCellChanges, words[0]);
  cell.fault = kind(kCellFaults, words[1]);
  for (const Role role : kCellRoles) {
    if (kRoleNames[static_cast<size_t>(role)] == words[2]) {
      cell.role = role;
      return cell;
    }
  }
  Refuse("not of the matrix", words[2]);
}

std::string NameOf(const Cell& cell) {
  return std::string(Name(cell.change)) + "," + std::string(Name(cell.fault)) + "," +
         std::string(kRoleNames[static_cast<size_t>(cell.role)]);
}

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--trace") {
      arguments.one.trace = [](const std::string& line) { std::puts(line.c_str()); };
      continue;
    }
    if (i + 1 == argc) Refuse("no value for", flag);
    const std::string_view value = argv[++i];
    const auto parsed = ParseUnsigned(value);
    const uint64_t number = parsed.value_or(0);
    if (flag == "--cell") {
      arguments.one.cell = ParseCell(value);
    } else if (flag == "--faults") {
      arguments.faults = value;
      SetFaults(value, &arguments.one);
    } else if (flag == "--mutant") {
      arguments.mutant = value;
      arguments.most_failures = 1;
      SetMutant(value, &arguments.one);
    } else if (!parsed) {
      Refuse("not a number", value);
    } else if (flag == "--seed") {
      arguments.one.seed = number;
    } else if (flag == "--seeds") {
      arguments.seeds = number;
    } else if (flag == "--matrix" && number >= 1) {
      arguments.matrix_seeds = number;
    } else if (flag == "--failures" && number >= 1) {
      arguments.most_failures = number;
    } else if (flag == "--nodes" && number >= 1 && number <= 15) {
      arguments.one.nodes = static_cast<int>(number);
    } else if (flag == "--seconds") {
      arguments.one.seconds = static_cast<int64_t>(number);
    } else if (flag == "--ops-per-second" && number > 0 && number <= 100'000) {
      arguments.one.ops_per_second = static_cast<uint32_t>(number);
    } else {
      Refuse("unknown flag, or a value out of range", flag);
    }
  }
  return arguments;
}

void PrintHits(const FaultHits& hits) {
  std::printf("hits:");
  for (size_t i = 0; i < kFaultKinds; ++i) {
    const auto kind = static_cast<FaultKind>(i);
    std::printf(" %.*s %llu", static_cast<int>(Name(kind).size()), Name(kind).data(),
                static_cast<unsigned long long>(hits.Of(kind)));
  }
  std::printf("\n");
}

std::string Replay(const Arguments& arguments, uint64_t seed) {
  const SimulationOptions& one = arguments.one;
  const std::string nodes = one.nodes == 0 ? "" : " --nodes " + std::to_string(one.nodes);
  std::string line = "cartwheel-sim --seed " + std::to_string(seed) + nodes + " --seconds " +
                     std::to_string(one.seconds) + " --ops-per-second " +
                     std::to_string(one.ops_per_second) + " --faults " + arguments.faults;
  if (!arguments.mutant.empty()) line += " --mutant " + arguments.mutant;
  if (one.cell) line += " --cell " + NameOf(*one.cell);
  return line;
}

struct Totals {
  uint64_t seeds = 0;
  uint64_t failed = 0;
  uint64_t hash = 0;
  int64_t simulated_us = 0;
  FaultHits hits;
  Checker::Counts counts;

  void Join(const Totals& other) {
    seeds += other.seeds;
    failed += other.failed;
    hash = hash * 31 + other.hash;
    simulated_us += other.simulated_us;
    hits.Add(other.hits);
    counts.operations += other.counts.operations;
    counts.acknowledged_writes += other.counts.acknowledged_writes;
    counts.unknown_writes += other.counts.unknown_writes;
    counts.reads += other.counts.reads;
    counts.failed_reads += other.counts.failed_reads;
    counts.versions += other.counts.versions;
    counts.sloppy += other.counts.sloppy;
    counts.dropped += other.counts.dropped;
    counts.twins += other.counts.twins;
    counts.twins_back += other.counts.twins_back;
    counts.twins_shown += other.counts.twins_shown;
  }
};

void Add(const SimulationResult& result, Totals* totals) {
  Totals one;
  one.seeds = 1;
  one.hash = result.trace_hash;
  one.simulated_us = result.simulated_us;
  one.hits = result.hits;
  one.counts = result.counts;
  totals->Join(one);
}

void PrintTotals(const Totals& totals, double seconds) {
  const auto print = [](const char* name, uint64_t value) {
    std::printf(" %s %llu", name, static_cast<unsigned long long>(value));
  };
  PrintHits(totals.hits);
  std::printf("clients:");
  print("operations", totals.counts.operations);
  print("acknowledged-writes", totals.counts.acknowledged_writes);
  print("unknown-writes", totals.counts.unknown_writes);
  print("reads", totals.counts.reads);
  print("failed-reads", totals.counts.failed_reads);
  print("versions", totals.counts.versions);
  print("sloppy", totals.counts.sloppy);
  print("dropped", totals.counts.dropped);
  print("twins", totals.counts.twins);
  print("twins-back", totals.counts.twins_back);
  print("twins-shown", totals.counts.twins_shown);
  const double simulated = static_cast<double>(totals.simulated_us) / 1e6;
  std::printf("\nseeds %llu, failed %llu, %.1f simulated hours in %.1f s (%.0f times real time)\n",
              static_cast<unsigned long long>(totals.seeds),
              static_cast<unsigned long long>(totals.failed), simulated / 3600, seconds,
              simulated / seconds);
  std::printf("trace hash %016llx\n", static_cast<unsigned long long>(totals.hash));
}

// A kind that was asked for and never struck in so many seeds is not tested.
bool AllStruck(const Arguments& arguments, const Totals& totals) {
  if (totals.seeds < 200 || arguments.matrix_seeds > 0 || arguments.one.cell) return true;
  for (size_t i = 0; i < kFaultKinds; ++i) {
    const auto kind = static_cast<FaultKind>(i);
    if (!arguments.one.faults.Has(kind) || totals.hits.Of(kind) > 0) continue;
    std::printf("the fault %.*s never struck\n", static_cast<int>(Name(kind).size()),
                Name(kind).data());
    return false;
  }
  return true;
}

// Plays a seed; false when it failed.
bool Play(const Arguments& arguments, uint64_t seed, Totals* totals) {
  SimulationOptions options = arguments.one;
  options.seed = seed;
  const SimulationResult result = Simulate(options);
  Add(result, totals);
  if (!result.failure) return true;
  ++totals->failed;
  std::printf("seed %llu failed after %.3f s: %s\nreplay: %s\n",
              static_cast<unsigned long long>(seed), static_cast<double>(result.simulated_us) / 1e6,
              result.failure->c_str(), Replay(arguments, seed).c_str());
  std::fflush(stdout);
  return false;
}

// Every change with every fault of every role, each cell its own seeds; a table of how many of them
// were well, and of how often the cell's change was made and its fault struck.
void PlayMatrix(Arguments arguments, Totals* totals) {
  std::string table = "change  fault        ";
  for (const std::string_view role : kRoleNames) table += " " + std::string(role);
  table += "   (seeds that were well / changes / faults)\n";
  uint64_t seed = arguments.one.seed;
  for (const FaultKind change : kCellChanges) {
    for (const FaultKind fault : kCellFaults) {
      char name[64];
      std::snprintf(name, sizeof(name), "%-8s%-13s", std::string(Name(change)).c_str(),
                    std::string(Name(fault)).c_str());
      table += name;
      for (const Role role : kCellRoles) {
        arguments.one.cell = Cell{change, fault, role};
        Totals cell;
        for (uint64_t i = 0; i < arguments.matrix_seeds; ++i) Play(arguments, seed++, &cell);
        table += " " + std::to_string(cell.seeds - cell.failed) + "/" +
                 std::to_string(cell.hits.Of(change)) + "/" + std::to_string(cell.hits.Of(fault));
        totals->Join(cell);
      }
      table += "\n";
    }
  }
  std::fputs(table.c_str(), stdout);
}

int Main(int argc, char** argv) {
  const Arguments arguments = Parse(argc, argv);
  const auto start = std::chrono::steady_clock::now();
  Totals totals;
  if (arguments.matrix_seeds > 0) {
    PlayMatrix(arguments, &totals);
  } else {
    for (uint64_t i = 0; i < arguments.seeds; ++i) {
      const bool well = Play(arguments, arguments.one.seed + i, &totals);
      if (!well && totals.failed >= arguments.most_failures) break;
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  PrintTotals(totals, took.count());
  if (!arguments.mutant.empty()) return totals.failed > 0 ? 0 : 1;
  return totals.failed == 0 && AllStruck(arguments, totals) ? 0 : 1;
}

}  // namespace
}  // namespace cartwheel::sim

int main(int argc, char** argv) { return cartwheel::sim::Main(argc, argv); }
