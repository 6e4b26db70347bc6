#include "base/glob.h"

#include <cstddef>
#include <utility>

namespace cartwheel {
namespace {

// A pattern with more of them, side by side counted as one and not at its end, matches nothing: as
// in Redis, which bounds its recursion so.
constexpr size_t kMostStars = 1000;

unsigned char Fold(char c, bool ignore_case) {
  if (ignore_case && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return static_cast<unsigned char>(c);
}

// Matches one character against the class that begins after '['; moves `at` past the class.
bool ClassMatches(std::string_view pattern, size_t* at, char c, bool ignore_case) {
  const unsigned char wanted = Fold(c, ignore_case);
  size_t i = *at;
  const bool negated = i < pattern.size() && pattern[i] == '^';
  if (negated) ++i;
  bool found = false;
  while (i < pattern.size() && pattern[i] != ']') {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      // An escaped character stands for itself, in its own case.
      found |= pattern[i + 1] == c;
      i += 2;
    } else if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
      unsigned char first = Fold(pattern[i], ignore_case);
      unsigned char last = Fold(pattern[i + 2], ignore_case);
      if (first > last) std::swap(first, last);
      found |= wanted >= first && wanted <= last;
      i += 3;
    } else {
      found |= Fold(pattern[i], ignore_case) == wanted;
      ++i;
    }
  }
  *at = i < pattern.size() ? i + 1 : i;
  return found != negated;
}

// Matches one character of the text against the pattern's next element, which is not '*'.
bool ElementMatches(std::string_view pattern, size_t* at, char c, bool ignore_case) {
  const char element = pattern[(*at)++];
  if (element == '?') return true;
  if (element == '[') return ClassMatches(pattern, at, c, ignore_case);
  if (element == '\\' && *at < pattern.size()) {
    return Fold(pattern[(*at)++], ignore_case) == Fold(c, ignore_case);
  }
  return Fold(element, ignore_case) == Fold(c, ignore_case);
}

// Only the last '*' that was met ever needs to take more of the text: an earlier one could gain
// nothing by it. That is what bounds the time.
bool Matches(std::string_view pattern, std::string_view text, bool ignore_case) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;  // after the last '*'
  size_t star_text = 0;                  // where the text goes on behind what that '*' took
  size_t stars = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      while (p < pattern.size() && pattern[p] == '*') ++p;
      if (p < pattern.size() && ++stars > kMostStars) return false;
      star = p;
      star_text = t;
      continue;
    }
    if (p < pattern.size() && ElementMatches(pattern, &p, text[t], ignore_case)) {
      ++t;
      continue;
    }
    if (star == std::string_view::npos) return false;
    p = star;
    t = ++star_text;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

bool GlobMatches(std::string_view pattern, std::string_view text) {
  return Matches(pattern, text, false);
}

bool GlobMatchesIgnoringCase(std::string_view pattern, std::string_view text) {
  return Matches(pattern, text, true);
}

}  // namespace cartwheel
