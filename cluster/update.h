// Update: the read-modify-write commands (INCR, APPEND, SET NX, GETEX, EXPIRE ...) as a pure
// function from what GET shows to what is written. It runs at the key's first live node, on the
// merge of R replicas; every update overwrites all siblings but EXPIRE, PERSIST and GETEX.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/status.h"
#include "storage/object.h"

namespace cartwheel {

enum class UpdateKind : uint8_t {
  kSet = 1,        // SET with NX, XX, GET or KEEPTTL; SETNX, GETSET
  kAppend = 2,     // APPEND: integer result, the new length
  kIncrement = 3,  // INCR, DECR, INCRBY, DECRBY: integer result
  kGetDelete = 4,  // GETDEL: the old value
  kExpire = 5,     // EXPIRE family: 1 or 0
  kPersist = 6,    // PERSIST: 1 or 0
  kGetExpire = 7,  // GETEX with an option: the old value
};

// Conditions and wishes, or-ed together in Update::flags.
enum UpdateFlag : uint32_t {
  kIfAbsent = 1,     // NX of SET
  kIfPresent = 2,    // XX of SET
  kReturnOld = 4,    // GET of SET
  kKeepTtl = 8,      // KEEPTTL of SET
  kPersistTtl = 16,  // PERSIST of GETEX
  kExpireNx = 32,    // NX, XX, GT, LT of EXPIRE
  kExpireXx = 64,
  kExpireGt = 128,
  kExpireLt = 256,
};

struct Update {
  UpdateKind kind = UpdateKind::kSet;
  uint32_t flags = 0;
  std::string bytes;          // kSet, kAppend
  int64_t number = 0;         // kIncrement
  int64_t expires_at_ms = 0;  // absolute; 0: none given
};

// What the client is told.
struct UpdateResult {
  enum class Type : uint8_t { kOk = 0, kNull = 1, kInteger = 2, kBulk = 3, kError = 4 };
  Type type = Type::kOk;
  int64_t integer = 0;
  std::string text;  // the bulk, or the error's whole line without '-' and CRLF
};

// What is written, if anything.
struct UpdateEffect {
  enum class Write : uint8_t {
    kNothing,
    kValue,       // `bytes` and `expires_at_ms` over all siblings
    kTombstone,   // over all siblings
    kRewriteTtl,  // each live sibling again, with `expires_at_ms`, none merged
  };
  Write write = Write::kNothing;
  std::string bytes;
  int64_t expires_at_ms = 0;
  UpdateResult result;
};

// `current` is the merge of R replicas. max_value_bytes bounds APPEND (proto-max-bulk-len).
UpdateEffect ApplyUpdate(const Update& update, const Object& current, const View& view,
                         uint64_t max_value_bytes);

}  // namespace cartwheel
