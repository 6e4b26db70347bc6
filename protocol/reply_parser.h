// ReplyParser: bytes of a server to replies, incrementally, RESP2 and RESP3 alike. For the load
// generator and the tests; the server itself never reads replies. Attributes (|) are read and
// dropped; streamed strings and aggregates ($?, *?) are malformed to it. Used by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/input_buffer.h"

namespace cartwheel {

struct Reply {
  enum class Type : uint8_t {
    kSimple,     // text
    kError,      // text, the code first; also RESP3's blob error
    kInteger,    // integer
    kBulk,       // text
    kNull,       // RESP2's null bulk and null array too
    kArray,      // elements
    kMap,        // elements: key, value, key, value ...
    kSet,        // elements
    kPush,       // elements
    kBoolean,    // integer, 0 or 1
    kDouble,     // number, and text as it came
    kVerbatim,   // text, "txt:" first
    kBigNumber,  // text
  };

  Type type = Type::kNull;
  int64_t integer = 0;
  double number = 0;
  std::string text;
  std::vector<Reply> elements;

  bool is_error() const { return type == Type::kError; }
  friend bool operator==(const Reply&, const Reply&) = default;
};

class ReplyParser {
 public:
  static constexpr size_t kMaxDepth = 64;

  std::span<char> Prepare() { return input_.Prepare(awaited_); }
  void Commit(size_t bytes) { input_.Commit(bytes); }
  void Feed(std::string_view bytes);  // Prepare, copy and Commit

  enum class Outcome { kReply, kNeedMore, kError };
  // kError: the bytes are no RESP, error() says why, and nothing after them can be read.
  Outcome Next(Reply* reply);
  const std::string& error() const { return error_; }

 private:
  struct Open {
    Reply reply;
    uint64_t left;      // elements still to come
    bool is_attribute;  // dropped when complete
  };
  enum class Step { kDone, kNeedMore, kError, kOpened };

  Step ReadItem(Reply* item);
  Step ReadScalar(char type, std::string_view line, Reply* item);
  Step ReadBlob(char type, std::string_view line, size_t header, Reply* item);
  // kOpened: its elements follow; an empty one is done at once.
  Step OpenAggregate(char type, std::string_view line, Reply* item);
  // Puts a complete item where it belongs; true when that completed a whole reply.
  bool Close(Reply item, Reply* reply);
  Step Fail(std::string text);

  InputBuffer input_;
  size_t searched_ = 0;  // bytes at the front known to hold no CR LF
  size_t awaited_ = 0;
  std::vector<Open> open_;  // aggregates begun, the outermost first
  bool failed_ = false;
  std::string error_;
};

}  // namespace cartwheel
