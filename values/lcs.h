// LCS: the longest common subsequence of two byte strings, by the textbook's table (Cormen et al.,
// "Introduction to Algorithms", section 15.4). Time is the product of the lengths; memory a bit for
// each cell. Of several that are equally long it is the one that Redis finds.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace cartwheel {

// a[a_first, a_first + length) equals b[b_first, b_first + length).
struct CommonRun {
  uint64_t a_first = 0;
  uint64_t b_first = 0;
  uint64_t length = 0;
  bool operator==(const CommonRun&) const = default;
};

struct CommonSubsequence {
  uint64_t length = 0;
  std::vector<CommonRun> runs;  // as long as they can be, from the last to the first
};

CommonSubsequence LongestCommonSubsequence(std::string_view a, std::string_view b);
// Its length alone, in the memory of two rows.
uint64_t LongestCommonLength(std::string_view a, std::string_view b);

}  // namespace cartwheel
