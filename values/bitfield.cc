#include "values/bitfield.h"

#include <algorithm>

#include "base/check.h"
#include "base/coding.h"
#include "base/decimal.h"

namespace cartwheel {
namespace {

// Fields with room for what is added to them.
using Wide = __int128;
using UnsignedWide = unsigned __int128;

constexpr uint64_t kMaxOffset = (1ULL << 60) - 1;
// A field begins in the first byte of its window and ends in the last at the latest.
constexpr uint64_t kWindowBytes = 9;

uint64_t MaskOf(FieldType type) { return UINT64_MAX >> (64 - type.bits); }

int ShiftOf(FieldType type, uint64_t offset) {
  return static_cast<int>(8 * kWindowBytes - offset % 8 - type.bits);
}

UnsignedWide WindowAt(std::string_view bytes, uint64_t first) {
  UnsignedWide window = 0;
  for (uint64_t index = first; index < first + kWindowBytes; ++index) {
    window = window << 8 | (index < bytes.size() ? static_cast<uint8_t>(bytes[index]) : 0);
  }
  return window;
}

// The low bits as a number of that type.
int64_t Narrow(uint64_t bits, FieldType type) {
  bits &= MaskOf(type);
  const bool negative = type.is_signed && (bits >> (type.bits - 1)) != 0;
  return static_cast<int64_t>(negative ? bits | ~MaskOf(type) : bits);
}

void WriteField(FieldType type, uint64_t offset, int64_t value, std::string* bytes) {
  const uint64_t first = offset / 8;
  const int shift = ShiftOf(type, offset);
  const UnsignedWide mask = UnsignedWide{MaskOf(type)} << shift;
  UnsignedWide window = WindowAt(*bytes, first) & ~mask;
  window |= (UnsignedWide{static_cast<uint64_t>(value)} << shift) & mask;
  const uint64_t end = std::min<uint64_t>(first + kWindowBytes, bytes->size());
  for (uint64_t index = first; index < end; ++index) {
    const auto from_right = 8 * (kWindowBytes - 1 - (index - first));
    (*bytes)[index] = static_cast<char>(window >> from_right);
  }
}

std::optional<int64_t> Fit(Wide wanted, FieldType type, FieldOverflow overflow) {
  const Wide most = type.is_signed ? Wide{MaskOf(type) >> 1} : Wide{MaskOf(type)};
  const Wide least = type.is_signed ? -most - 1 : 0;
  if (wanted < least || wanted > most) {
    switch (overflow) {
      case FieldOverflow::kFail: return std::nullopt;
      case FieldOverflow::kSaturate: return static_cast<int64_t>(wanted > most ? most : least);
      case FieldOverflow::kWrap: break;
    }
  }
  return Narrow(static_cast<uint64_t>(wanted), type);
}

}  // namespace

std::optional<FieldType> ParseFieldType(std::string_view text) {
  if (!text.starts_with('i') && !text.starts_with('u')) return std::nullopt;
  const bool is_signed = text.front() == 'i';
  const std::optional<int64_t> bits = ParseInteger(text.substr(1));
  if (!bits || *bits < 1 || *bits > (is_signed ? 64 : 63)) return std::nullopt;
  return FieldType{is_signed, static_cast<uint8_t>(*bits)};
}

uint64_t ReachOf(std::span<const FieldStep> steps) {
  uint64_t bytes = 0;
  for (const FieldStep& step : steps) {
    if (step.verb == FieldVerb::kGet) continue;
    bytes = std::max(bytes, (step.offset + step.type.bits + 7) / 8);
  }
  return bytes;
}

int64_t ReadField(std::string_view bytes, FieldType type, uint64_t offset) {
  const UnsignedWide window = WindowAt(bytes, offset / 8);
  return Narrow(static_cast<uint64_t>(window >> ShiftOf(type, offset)), type);
}

std::optional<int64_t> TakeStep(const FieldStep& step, std::string* bytes) {
  const int64_t old = ReadField(*bytes, step.type, step.offset);
  if (step.verb == FieldVerb::kGet) return old;
  CHECK(ReachOf({&step, 1}) <= bytes->size());
  Wide wanted = Wide{old} + step.value;
  if (step.verb == FieldVerb::kSet) {
    // Unsigned fields take a negative number for the large one of the same 64 bits.
    wanted = step.type.is_signed ? Wide{step.value} : Wide{static_cast<uint64_t>(step.value)};
  }
  const std::optional<int64_t> value = Fit(wanted, step.type, step.overflow);
  if (!value) return std::nullopt;
  WriteField(step.type, step.offset, *value, bytes);
  return step.verb == FieldVerb::kSet ? old : *value;
}

std::string EncodeSteps(std::span<const FieldStep> steps) {
  std::string bytes;
  for (const FieldStep& step : steps) {
    bytes.push_back(static_cast<char>(static_cast<int>(step.verb) |
                                      static_cast<int>(step.overflow) << 2 |
                                      (step.type.is_signed ? 1 << 4 : 0)));
    bytes.push_back(static_cast<char>(step.type.bits));
    PutVarint(&bytes, step.offset);
    if (step.verb != FieldVerb::kGet) PutVarint(&bytes, static_cast<uint64_t>(step.value));
  }
  return bytes;
}

std::optional<std::vector<FieldStep>> DecodeSteps(std::string_view bytes) {
  std::vector<FieldStep> steps;
  Reader in(bytes);
  while (!in.rest().empty()) {
    const uint8_t head = in.Byte();
    FieldStep step;
    step.verb = static_cast<FieldVerb>(head & 3);
    step.overflow = static_cast<FieldOverflow>((head >> 2) & 3);
    step.type = {(head & 16) != 0, in.Byte()};
    step.offset = in.Varint();
    if (step.verb != FieldVerb::kGet) step.value = static_cast<int64_t>(in.Varint());
    const bool known =
        step.verb <= FieldVerb::kIncrement && step.overflow <= FieldOverflow::kFail && head < 32;
    const bool fits = step.type.bits >= 1 && step.type.bits <= (step.type.is_signed ? 64 : 63) &&
                      step.offset <= kMaxOffset;
    if (!in.ok() || !known || !fits) return std::nullopt;
    steps.push_back(step);
  }
  return steps;
}

}  // namespace cartwheel
