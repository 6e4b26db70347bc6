#include "values/hyperloglog.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/coding.h"

namespace cartwheel {
namespace {

constexpr int kIndexBits = 14;
constexpr int kRankBits = 6;
constexpr double kCount = kHllRegisters;
// 1 / (2 ln 2): the bias of many registers.
constexpr double kAlpha = 0.721347520444481703680;
// That of Redis: its HyperLogLogs and ours are the same.
constexpr uint64_t kSeed = 0xadc83b19;

// MurmurHash64A (Austin Appleby), little-endian.
uint64_t Murmur64(std::string_view bytes, uint64_t seed) {
  constexpr uint64_t kFactor = 0xc6a4a7935bd1e995;
  constexpr int kShift = 47;
  const auto scramble = [](uint64_t word) {
    word *= kFactor;
    return (word ^ word >> kShift) * kFactor;
  };
  uint64_t hash = seed ^ bytes.size() * kFactor;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    hash = (hash ^ scramble(GetFixed64(bytes.data()))) * kFactor;
  }
  if (!bytes.empty()) {
    uint64_t tail = 0;
    std::memcpy(&tail, bytes.data(), bytes.size());
    hash = (hash ^ tail) * kFactor;
  }
  hash = (hash ^ hash >> kShift) * kFactor;
  return hash ^ hash >> kShift;
}

// Ertl's sigma: what the registers that nothing chose add, `x` being their share.
double Sigma(double x) {
  if (x == 1) return std::numeric_limits<double>::infinity();
  double weight = 1;
  double sum = x;
  double before;
  do {
    before = sum;
    x *= x;
    sum += x * weight;
    weight += weight;
  } while (sum != before);
  return sum;
}

// Ertl's tau: what the full registers add, `x` being the share of the others.
double Tau(double x) {
  if (x == 0 || x == 1) return 0;
  double weight = 1;
  double sum = 1 - x;
  double before;
  do {
    before = sum;
    x = std::sqrt(x);
    weight *= 0.5;
    sum -= (1 - x) * (1 - x) * weight;
  } while (sum != before);
  return sum / 3;
}

}  // namespace

HllMark MarkOf(std::string_view element) {
  const uint64_t hash = Murmur64(element, kSeed);
  // A bit above the 50 that are left makes the rank of a hash of zeros the greatest.
  const uint64_t rest = hash >> kIndexBits | 1ULL << (64 - kIndexBits);
  return {static_cast<uint16_t>(hash % kHllRegisters),
          static_cast<uint8_t>(std::countr_zero(rest) + 1)};
}

uint64_t EstimateCount(const HllRegisters& registers) {
  // Corrupted ones may hold ranks up to 63, which no element has: they count for nothing.
  std::array<uint32_t, 1 << kRankBits> with_rank{};
  for (const uint8_t rank : registers) ++with_rank[rank];
  double sum = kCount * Tau((kCount - with_rank[kHllMaxRank]) / kCount);
  for (size_t rank = kHllMaxRank - 1; rank >= 1; --rank) sum = 0.5 * (sum + with_rank[rank]);
  sum += kCount * Sigma(with_rank[0] / kCount);
  return static_cast<uint64_t>(std::llround(kAlpha * kCount * kCount / sum));
}

std::string EncodeMarks(std::span<const HllMark> marks) {
  std::string bytes;
  for (const HllMark& mark : marks) {
    PutVarint(&bytes, uint64_t{mark.index} << kRankBits | mark.rank);
  }
  return bytes;
}

std::optional<std::vector<HllMark>> DecodeMarks(std::string_view bytes) {
  std::vector<HllMark> marks;
  Reader in(bytes);
  while (!in.rest().empty()) {
    const uint64_t number = in.Varint();
    const uint64_t index = number >> kRankBits;
    const auto rank = static_cast<uint8_t>(number & ((1 << kRankBits) - 1));
    if (!in.ok() || index >= kHllRegisters || rank == 0 || rank > kHllMaxRank) return std::nullopt;
    marks.push_back({static_cast<uint16_t>(index), rank});
  }
  return marks;
}

}  // namespace cartwheel
