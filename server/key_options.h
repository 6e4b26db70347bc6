// Key options: the words after the key and value of SET, GETEX, EXPIRE, RESTORE and DYN.PUT, with
// Redis's rules of which go together and its error lines. Pure: the time is an argument. A
// failure's message is the whole error line.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/status.h"

namespace cartwheel {

struct ExpiryWord {
  bool given = false;
  bool seconds = false;   // EX, EXAT; else milliseconds
  bool absolute = false;  // EXAT, PXAT; else from now on
  std::string_view number;
};

struct StringOptions {
  uint32_t flags = 0;  // UpdateFlag
  ExpiryWord expiry;
};

// [NX | XX] [GET] [KEEPTTL | EX s | PX ms | EXAT s | PXAT ms]
Result<StringOptions> ParseSetOptions(std::span<const std::string_view> words);
// [PERSIST | EX s | PX ms | EXAT s | PXAT ms]
Result<StringOptions> ParseGetExOptions(std::span<const std::string_view> words);

// The absolute time in ms of an expiry that must lie after 1970: SET, SETEX, GETEX. `command` is
// the name in the error line.
Result<int64_t> ExpiryTime(const ExpiryWord& expiry, std::string_view command, int64_t wall_ms);
// The same for EXPIRE and its kin, which take the past as well: anything up to 1970 is 1.
Result<int64_t> ExpireCommandTime(const ExpiryWord& expiry, std::string_view command,
                                  int64_t wall_ms);

// [NX | XX | GT | LT] of EXPIRE: UpdateFlags.
Result<uint32_t> ParseExpireConditions(std::span<const std::string_view> words);

struct RestoreOptions {
  bool replace = false;
  bool absolute_ttl = false;
};

// [REPLACE] [ABSTTL] [IDLETIME seconds | FREQ frequency] of RESTORE.
Result<RestoreOptions> ParseRestoreOptions(std::span<const std::string_view> words);
// RESTORE's ttl as an absolute time in ms: 0 for none, 1 for what is past every clock.
Result<int64_t> RestoreTime(std::string_view ttl, bool absolute, int64_t wall_ms);

// A database's number, as SELECT and COPY name it.
Result<uint32_t> ParseDatabase(std::string_view text, int64_t databases);

struct WriteOptions {
  ExpiryWord expiry;
  uint8_t quorum = 0;  // R or W; 0: not given
};

// [EX s | PX ms | EXAT s | PXAT ms] (if expiries are allowed) and [R n] or [W n] in any order; the
// quorum must be 1 to `max_quorum`.
Result<WriteOptions> ParseDynOptions(std::span<const std::string_view> words, bool expiries,
                                     std::string_view quorum_word, uint8_t max_quorum);

}  // namespace cartwheel
