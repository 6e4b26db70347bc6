// The main of a fuzz target that is built without libFuzzer.
//   fuzz_NAME [--seconds N] [--seed N] [--findings DIRECTORY] FILE_OR_DIRECTORY...
// Feeds the target every file named, those of a directory in order of name, then its own inputs if
// it has some, then, for N seconds, mutations of them all. An input that fails is written to
// DIRECTORY, by default the current one. An empty or missing corpus fails: such a test would test
// nothing.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/failing_input.h"
#include "tests/fuzz/mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// What a target may bring besides its files: writes its input of that number to `out`, 0: no more.
extern "C" __attribute__((weak)) size_t FuzzSeed(size_t number, uint8_t* out, size_t room);

namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::vector<std::filesystem::path> files;
  int64_t seconds = 0;
  uint64_t seed = std::random_device()();
  std::string findings = ".";
  std::string name;
};

void AddFiles(const std::filesystem::path& path, std::vector<std::filesystem::path>* files) {
  if (!std::filesystem::is_directory(path)) return files->push_back(path);
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.is_regular_file()) files->push_back(entry.path());
  }
}

Arguments Read(int argc, char** argv) {
  Arguments arguments;
  arguments.name = std::filesystem::path(argv[0]).filename();
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool more = i + 1 < argc;
    if (word == "--seconds" && more) {
      arguments.seconds = std::strtoll(argv[++i], nullptr, 10);
    } else if (word == "--seed" && more) {
      arguments.seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (word == "--findings" && more) {
      arguments.findings = argv[++i];
    } else {
      AddFiles(argv[i], &arguments.files);
    }
  }
  std::sort(arguments.files.begin(), arguments.files.end());
  return arguments;
}

void Run(std::string_view input) {
  // An exact copy on the heap, so that ASan sees a read past its end.
  const std::vector<uint8_t> exact(input.begin(), input.end());
  cartwheel::NoteInput(exact.data(), exact.size());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  cartwheel::NoteInput(nullptr, 0);
}

std::vector<std::string> RunOwnInputs() {
  std::vector<std::string> own;
  if (FuzzSeed == nullptr) return own;
  std::vector<uint8_t> room(cartwheel::Mutator::kMaxBytes);
  while (const size_t size = FuzzSeed(own.size(), room.data(), room.size())) {
    own.emplace_back(room.begin(), room.begin() + static_cast<ptrdiff_t>(size));
    Run(own.back());
  }
  std::printf("%zu inputs of the target's own\n", own.size());
  return own;
}

void RunMutations(const Arguments& arguments, const std::vector<std::string>& corpus,
                  const std::vector<std::string>& own) {
  std::printf("%lld s of mutations, seed %llu\n", static_cast<long long>(arguments.seconds),
              static_cast<unsigned long long>(arguments.seed));
  std::fflush(stdout);
  cartwheel::Mutator mutator(arguments.seed, &corpus, &own);
  const auto end = Clock::now() + std::chrono::seconds(arguments.seconds);
  uint64_t count = 0;
  for (; Clock::now() < end; ++count) Run(mutator.Next());
  std::printf("%llu inputs\n", static_cast<unsigned long long>(count));
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = Read(argc, argv);
  if (arguments.files.empty()) {
    std::fprintf(stderr, "no corpus: name a directory with at least one file\n");
    return 1;
  }
  std::filesystem::create_directories(arguments.findings);
  cartwheel::WriteFailingInputTo(arguments.findings + "/" + arguments.name + "-" +
                                 std::to_string(arguments.seed));
  std::vector<std::string> corpus;
  for (const std::filesystem::path& file : arguments.files) {
    std::ifstream in(file, std::ios::binary);
    if (!in) {
      std::fprintf(stderr, "cannot read %s\n", file.c_str());
      return 1;
    }
    corpus.emplace_back((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    std::printf("%s, %zu bytes\n", file.c_str(), corpus.back().size());
    std::fflush(stdout);  // names the culprit if it crashes
    Run(corpus.back());
  }
  const std::vector<std::string> own = RunOwnInputs();
  if (arguments.seconds > 0) RunMutations(arguments, corpus, own);
  return 0;
}
