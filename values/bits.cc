#include "values/bits.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace cartwheel {
namespace {

constexpr uint64_t kWordBytes = sizeof(uint64_t);

uint8_t ByteAt(std::string_view bytes, uint64_t index) {
  return index < bytes.size() ? static_cast<uint8_t>(bytes[index]) : 0;
}

uint64_t WordAt(std::string_view bytes, uint64_t index) {
  uint64_t word;
  std::memcpy(&word, bytes.data() + index, kWordBytes);
  return word;
}

// The bits of a byte from the `skip`th on, and those before the `keep`th.
uint8_t From(uint64_t skip) { return static_cast<uint8_t>(0xff >> skip); }
uint8_t Before(uint64_t keep) { return static_cast<uint8_t>(~(0xff >> keep)); }

void Fold(Bitwise operation, std::string_view source, std::string* result) {
  char* const out = result->data();
  const auto set = [out](size_t i, int byte) { out[i] = static_cast<char>(byte); };
  const size_t size = source.size();
  switch (operation) {
    case Bitwise::kAnd:
      for (size_t i = 0; i < size; ++i) set(i, out[i] & source[i]);
      std::fill(result->begin() + static_cast<ptrdiff_t>(size), result->end(), '\0');
      return;
    case Bitwise::kOr:
      for (size_t i = 0; i < size; ++i) set(i, out[i] | source[i]);
      return;
    case Bitwise::kXor:
      for (size_t i = 0; i < size; ++i) set(i, out[i] ^ source[i]);
      return;
    case Bitwise::kNot: CHECK(false);
  }
}

}  // namespace

bool BitAt(std::string_view bytes, uint64_t offset) {
  return ((ByteAt(bytes, offset / 8) >> (7 - offset % 8)) & 1) != 0;
}

void PutBit(std::string* bytes, uint64_t offset, bool bit) {
  CHECK(offset / 8 < bytes->size());
  char& byte = (*bytes)[offset / 8];
  const int mask = 1 << (7 - offset % 8);
  byte = static_cast<char>(bit ? byte | mask : byte & ~mask);
}

uint64_t CountBits(std::string_view bytes, uint64_t begin, uint64_t end) {
  if (begin >= end) return 0;
  CHECK((end - 1) / 8 < bytes.size());
  const auto ones = [&bytes](uint64_t index, uint8_t mask) {
    return static_cast<uint64_t>(std::popcount(static_cast<uint8_t>(ByteAt(bytes, index) & mask)));
  };
  uint64_t index = begin / 8;
  const uint64_t last = end / 8;  // the byte that only its first bits count of
  if (index == last) return ones(index, From(begin % 8) & Before(end % 8));
  uint64_t count = ones(index++, From(begin % 8));
  for (; index + kWordBytes <= last; index += kWordBytes) {
    count += static_cast<uint64_t>(std::popcount(WordAt(bytes, index)));
  }
  for (; index < last; ++index) count += ones(index, 0xff);
  return count + ones(last, Before(end % 8));
}

std::optional<uint64_t> FindBit(std::string_view bytes, bool bit, uint64_t begin, uint64_t end) {
  if (begin >= end) return std::nullopt;
  CHECK((end - 1) / 8 < bytes.size());
  // Turned so that a one is looked for.
  const uint64_t flip = bit ? 0 : UINT64_MAX;
  for (uint64_t index = begin / 8; index * 8 < end; ++index) {
    if (begin <= index * 8) {
      while (index + kWordBytes <= bytes.size() && WordAt(bytes, index) == flip) {
        index += kWordBytes;
      }
    }
    auto byte = static_cast<uint8_t>(ByteAt(bytes, index) ^ flip);
    if (index == begin / 8) byte &= From(begin % 8);
    if (byte == 0) continue;
    const uint64_t found = index * 8 + static_cast<uint64_t>(std::countl_zero(byte));
    return found < end ? std::optional(found) : std::nullopt;
  }
  return std::nullopt;
}

std::string Combine(Bitwise operation, std::span<const std::string_view> sources) {
  CHECK(!sources.empty() && (operation != Bitwise::kNot || sources.size() == 1));
  std::string result(sources[0]);
  if (operation == Bitwise::kNot) {
    for (char& byte : result) byte = static_cast<char>(~byte);
    return result;
  }
  size_t longest = 0;
  for (const std::string_view source : sources) longest = std::max(longest, source.size());
  result.resize(longest);
  for (const std::string_view source : sources.subspan(1)) Fold(operation, source, &result);
  return result;
}

}  // namespace cartwheel
