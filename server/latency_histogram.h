// LatencyHistogram: how long the calls of one command took, in buckets whose widths grow with their
// values: what is read from it is right to less than one percent (the layout is that of Gil Tene's
// HdrHistogram with two digits). Made when the first value comes: 26 KiB.
#pragma once

#include <cstdint>
#include <vector>

namespace cartwheel {

class LatencyHistogram {
 public:
  // Longer ones count as this: about a minute.
  static constexpr uint64_t kMostNs = (uint64_t{1} << 36) - 1;

  void Add(uint64_t ns) {
    if (counts_.empty()) counts_.resize(BucketOf(kMostNs) + 1);
    ++counts_[BucketOf(ns < kMostNs ? ns : kMostNs)];
    ++total_;
  }
  uint64_t total() const { return total_; }
  // The greatest value of the bucket in which that part of all values (0 to 100) has been seen.
  uint64_t AtPercentile(double percentile) const;

  // So many took no more than `ns`.
  struct Step {
    uint64_t ns;
    uint64_t values;
  };
  // At about 1, 2, 4, 8 ... us, as far as there are values, without steps that add none.
  std::vector<Step> Steps() const;

 private:
  // 256 buckets of 1 ns, then 128 for each power of two.
  static constexpr int kBits = 8;
  static uint32_t BucketOf(uint64_t ns) {
    if (ns < (1u << kBits)) return static_cast<uint32_t>(ns);
    const int shift = 64 - kBits - __builtin_clzll(ns);
    return static_cast<uint32_t>(shift) * (1u << (kBits - 1)) + static_cast<uint32_t>(ns >> shift);
  }
  static uint64_t GreatestOf(uint32_t bucket);

  uint64_t total_ = 0;
  std::vector<uint64_t> counts_;
};

}  // namespace cartwheel
