// Bits of a byte string, as SETBIT and its kin number them: bit 0 is the most significant of the
// first byte. What lies past the end is zero.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cartwheel {

bool BitAt(std::string_view bytes, uint64_t offset);
// The bit must be within the string.
void PutBit(std::string* bytes, uint64_t offset, bool bit);

// Both over the bits [begin, end), which must be within the string.
uint64_t CountBits(std::string_view bytes, uint64_t begin, uint64_t end);
std::optional<uint64_t> FindBit(std::string_view bytes, bool bit, uint64_t begin, uint64_t end);

enum class Bitwise : uint8_t { kAnd, kOr, kXor, kNot };

// BITOP: as long as the longest source, the others filled up with zeros. kNot takes one source.
std::string Combine(Bitwise operation, std::span<const std::string_view> sources);

}  // namespace cartwheel
