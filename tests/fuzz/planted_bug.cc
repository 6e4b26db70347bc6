// A fuzz target with bugs, to see that replay_corpus.cc finds them and writes the input down
// (planted_bug_test.py). How it fails is in the first byte of the input, that it fails takes a word
// of one file of the corpus as the last of another.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"

namespace {

int g_depth = 0;
volatile int* volatile g_nowhere = nullptr;

// Not a loop: the compiler may not see that nothing ends it.
int Recurse(volatile const char* bytes, int depth) {
  volatile char room[1024];
  room[0] = bytes[0];
  g_depth = depth;
  return room[0] == bytes[0] ? Recurse(room, depth + 1) + room[0] : depth;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (!input.ends_with("LIMIT")) return 0;
  CHECK(!input.starts_with("c"));
  if (input.starts_with("s")) *g_nowhere = 1;
  if (input.starts_with("r")) return Recurse(input.data(), 0) & 0;
  return 0;
}
