// ComparedVersions: which versions were compared with the replicas that a read does not ask, not
// long ago. A key that is read over and over between two writes need not be compared each time:
// that would cost as much as the reads. Approximate on purpose: it may forget, and once in a
// million times take one version for another; what is missed is compared again after kFreshUs.
#pragma once

#include <cstdint>
#include <vector>

namespace cartwheel {

class ComparedVersions {
 public:
  static constexpr int64_t kFreshUs = 10'000'000;

  // True when the version, by its VersionHash, was noted in the last kFreshUs; notes it otherwise.
  bool Noted(uint64_t version_hash, int64_t mono_us) {
    if (entries_.empty()) entries_.resize(kEntries);
    const auto second = static_cast<uint32_t>(mono_us / 1'000'000) & kSecondMask;
    const uint32_t tag = static_cast<uint32_t>(version_hash >> 32) & ~kSecondMask;
    uint32_t& entry = entries_[version_hash & (kEntries - 1)];
    const uint32_t age = (second - entry) & kSecondMask;
    if ((entry & ~kSecondMask) == tag && age < kFreshUs / 1'000'000) return true;
    entry = tag | second;
    return false;
  }

  // Some replica may have lost or missed what it was compared with.
  void Forget() { entries_.clear(); }

 private:
  // An entry: the hash's top 20 bits, and the second, modulo 4096.
  static constexpr uint32_t kSecondMask = 0xfff;
  static constexpr uint64_t kEntries = uint64_t{1} << 18;  // 1 MiB, once it is used

  std::vector<uint32_t> entries_;
};

}  // namespace cartwheel
