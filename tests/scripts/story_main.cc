// Plays story files and compares what they print with what they expect; REWRITE=1 in the
// environment writes what they print instead, for a reviewer to read as a diff.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/scripts/story.h"

namespace {

bool Play(const char* path, bool rewrite) {
  std::ifstream in(path);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const auto blocks = cartwheel::sim::ParseStory(text);
  if (blocks.empty()) {
    std::fprintf(stderr, "%s: no story\n", path);
    return false;
  }
  const auto played = cartwheel::sim::PlayStory(blocks);
  if (rewrite) {
    std::ofstream(path) << cartwheel::sim::FormatStory(played);
    return true;
  }
  bool same = true;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (played[i].expected == blocks[i].expected) continue;
    same = false;
    std::fprintf(stderr, "%s: after\n", path);
    for (const auto& command : blocks[i].commands) std::fprintf(stderr, "  %s\n", command.c_str());
    std::fprintf(stderr, "expected:\n%sgot:\n%s\n", blocks[i].expected.c_str(),
                 played[i].expected.c_str());
  }
  return same;
}

}  // namespace

int main(int argc, char** argv) {
  const bool rewrite = std::getenv("REWRITE") != nullptr;
  int failed = argc < 2 ? 1 : 0;
  for (int i = 1; i < argc; ++i) failed += Play(argv[i], rewrite) ? 0 : 1;
  return failed == 0 ? 0 : 1;
}
