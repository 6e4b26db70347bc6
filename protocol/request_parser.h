// RequestParser: bytes of a connection to commands, incrementally. RESP arrays of bulk strings and
// inline commands (https://redis.io/docs/latest/develop/reference/protocol-spec/). It owns the
// connection's input buffer; arguments are views into it, so a bulk string is copied at most once,
// by whoever keeps it. A bulk that has been announced reserves no more than what has come, within a
// constant factor. The bus is read by the same parser. What it says about a stream of bytes does
// not depend on how they were cut into reads. Used by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/input_buffer.h"

namespace cartwheel {

struct ParserLimits {
  uint64_t max_bulk_bytes = 512ULL << 20;
  uint64_t max_arguments = 1ULL << 24;
  uint64_t max_command_bytes = 1ULL << 30;  // all bulks of one command together
  uint64_t max_inline_bytes = 64ULL << 10;  // also bounds the lines that announce lengths
  // Before AUTH: Redis allows 10 arguments of 16 KiB.
  bool authenticated = true;
};

class RequestParser {
 public:
  explicit RequestParser(ParserLimits limits) : limits_(limits) {}

  // Where the next bytes go: at least 16 KiB of space, more when a large bulk is awaited.
  std::span<char> Prepare();
  void Commit(size_t bytes) { input_.Commit(bytes); }

  enum class Outcome { kCommand, kTooLarge, kNeedMore, kError };
  // kCommand: arguments() holds the command. The span is valid until Next is called, the bytes that
  // its views point to until Prepare or Release. Empty commands (blank lines, *0, *-1) are skipped.
  // kTooLarge: a command over max_bulk_bytes or max_command_bytes has passed; it was not kept, and
  // error() is the text to answer; the connection goes on.
  // kError: error() is Redis's text without the leading "-ERR "; the connection must be answered
  // with it and closed. So ends a bulk announced as longer than max(2 x max_bulk_bytes, 1 GiB).
  Outcome Next();
  std::span<const std::string_view> arguments() const { return arguments_; }
  const std::string& error() const { return error_; }

  void set_authenticated(bool authenticated) { limits_.authenticated = authenticated; }
  void set_max_bulk_bytes(uint64_t bytes) { limits_.max_bulk_bytes = bytes; }
  // Gives the buffer back if nothing is pending: for connections that fall idle.
  void Release() { input_.Release(); }
  // Bytes held: what has come and is not yet consumed, and what the buffer has allocated.
  size_t pending_bytes() const { return input_.size(); }
  size_t allocated_bytes() const {
    return input_.capacity() + arguments_.capacity() * sizeof(std::string_view);
  }

 private:
  enum class Step { kDone, kNeedMore, kError };
  enum class Line { kNumber, kNeedMore, kTooLong, kNotANumber };

  Step ReadInline();
  Step ReadCount();
  Step ReadBulks();
  void ReadSmallBulks();
  Step ReadBulkLength();
  Outcome FinishCommand();

  Line ReadNumber(int64_t* number);
  Line ReadUnusualNumber(int64_t* number);
  bool SkipBulk();
  uint64_t HardCeiling() const;
  Step Fail(std::string text);

  ParserLimits limits_;
  InputBuffer input_;
  // The command at the front of input_, as far as it has come.
  size_t cursor_ = 0;            // parsed up to here
  size_t searched_ = 0;          // bytes from cursor_ on known to hold no end of line
  uint64_t arguments_left_ = 0;  // 0: between commands
  int64_t bulk_length_ = -1;     // of the bulk at cursor_; -1 when its header has not been read
  uint64_t command_bytes_ = 0;
  bool too_large_ = false;  // passes unseen: consumed as it comes, cursor_ stays at the front
  bool failed_ = false;
  std::vector<std::string_view> arguments_;  // those that have come; Prepare moves them along
  std::string error_;
};

}  // namespace cartwheel
