#include "values/lcs.h"

#include <algorithm>

namespace cartwheel {
namespace {

// Fills the table row by row and keeps the last. Where the characters differ, visit(i, j, up) is
// told whether the better of the two neighbours is the one with a shorter prefix of a; of two equal
// ones it is not.
template <typename Visit>
uint64_t FillTable(std::string_view a, std::string_view b, Visit visit) {
  std::vector<uint32_t> above(b.size() + 1, 0);
  std::vector<uint32_t> row(b.size() + 1, 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      if (a[i - 1] == b[j - 1]) {
        row[j] = above[j - 1] + 1;
        continue;
      }
      visit(i, j, above[j] > row[j - 1]);
      row[j] = std::max(above[j], row[j - 1]);
    }
    row.swap(above);
  }
  return above.back();
}

}  // namespace

CommonSubsequence LongestCommonSubsequence(std::string_view a, std::string_view b) {
  CommonSubsequence common;
  std::vector<bool> ups((a.size() + 1) * (b.size() + 1));
  const size_t width = b.size() + 1;
  common.length =
      FillTable(a, b, [&ups, width](size_t i, size_t j, bool up) { ups[i * width + j] = up; });
  size_t i = a.size();
  size_t j = b.size();
  while (i > 0 && j > 0) {
    if (a[i - 1] != b[j - 1]) {
      --(ups[i * width + j] ? i : j);
      continue;
    }
    CommonRun run;
    while (i > 0 && j > 0 && a[i - 1] == b[j - 1]) {
      --i;
      --j;
      ++run.length;
    }
    run.a_first = i;
    run.b_first = j;
    common.runs.push_back(run);
  }
  return common;
}

uint64_t LongestCommonLength(std::string_view a, std::string_view b) {
  return FillTable(a, b, [](size_t, size_t, bool) {});
}

}  // namespace cartwheel
