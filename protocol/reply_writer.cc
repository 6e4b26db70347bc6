#include "protocol/reply_writer.h"

#include <charconv>
#include <cmath>

#include "base/check.h"

namespace cartwheel {
namespace {

// One type byte, a number and CR LF.
void AppendNumberLine(char type, int64_t number, std::string* out) {
  char line[24];
  line[0] = type;
  char* end = std::to_chars(line + 1, line + sizeof(line) - 2, number).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out->append(line, static_cast<size_t>(end - line));
}

void AppendLength(char type, size_t length, std::string* out) {
  AppendNumberLine(type, static_cast<int64_t>(length), out);
}

void AppendBulk(std::string_view bytes, std::string* out) {
  AppendLength('$', bytes.size(), out);
  out->append(bytes);
  out->append("\r\n");
}

// The shortest digits that read back the same; an exponent only where %g would have one too.
std::string_view FormatDouble(double value, std::span<char> space) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  const double size = std::fabs(value);
  const bool plain = value == 0 || (size >= 1e-4 && size < 1e17);
  char* const end = std::to_chars(space.data(), space.data() + space.size(), value,
                                  plain ? std::chars_format::fixed : std::chars_format::scientific)
                        .ptr;
  return {space.data(), static_cast<size_t>(end - space.data())};
}

}  // namespace

void ReplyWriter::Simple(std::string_view text) {
  out_->push_back('+');
  out_->append(text);
  out_->append("\r\n");
}

void ReplyWriter::Error(std::string_view line) {
  out_->push_back('-');
  for (const char c : line) out_->push_back(c == '\r' || c == '\n' ? ' ' : c);
  out_->append("\r\n");
}

void ReplyWriter::Integer(int64_t value) { AppendNumberLine(':', value, out_); }

void ReplyWriter::Bulk(std::string_view bytes) { AppendBulk(bytes, out_); }

void ReplyWriter::Verbatim(std::string_view format, std::string_view text) {
  if (version_ == Resp::k2) return Bulk(text);
  CHECK(format.size() == 3);
  AppendLength('=', format.size() + 1 + text.size(), out_);
  out_->append(format);
  out_->push_back(':');
  out_->append(text);
  out_->append("\r\n");
}

void ReplyWriter::Null() { out_->append(version_ == Resp::k2 ? "$-1\r\n" : "_\r\n"); }

void ReplyWriter::NullArray() { out_->append(version_ == Resp::k2 ? "*-1\r\n" : "_\r\n"); }

void ReplyWriter::Boolean(bool value) {
  if (version_ == Resp::k2) return Integer(value ? 1 : 0);
  out_->append(value ? "#t\r\n" : "#f\r\n");
}

void ReplyWriter::Double(double value) {
  char space[64];
  const std::string_view text = FormatDouble(value, space);
  if (version_ == Resp::k2) return Bulk(text);
  out_->push_back(',');
  out_->append(text);
  out_->append("\r\n");
}

void ReplyWriter::Array(size_t count) { AppendLength('*', count, out_); }

void ReplyWriter::Map(size_t pairs) {
  if (version_ == Resp::k2) return Array(2 * pairs);
  AppendLength('%', pairs, out_);
}

void ReplyWriter::Set(size_t count) { AppendLength(version_ == Resp::k2 ? '*' : '~', count, out_); }

void ReplyWriter::Push(size_t count) {
  AppendLength(version_ == Resp::k2 ? '*' : '>', count, out_);
}

void WriteCommand(std::span<const std::string_view> arguments, std::string* out) {
  AppendLength('*', arguments.size(), out);
  for (const std::string_view argument : arguments) AppendBulk(argument, out);
}

}  // namespace cartwheel
