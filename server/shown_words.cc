#include "server/shown_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace cartwheel {
namespace {

constexpr size_t kMostWords = 32;
constexpr size_t kMostBytes = 128;

void AppendNumber(uint32_t number, std::string* out) {
  char bytes[sizeof(number)];
  std::memcpy(bytes, &number, sizeof(number));
  out->append(bytes, sizeof(bytes));
}

uint32_t TakeNumber(std::string_view* in) {
  uint32_t number = 0;
  std::memcpy(&number, in->data(), sizeof(number));
  in->remove_prefix(sizeof(number));
  return number;
}

}  // namespace

// count { size bytes }: the size is the word's own, the bytes are those that are kept.
void PackWords(std::span<const std::string_view> words, std::string* packed) {
  packed->clear();
  AppendNumber(static_cast<uint32_t>(words.size()), packed);
  const size_t kept = words.size() > kMostWords ? kMostWords - 1 : words.size();
  for (const std::string_view word : words.first(kept)) {
    AppendNumber(static_cast<uint32_t>(word.size()), packed);
    packed->append(word.substr(0, kMostBytes));
  }
}

std::vector<std::string> UnpackWords(std::string_view packed) {
  std::vector<std::string> words;
  const uint32_t count = TakeNumber(&packed);
  while (!packed.empty()) {
    const uint32_t size = TakeNumber(&packed);
    const size_t kept = std::min<size_t>(size, kMostBytes);
    std::string& word = words.emplace_back(packed.substr(0, kept));
    packed.remove_prefix(kept);
    if (size > kept) word += fmt::format("... ({} more bytes)", size - kept);
  }
  if (words.size() < count) {
    words.push_back(fmt::format("... ({} more arguments)", count - words.size()));
  }
  return words;
}

}  // namespace cartwheel
