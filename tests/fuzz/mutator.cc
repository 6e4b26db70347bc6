#include "tests/fuzz/mutator.h"

#include <algorithm>
#include <unordered_set>

#include "base/check.h"

namespace cartwheel {
namespace {

constexpr size_t kMaxWordBytes = 32;
constexpr size_t kMaxWords = 4096;
constexpr size_t kMaxPiece = 64;

constexpr std::string_view kNumbers[] = {
    "0",          "1",
    "-1",         "2",
    "9",          "10",
    "16",         "64",
    "65",         "100",
    "255",        "256",
    "1024",       "16383",
    "16384",      "65536",
    "2147483647", "2147483648",
    "4294967295", "4294967296",
    "-0",         "00",
    "1e17",       "0.1",
    "nan",        "inf",
    "99999999",   "4503599627370496",
    "-2",         "9223372036854775807",
    "",           "-9223372036854775808",
    "+1",         "18446744073709551616",
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool SplitsWords(char c) { return static_cast<unsigned char>(c) <= ' '; }

}  // namespace

Mutator::Mutator(uint64_t seed, const std::vector<std::string>* corpus,
                 const std::vector<std::string>* others)
    : random_(seed), corpus_(corpus), others_(others) {
  CHECK(!corpus->empty());
  std::unordered_set<std::string_view> known;
  for (const std::string& input : *corpus) {
    max_bytes_ = std::max(max_bytes_, input.size());
    for (auto at = input.begin(); at != input.end() && words_.size() < kMaxWords;) {
      at = std::find_if_not(at, input.end(), SplitsWords);
      const auto end = std::find_if(at, input.end(), SplitsWords);
      const std::string_view word(at, end);
      at = end;
      if (word.empty() || word.size() > kMaxWordBytes) continue;
      if (known.insert(word).second) words_.push_back(word);
    }
  }
}

std::string_view Mutator::Pick() {
  const bool other = !others_->empty() && random_.Chance(1, 2);
  const std::vector<std::string>& from = other ? *others_ : *corpus_;
  return from[random_.Below(from.size())];
}

std::string Mutator::Next() {
  std::string input(Pick());
  do {
    Change(&input);
  } while (random_.Chance(2, 3));
  if (input.size() > max_bytes_) input.resize(max_bytes_);
  return input;
}

void Mutator::Change(std::string* input) {
  const size_t at = Place(*input);
  const size_t left = input->size() - at;
  const size_t piece = random_.Below(std::min(left, kMaxPiece) + 1);
  switch (random_.Below(9)) {
    case 0:
      if (left > 0) (*input)[at] = static_cast<char>((*input)[at] ^ (1 << random_.Below(8)));
      break;
    case 1:
      if (left > 0) (*input)[at] = Byte();
      break;
    case 2:
      input->insert(input->begin() + static_cast<ptrdiff_t>(at), 1 + random_.Below(4), Byte());
      break;
    case 3: input->erase(at, piece); break;
    case 4: input->insert(Place(*input), input->substr(at, piece)); break;
    case 5: input->resize(at); break;
    case 6: Splice(input); break;
    case 7: ReplaceNumber(input); break;
    default: PutWord(input); break;
  }
}

// The front of one and the end of another, or a piece of another in the middle.
void Mutator::Splice(std::string* input) {
  const std::string_view other = Pick();
  const std::string_view rest = other.substr(Place(other));
  const size_t at = Place(*input);
  if (random_.Chance(1, 2)) {
    input->replace(at, input->size() - at, rest);
  } else {
    input->insert(at, rest.substr(0, random_.Below(rest.size() + 1)));
  }
}

void Mutator::ReplaceNumber(std::string* input) {
  const auto from = input->begin() + static_cast<ptrdiff_t>(Place(*input));
  const auto begin = std::find_if(from, input->end(), IsDigit);
  const auto end = std::find_if_not(begin, input->end(), IsDigit);
  if (begin == end) return;
  input->replace(begin, end, kNumbers[random_.Below(std::size(kNumbers))]);
}

// In the place of a word, or anywhere.
void Mutator::PutWord(std::string* input) {
  if (words_.empty()) return;
  const std::string_view word = words_[random_.Below(words_.size())];
  auto begin = input->begin() + static_cast<ptrdiff_t>(Place(*input));
  auto end = begin;
  if (random_.Chance(2, 3)) {
    begin = std::find_if(std::find_if(begin, input->end(), SplitsWords), input->end(),
                         [](char c) { return !SplitsWords(c); });
    end = std::find_if(begin, input->end(), SplitsWords);
  }
  input->replace(begin, end, word);
}

}  // namespace cartwheel
