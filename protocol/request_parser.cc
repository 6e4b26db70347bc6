#include "protocol/request_parser.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include "base/decimal.h"
#include "protocol/inline_command.h"

namespace cartwheel {
namespace {

constexpr int64_t kMostArguments = INT32_MAX;  // beyond it no AUTH helps
constexpr int64_t kMaxArgumentsBeforeAuth = 10;
constexpr int64_t kMaxBulkBytesBeforeAuth = int64_t{16} << 10;
constexpr uint64_t kMinCeilingBytes = 1ULL << 30;
constexpr uint64_t kMaxCeilingBytes = 1ULL << 40;  // far from overflows
constexpr size_t kKeptArguments = 1024;            // vectors grown past this are not kept for long

}  // namespace

std::span<char> RequestParser::Prepare() {
  if (arguments_left_ == 0) {
    arguments_.clear();
    if (arguments_.capacity() > kKeptArguments) std::vector<std::string_view>().swap(arguments_);
  }
  const bool awaits_bulk = bulk_length_ >= 0 && !too_large_;
  const uintptr_t before = reinterpret_cast<uintptr_t>(input_.data());
  const std::span<char> space =
      input_.Prepare(awaits_bulk ? cursor_ + static_cast<size_t>(bulk_length_) + 2 : 0);
  if (reinterpret_cast<uintptr_t>(input_.data()) != before) {
    for (std::string_view& argument : arguments_) {
      const uintptr_t offset = reinterpret_cast<uintptr_t>(argument.data()) - before;
      argument = {input_.data() + offset, argument.size()};
    }
  }
  return space;
}

RequestParser::Outcome RequestParser::Next() {
  if (failed_) return Outcome::kError;
  if (arguments_left_ == 0) arguments_.clear();
  for (;;) {
    Step step;
    if (arguments_left_ > 0) {
      step = ReadBulks();
      if (step == Step::kDone) return FinishCommand();
    } else if (input_.size() == 0) {
      return Outcome::kNeedMore;
    } else if (*input_.data() == '*') {
      step = ReadCount();
    } else {
      step = ReadInline();
      if (step == Step::kDone && !arguments_.empty()) return Outcome::kCommand;
    }
    if (step == Step::kNeedMore) return Outcome::kNeedMore;
    if (step == Step::kError) return Outcome::kError;
  }
}

RequestParser::Step RequestParser::ReadInline() {
  // The window does not depend on how much has come: neither does the outcome.
  const size_t window = std::min<size_t>(input_.size(), limits_.max_inline_bytes + 1);
  char* const line = input_.data();
  const void* newline = std::memchr(line + searched_, '\n', window - searched_);
  if (newline == nullptr) {
    if (input_.size() > limits_.max_inline_bytes) return Fail("too big inline request");
    searched_ = window;
    return Step::kNeedMore;
  }
  searched_ = 0;
  const size_t whole = static_cast<size_t>(static_cast<const char*>(newline) - line);
  const size_t length = whole > 0 && line[whole - 1] == '\r' ? whole - 1 : whole;
  if (!SplitInlineCommand(line, length, &arguments_)) {
    arguments_.clear();
    return Fail("unbalanced quotes in request");
  }
  input_.Consume(whole + 1);
  return Step::kDone;
}

RequestParser::Step RequestParser::ReadCount() {
  int64_t count = 0;
  switch (ReadNumber(&count)) {
    case Line::kNeedMore: return Step::kNeedMore;
    case Line::kTooLong: return Fail("too big mbulk count string");
    case Line::kNotANumber: return Fail("invalid multibulk length");
    case Line::kNumber: break;
  }
  if (count > kMostArguments) return Fail("invalid multibulk length");
  if (count > kMaxArgumentsBeforeAuth && !limits_.authenticated) {
    return Fail("unauthenticated multibulk length");
  }
  if (count > static_cast<int64_t>(limits_.max_arguments)) return Fail("invalid multibulk length");
  if (count > 0) {
    arguments_left_ = static_cast<uint64_t>(count);
  } else {
    input_.Consume(cursor_);
    cursor_ = 0;
  }
  return Step::kDone;
}

RequestParser::Step RequestParser::ReadBulks() {
  for (; arguments_left_ > 0; --arguments_left_, bulk_length_ = -1) {
    if (bulk_length_ < 0) {
      ReadSmallBulks();
      if (arguments_left_ == 0) break;
      const Step step = ReadBulkLength();
      if (step != Step::kDone) return step;
    }
    if (too_large_) {
      if (!SkipBulk()) return Step::kNeedMore;
      continue;
    }
    const size_t length = static_cast<size_t>(bulk_length_);
    if (input_.size() - cursor_ < length + 2) return Step::kNeedMore;
    arguments_.emplace_back(input_.data() + cursor_, length);
    cursor_ += length + 2;  // what ends a bulk is not looked at, as in Redis
  }
  return Step::kDone;
}

// Takes bulks of at most 99 bytes while they are whole and nothing about them is unusual: most are
// so, and a batch of them should cost little. Whatever it leaves is read the general way.
void RequestParser::ReadSmallBulks() {
  if (too_large_) return;
  const char* const begin = input_.data();
  const char* const end = begin + input_.size();
  const char* at = begin + cursor_;
  for (; arguments_left_ > 0 && end - at >= 6; --arguments_left_) {
    const unsigned first = static_cast<unsigned char>(at[1]) - unsigned{'0'};
    const unsigned second = static_cast<unsigned char>(at[2]) - unsigned{'0'};
    const bool one_digit = at[2] == '\r' && first <= 9;
    const bool two_digits = at[3] == '\r' && first - 1 <= 8 && second <= 9;
    if (at[0] != '$' || !(one_digit || two_digits)) break;
    const size_t length = one_digit ? first : 10 * first + second;
    const char* const bytes = at + (one_digit ? 4 : 5);
    if (end - bytes < static_cast<ptrdiff_t>(length + 2) || length > limits_.max_bulk_bytes ||
        command_bytes_ + length > limits_.max_command_bytes) {
      break;
    }
    arguments_.emplace_back(bytes, length);
    command_bytes_ += length;
    at = bytes + length + 2;
  }
  if (at == begin + cursor_) return;
  cursor_ = static_cast<size_t>(at - begin);
  searched_ = 0;
}

RequestParser::Step RequestParser::ReadBulkLength() {
  const size_t header = cursor_;
  int64_t length = 0;
  const Line line = ReadNumber(&length);
  if (line == Line::kNeedMore) return Step::kNeedMore;
  if (line == Line::kTooLong) return Fail("too big bulk count string");
  const char type = input_.data()[header];
  if (type != '$') return Fail(std::string("expected '$', got '") + type + "'");
  if (line == Line::kNotANumber || length < 0) return Fail("invalid bulk length");
  const uint64_t bytes = static_cast<uint64_t>(length);
  const bool over_limit = bytes > limits_.max_bulk_bytes;
  if (bytes > HardCeiling() || (over_limit && !limits_.authenticated)) {
    return Fail("invalid bulk length");
  }
  if (length > kMaxBulkBytesBeforeAuth && !limits_.authenticated) {
    return Fail("unauthenticated bulk length");
  }
  command_bytes_ += bytes;
  bulk_length_ = length;
  if (over_limit || command_bytes_ > limits_.max_command_bytes) too_large_ = true;
  if (too_large_) {
    bulk_length_ += 2;  // its CR LF passes with it
    arguments_.clear();
    input_.Consume(cursor_);
    cursor_ = 0;
  }
  return Step::kDone;
}

// True when the bulk and its CR LF have passed; bulk_length_ counts down to that.
bool RequestParser::SkipBulk() {
  const size_t passed = std::min(input_.size(), static_cast<size_t>(bulk_length_));
  input_.Consume(passed);
  bulk_length_ -= static_cast<int64_t>(passed);
  return bulk_length_ == 0;
}

RequestParser::Outcome RequestParser::FinishCommand() {
  const bool too_large = std::exchange(too_large_, false);
  if (too_large) error_ = "string exceeds maximum allowed size (proto-max-bulk-len)";
  input_.Consume(cursor_);
  cursor_ = 0;
  command_bytes_ = 0;
  return too_large ? Outcome::kTooLarge : Outcome::kCommand;
}

// The number in the line at cursor_, behind its type byte; cursor_ moves past the line if it is
// one. As in Redis a line ends at CR and one byte more, whatever that byte is.
RequestParser::Line RequestParser::ReadNumber(int64_t* number) {
  constexpr size_t kDigitsThatFit = 18;
  const char* const line = input_.data() + cursor_;
  const size_t available = input_.size() - cursor_;
  const size_t window = std::min(available, kDigitsThatFit + 1);
  size_t at = 1;
  int64_t value = 0;
  for (; at < window && line[at] >= '0' && line[at] <= '9'; ++at)
    value = value * 10 + line[at] - '0';
  const bool plain = at > 1 && (line[1] != '0' || at == 2);
  if (!plain || at + 1 >= available || line[at] != '\r') return ReadUnusualNumber(number);
  *number = value;
  cursor_ += at + 2;
  searched_ = 0;
  return Line::kNumber;
}

// The same for a line that is incomplete, negative, very long or wrong.
RequestParser::Line RequestParser::ReadUnusualNumber(int64_t* number) {
  const char* const line = input_.data() + cursor_;
  const size_t available = input_.size() - cursor_;
  const size_t window = std::min<size_t>(available, limits_.max_inline_bytes + 1);
  if (window == 0) return Line::kNeedMore;
  const void* found = std::memchr(line + searched_, '\r', window - searched_);
  if (found == nullptr) {
    if (available > limits_.max_inline_bytes) return Line::kTooLong;
    searched_ = window;
    return Line::kNeedMore;
  }
  const size_t length = static_cast<size_t>(static_cast<const char*>(found) - line);
  searched_ = length;
  if (length + 2 > available) return Line::kNeedMore;
  searched_ = 0;
  // An empty line has no type byte: the caller sees CR in its place.
  if (length == 0) return Line::kNotANumber;
  const std::optional<int64_t> value = ParseInteger({line + 1, length - 1});
  if (!value) return Line::kNotANumber;
  *number = *value;
  cursor_ += length + 2;
  return Line::kNumber;
}

uint64_t RequestParser::HardCeiling() const {
  return std::clamp(2 * std::min(limits_.max_bulk_bytes, kMaxCeilingBytes), kMinCeilingBytes,
                    kMaxCeilingBytes);
}

RequestParser::Step RequestParser::Fail(std::string text) {
  failed_ = true;
  error_ = "Protocol error: " + std::move(text);
  return Step::kError;
}

}  // namespace cartwheel
