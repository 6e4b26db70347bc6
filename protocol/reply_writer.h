// ReplyWriter: replies to bytes, RESP2 or RESP3, appended to one string. Also the writer of
// requests and bus frames, which are arrays of bulk strings. Nothing here knows a command.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cartwheel {

enum class Resp : uint8_t { k2 = 2, k3 = 3 };

class ReplyWriter {
 public:
  ReplyWriter(std::string* out, Resp version) : out_(out), version_(version) {}

  void Simple(std::string_view text);  // +text
  void Ok() { Simple("OK"); }
  // `line` is the whole error, its code first ("ERR unknown command ..."); CR and LF become blanks.
  void Error(std::string_view line);
  void Integer(int64_t value);
  void Bulk(std::string_view bytes);
  void Verbatim(std::string_view format, std::string_view text);  // RESP2: a bulk
  void Null();                                                    // RESP2: $-1
  void NullArray();                                               // RESP2: *-1
  void Boolean(bool value);                                       // RESP2: :1 or :0
  void Double(double value);  // RESP2: a bulk; shortest form that reads back the same
  void Array(size_t count);   // the header: `count` replies follow
  void Map(size_t pairs);     // RESP2: an array of 2 x pairs
  void Set(size_t count);     // RESP2: an array
  void Push(size_t count);    // RESP2: an array

  Resp version() const { return version_; }
  std::string* out() { return out_; }

 private:
  std::string* out_;
  Resp version_;
};

// *N and N bulks: a request, or a bus frame.
void WriteCommand(std::span<const std::string_view> arguments, std::string* out);

}  // namespace cartwheel
