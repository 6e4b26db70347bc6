#include "protocol/inline_command.h"

#include <cstdint>

namespace cartwheel {
namespace {

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char Unescaped(char c) {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
  }
}

// One line: `in` runs ahead of `out`, both over the same bytes.
struct Line {
  char* in;
  char* out;
  char* end;

  // Both run up to the closing quote and past it; false when there is none, or when the word goes
  // on behind it.
  bool DoubleQuoted();
  bool SingleQuoted();
  bool AtWordEnd() const { return in == end || IsBlank(*in); }
};

bool Line::DoubleQuoted() {
  while (in < end) {
    if (end - in >= 4 && in[0] == '\\' && in[1] == 'x' && HexValue(in[2]) >= 0 &&
        HexValue(in[3]) >= 0) {
      *out++ = static_cast<char>(HexValue(in[2]) * 16 + HexValue(in[3]));
      in += 4;
    } else if (end - in >= 2 && in[0] == '\\') {
      *out++ = Unescaped(in[1]);
      in += 2;
    } else if (*in == '"') {
      ++in;
      return AtWordEnd();
    } else {
      *out++ = *in++;
    }
  }
  return false;
}

bool Line::SingleQuoted() {
  while (in < end) {
    if (end - in >= 2 && in[0] == '\\' && in[1] == '\'') {
      *out++ = '\'';
      in += 2;
    } else if (*in == '\'') {
      ++in;
      return AtWordEnd();
    } else {
      *out++ = *in++;
    }
  }
  return false;
}

}  // namespace

bool SplitInlineCommand(char* line, size_t length, std::vector<std::string_view>* words) {
  Line rest{line, line, line + length};
  for (;;) {
    while (rest.in < rest.end && IsBlank(*rest.in)) ++rest.in;
    if (rest.in == rest.end) return true;
    char* const word = rest.out;
    bool open = true;
    while (open && rest.in < rest.end) {
      const char c = *rest.in;
      // \v and \f separate words but do not end one: as Redis has it.
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        open = false;
      } else if (c == '"' || c == '\'') {
        ++rest.in;
        if (!(c == '"' ? rest.DoubleQuoted() : rest.SingleQuoted())) return false;
        open = false;
      } else {
        *rest.out++ = *rest.in++;
      }
    }
    words->emplace_back(word, static_cast<size_t>(rest.out - word));
  }
}

}  // namespace cartwheel
