#include "values/hyperloglog_check.h"

#include <cmath>
#include <memory>

#include "base/random.h"
#include "values/hyperloglog_coding.h"

namespace cartwheel {
namespace {

constexpr uint64_t kSeed = 7;
constexpr uint64_t kElements = 200'000;
// The standard error of 16384 registers is 0.81 %; past five of it something is wrong.
constexpr double kMostError = 5 * 1.04 / 128;

// Whether registers read back from a value as they were written.
bool ReadsBack(const HllRegisters& registers, const std::string& value) {
  HllRegisters read{};
  return IsHyperLogLog(value) && MergeRegisters(value, &read) && read == registers;
}

std::string CheckCoding() {
  Random random(kSeed);
  HllRegisters registers{};
  for (uint8_t& rank : registers) rank = static_cast<uint8_t>(random.Below(64));
  if (!ReadsBack(registers, EncodeHyperLogLog(registers, true, 0, 0))) {
    return "dense registers do not read back";
  }
  for (uint8_t& rank : registers) {
    rank = static_cast<uint8_t>(random.Below(4) == 0 ? random.Below(33) : 0);
  }
  const std::string sparse = EncodeHyperLogLog(registers, false, UINT64_MAX, 0);
  if (IsDense(sparse) || !ReadsBack(registers, sparse)) return "sparse registers do not read back";
  return {};
}

std::string CheckEstimates() {
  Random random(kSeed);
  const uint64_t salt = random.Next();
  HllRegisters registers{};
  uint64_t checkpoint = 1;
  for (uint64_t count = 1; count <= kElements; ++count) {
    const uint64_t element = count ^ salt;
    Raise(&registers, MarkOf({reinterpret_cast<const char*>(&element), sizeof(element)}));
    if (count != checkpoint && count != kElements) continue;
    checkpoint *= 10;
    const auto estimate = static_cast<double>(EstimateCount(registers));
    const auto exact = static_cast<double>(count);
    // Few elements are off by one or two where some meet in a register.
    if (std::abs(estimate - exact) > std::max(2.0, kMostError * exact)) {
      return "of " + std::to_string(count) + " elements " +
             std::to_string(EstimateCount(registers)) + " are counted";
    }
  }
  return {};
}

}  // namespace

std::string CheckHyperLogLog() {
  std::string failure = CheckCoding();
  return failure.empty() ? CheckEstimates() : failure;
}

}  // namespace cartwheel
