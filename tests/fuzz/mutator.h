// Mutator: new inputs for a fuzz target from the files of its corpus, where no libFuzzer is: flips,
// insertions, deletions, two files spliced, words and numbers put in the place of others. It sees
// no coverage; the corpus has to bring the target to the interesting places. The same seed gives
// the same inputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace cartwheel {

class Mutator {
 public:
  // Inputs get no longer than this, or than the longest of the corpus.
  static constexpr size_t kMaxBytes = 4096;

  // Half of the inputs come from each list; `others` may be empty, `corpus` may not, and its words
  // are the dictionary. Both outlive it.
  Mutator(uint64_t seed, const std::vector<std::string>* corpus,
          const std::vector<std::string>* others);

  std::string Next();

 private:
  void Change(std::string* input);
  void Splice(std::string* input);
  void ReplaceNumber(std::string* input);
  void PutWord(std::string* input);
  std::string_view Pick();
  // Somewhere in the input, or at its end.
  size_t Place(std::string_view input) { return random_.Below(input.size() + 1); }
  char Byte() { return static_cast<char>(random_.Below(256)); }

  Random random_;
  const std::vector<std::string>* corpus_;
  const std::vector<std::string>* others_;
  std::vector<std::string_view> words_;
  size_t max_bytes_ = kMaxBytes;
};

}  // namespace cartwheel
