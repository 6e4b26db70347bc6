// RequestParser: bytes of a connection to commands, incrementally. RESP arrays of bulk strings and
// inline commands (https://redis.io/docs/latest/develop/reference/protocol-spec/). It owns the
// connection's input buffer; arguments are views into it, so a bulk string is copied at most once,
// by whoever keeps it. A bulk that has been announced reserves no more than what has come, within a
// constant factor. The bus is read by the same parser.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cartwheel {

struct ParserLimits {
  uint64_t max_bulk_bytes = 512ULL << 20;
  uint64_t max_arguments = 1024 * 1024;
  uint64_t max_command_bytes = 1ULL << 30;  // all bulks of one command together
  uint64_t max_inline_bytes = 64 * 1024;
  // Before AUTH: Redis allows 10 arguments of 16 KiB.
  bool authenticated = true;
};

class RequestParser {
 public:
  explicit RequestParser(ParserLimits limits);

  // Where the next bytes go: at least 16 KiB of space, more when a large bulk is awaited.
  std::span<char> Prepare();
  void Commit(size_t bytes);

  enum class Outcome { kCommand, kNeedMore, kError };
  // kCommand: arguments() holds the command; the views are valid until Next or Prepare is called.
  // Empty commands (blank lines, *0, *-1) are skipped. kError: error() is Redis's text without the
  // leading "-ERR "; the connection must be answered with it and closed.
  Outcome Next();
  std::span<const std::string_view> arguments() const { return arguments_; }
  const std::string& error() const { return error_; }

  void set_authenticated(bool authenticated) { limits_.authenticated = authenticated; }
  void set_max_bulk_bytes(uint64_t bytes) { limits_.max_bulk_bytes = bytes; }
  // Bytes held: what has come and is not yet consumed, and what the buffer has allocated.
  size_t pending_bytes() const;
  size_t allocated_bytes() const;

 private:
  ParserLimits limits_;
  std::vector<std::string_view> arguments_;
  std::string error_;
};

}  // namespace cartwheel
