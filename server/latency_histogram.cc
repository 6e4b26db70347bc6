#include "server/latency_histogram.h"

#include <algorithm>
#include <cmath>

namespace cartwheel {
namespace {

constexpr uint64_t kFirstStepNs = 1024;

}  // namespace

uint64_t LatencyHistogram::GreatestOf(uint32_t bucket) {
  constexpr uint32_t kHalf = 1u << (kBits - 1);
  if (bucket < 2 * kHalf) return bucket;
  const uint32_t shift = bucket / kHalf - 1;
  const uint64_t least = uint64_t{bucket - shift * kHalf} << shift;
  return least + (uint64_t{1} << shift) - 1;
}

uint64_t LatencyHistogram::AtPercentile(double percentile) const {
  const auto wanted =
      static_cast<uint64_t>(std::llround(percentile / 100 * static_cast<double>(total_)));
  uint64_t seen = 0;
  for (uint32_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen >= std::max<uint64_t>(wanted, 1)) return GreatestOf(bucket);
  }
  return 0;
}

std::vector<LatencyHistogram::Step> LatencyHistogram::Steps() const {
  std::vector<Step> steps;
  uint64_t seen = 0;
  uint32_t bucket = 0;
  for (uint64_t ns = kFirstStepNs; seen < total_; ns *= 2) {
    const uint64_t before = seen;
    const uint32_t last = BucketOf(std::min(ns, kMostNs));
    while (bucket <= last) seen += counts_[bucket++];
    if (seen > before) steps.push_back({GreatestOf(last), seen});
  }
  return steps;
}

}  // namespace cartwheel
