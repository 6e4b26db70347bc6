#include "protocol/reply_parser.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "base/decimal.h"

namespace cartwheel {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 32;
constexpr int64_t kMaxBlobBytes = int64_t{1} << 40;

// RESP3 allows a plus sign before integers and doubles.
std::string_view WithoutPlus(std::string_view text) {
  return text.starts_with('+') ? text.substr(1) : text;
}

bool ReadInteger(std::string_view text, int64_t* number) {
  const std::optional<int64_t> value = ParseInteger(WithoutPlus(text));
  if (value) *number = *value;
  return value.has_value();
}

bool ParseDouble(std::string_view text, double* number) {
  text = WithoutPlus(text);
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return code == std::errc() && end == text.data() + text.size();
}

}  // namespace

void ReplyParser::Feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::span<char> space = Prepare();
    const size_t count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    Commit(count);
    bytes.remove_prefix(count);
  }
}

ReplyParser::Outcome ReplyParser::Next(Reply* reply) {
  if (failed_) return Outcome::kError;
  for (;;) {
    Reply item;
    const Step step = ReadItem(&item);
    if (step == Step::kNeedMore) return Outcome::kNeedMore;
    if (step == Step::kError) return Outcome::kError;
    // NOLINTNEXTLINE(clang-analyzer-cplusplus.Move): it is a new one in each round
    if (step == Step::kDone && Close(std::move(item), reply)) return Outcome::kReply;
  }
}

ReplyParser::Step ReplyParser::ReadItem(Reply* item) {
  awaited_ = 0;
  const std::string_view bytes(input_.data(), input_.size());
  const size_t end = bytes.find("\r\n", searched_);
  if (end == std::string_view::npos) {
    searched_ = bytes.empty() ? 0 : bytes.size() - 1;  // the CR may be the last byte
    return Step::kNeedMore;
  }
  searched_ = 0;
  if (end == 0) return Fail("an empty line");
  const char type = bytes[0];
  const std::string_view line = bytes.substr(1, end - 1);
  switch (type) {
    case '$':
    case '!':
    case '=': return ReadBlob(type, line, end + 2, item);
    case '*':
    case '%':
    case '~':
    case '>':
    case '|': {
      const bool is_null = type == '*' && line == "-1";
      const Step step = is_null ? Step::kDone : OpenAggregate(type, line, item);
      if (step != Step::kError) input_.Consume(end + 2);
      return step;
    }
    default: {
      const Step step = ReadScalar(type, line, item);
      if (step != Step::kError) input_.Consume(end + 2);
      return step;
    }
  }
}

ReplyParser::Step ReplyParser::ReadScalar(char type, std::string_view line, Reply* item) {
  item->text = line;
  switch (type) {
    case '+': item->type = Reply::Type::kSimple; return Step::kDone;
    case '-': item->type = Reply::Type::kError; return Step::kDone;
    case '(': item->type = Reply::Type::kBigNumber; return Step::kDone;
    case ',':
      item->type = Reply::Type::kDouble;
      return ParseDouble(line, &item->number) ? Step::kDone : Fail("a malformed double");
    case ':':
      item->type = Reply::Type::kInteger;
      item->text.clear();
      return ReadInteger(line, &item->integer) ? Step::kDone : Fail("a malformed integer");
    case '#':
      item->type = Reply::Type::kBoolean;
      item->text.clear();
      item->integer = line == "t" ? 1 : 0;
      return line == "t" || line == "f" ? Step::kDone : Fail("a malformed boolean");
    case '_': return line.empty() ? Step::kDone : Fail("a malformed null");
    default: return Fail(std::string("an unknown type byte '") + type + "'");
  }
}

ReplyParser::Step ReplyParser::ReadBlob(char type, std::string_view line, size_t header,
                                        Reply* item) {
  int64_t length = 0;
  if (!ReadInteger(line, &length) || length > kMaxBlobBytes) return Fail("a malformed length");
  if (length == -1 && type == '$') {
    input_.Consume(header);
    return Step::kDone;  // item is a null
  }
  if (length < 0) return Fail("a malformed length");
  const size_t whole = header + static_cast<size_t>(length) + 2;
  if (input_.size() < whole) {
    awaited_ = whole;
    return Step::kNeedMore;  // the header is read again then: it is short
  }
  const std::string_view body(input_.data() + header, static_cast<size_t>(length));
  if (input_.data()[whole - 2] != '\r' || input_.data()[whole - 1] != '\n') {
    return Fail("a string that is longer than announced");
  }
  item->type = type == '$'   ? Reply::Type::kBulk
               : type == '!' ? Reply::Type::kError
                             : Reply::Type::kVerbatim;
  item->text = body;
  input_.Consume(whole);
  return Step::kDone;
}

ReplyParser::Step ReplyParser::OpenAggregate(char type, std::string_view line, Reply* item) {
  int64_t count = 0;
  if (!ReadInteger(line, &count) || count < 0 || count > kMaxElements) {
    return Fail("a malformed count");
  }
  const bool is_attribute = type == '|';
  item->type = type == '*'   ? Reply::Type::kArray
               : type == '~' ? Reply::Type::kSet
               : type == '>' ? Reply::Type::kPush
                             : Reply::Type::kMap;
  if (count == 0) return is_attribute ? Step::kOpened : Step::kDone;
  if (open_.size() >= kMaxDepth) return Fail("too deep a nesting");
  const bool is_pairs = type == '%' || is_attribute;
  open_.push_back(
      {std::move(*item), static_cast<uint64_t>(count) * (is_pairs ? 2 : 1), is_attribute});
  return Step::kOpened;
}

bool ReplyParser::Close(Reply item, Reply* reply) {
  for (;;) {
    if (open_.empty()) {
      *reply = std::move(item);
      return true;
    }
    Open& parent = open_.back();
    parent.reply.elements.push_back(std::move(item));
    if (--parent.left > 0) return false;
    const bool is_attribute = parent.is_attribute;
    item = std::move(parent.reply);
    open_.pop_back();
    if (is_attribute) return false;
  }
}

ReplyParser::Step ReplyParser::Fail(std::string text) {
  failed_ = true;
  error_ = "Malformed reply: " + std::move(text);
  return Step::kError;
}

}  // namespace cartwheel
