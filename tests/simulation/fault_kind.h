// FaultKind: what may happen to a ring in a simulation, and how often each did (its hits): what
// goes wrong, and what its operators do.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cartwheel::sim {

enum class FaultKind : uint8_t {
  kDelay,
  kLoss,
  kDuplicate,
  kReorder,
  kOneWayCut,
  kTwoWayCut,
  kBridgeCut,
  kClog,
  kHalfOpen,
  kPause,
  kSlowNode,
  kClockJump,
  kClockDrift,
  kCrash,
  kCommitCrash,
  kTailLoss,
  kFlippedRecord,
  kDiskFull,
  kWipedData,
  kBlackout,
  kOutage,
  kRestoredCopy,
  // The ring's operators.
  kJoin,
  kLeave,
  kRemove,
  kReplace,
};
inline constexpr size_t kFaultKinds = 26;

inline constexpr std::array<std::string_view, kFaultKinds> kFaultNames = {
    "delay",       "loss",     "duplicate",    "reorder",       "one-way-cut",    "two-way-cut",
    "bridge-cut",  "clog",     "half-open",    "pause",         "slow-node",      "clock-jump",
    "clock-drift", "crash",    "commit-crash", "tail-loss",     "flipped-record", "disk-full",
    "wiped-data",  "blackout", "outage",       "restored-copy", "join",           "leave",
    "remove",      "replace"};

inline std::string_view Name(FaultKind kind) { return kFaultNames[static_cast<size_t>(kind)]; }

inline std::optional<FaultKind> ParseFaultKind(std::string_view name) {
  for (size_t i = 0; i < kFaultKinds; ++i) {
    if (kFaultNames[i] == name) return static_cast<FaultKind>(i);
  }
  return std::nullopt;
}

// A set of kinds.
class FaultSet {
 public:
  static FaultSet All() {
    FaultSet set;
    set.bits_ = (1U << kFaultKinds) - 1;
    return set;
  }
  void Add(FaultKind kind) { bits_ |= 1U << static_cast<uint32_t>(kind); }
  void Remove(FaultKind kind) { bits_ &= ~(1U << static_cast<uint32_t>(kind)); }
  bool Has(FaultKind kind) const { return (bits_ >> static_cast<uint32_t>(kind) & 1U) != 0; }
  bool empty() const { return bits_ == 0; }

 private:
  uint32_t bits_ = 0;
};

class FaultHits {
 public:
  void Count(FaultKind kind) { ++hits_[static_cast<size_t>(kind)]; }
  uint64_t Of(FaultKind kind) const { return hits_[static_cast<size_t>(kind)]; }
  void Add(const FaultHits& other) {
    for (size_t i = 0; i < kFaultKinds; ++i) hits_[i] += other.hits_[i];
  }

 private:
  std::array<uint64_t, kFaultKinds> hits_{};
};

}  // namespace cartwheel::sim
