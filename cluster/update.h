// Update: the read-modify-write commands (INCR, APPEND, SET NX, GETEX, EXPIRE ...) as a pure
// function from what GET shows to what is written. It runs at the key's first live node, on the
// merge of R replicas. Every update overwrites all siblings, EXPIRE, PERSIST and GETEX by as many
// anew.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "storage/object.h"
#include "storage/sibling_copy.h"

namespace cartwheel {

enum class UpdateKind : uint8_t {
  kSet = 1,        // SET with NX, XX, GET or KEEPTTL; SETNX, GETSET
  kAppend = 2,     // APPEND: integer result, the new length
  kIncrement = 3,  // INCR, DECR, INCRBY, DECRBY: integer result
  kGetDelete = 4,  // GETDEL: the old value
  kExpire = 5,     // EXPIRE family: 1 or 0
  kPersist = 6,    // PERSIST: 1 or 0
  kGetExpire = 7,  // GETEX with an option: the old value
  // cluster/update_strings.cc
  kSetRange = 8,        // SETRANGE: the new length
  kIncrementFloat = 9,  // INCRBYFLOAT: the new value
  kSetBit = 10,         // SETBIT: the old bit
  kBitfield = 11,       // BITFIELD with a SET or INCRBY: a number or null for each step
  // cluster/update_hyperloglog.cc
  kPfAdd = 12,      // PFADD: 1 when it changed something, or 0
  kPfMerge = 13,    // PFMERGE, at the destination
  kPfCount = 14,    // PFCOUNT of one key: the count, which is kept with it
  kPfToDense = 15,  // PFDEBUG TODENSE: 1 or 0
  // All is replaced by copies of another key's siblings (RENAME, COPY, MOVE, RESTORE): 1, or 0 when
  // kIfAbsent forbids it.
  kReplace = 32,
};

// Conditions and wishes, or-ed together in Update::flags.
enum UpdateFlag : uint32_t {
  kIfAbsent = 1,     // NX of SET; kReplace
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
  // kSet, kAppend, kSetRange: the value; kIncrementFloat: the increment as it was given; kSetBit:
  // "0" or "1"; kBitfield: encoded steps; kPfAdd: encoded marks; kPfMerge: a HyperLogLog;
  // kReplace: copies (storage/sibling_copy.h).
  std::string bytes;
  // kIncrement: by how much; kSetRange: the offset in bytes, kSetBit: in bits; kPfAdd, kPfMerge:
  // hll-sparse-max-bytes.
  int64_t number = 0;
  int64_t expires_at_ms = 0;  // absolute; 0: none given
};

// How large the update itself may make the value, in bytes.
uint64_t GrowthOf(const Update& update, uint64_t max_value_bytes);

// What the client is told.
struct UpdateResult {
  enum class Type : uint8_t {
    kOk = 0,
    kNull = 1,
    kInteger = 2,
    kBulk = 3,
    kError = 4,
    kIntegers = 5,  // an array of integers and nulls
  };
  Type type = Type::kOk;
  int64_t integer = 0;
  // The bulk, the error's whole line without '-' and CRLF, or the encoded integers.
  std::string text;
  bool changed = false;  // something was written; told by the node that did it
  bool fresh = false;    // where nothing had lived
};

// { 0:byte | 1:byte value:varint }, a null or an integer each.
std::string EncodeIntegers(std::span<const std::optional<int64_t>> integers);
// What is malformed, and all behind it, is left out.
std::vector<std::optional<int64_t>> DecodeIntegers(std::string_view bytes);

// What is written, if anything.
struct UpdateEffect {
  enum class Write : uint8_t {
    kNothing,
    kValue,      // `bytes` and `expires_at_ms` over all siblings
    kTombstone,  // over all siblings
    kSiblings,   // `siblings` over all siblings
  };
  Write write = Write::kNothing;
  std::string bytes;
  int64_t expires_at_ms = 0;
  std::vector<SiblingCopy> siblings;
  UpdateResult result;
};

// `current` is the merge of R replicas. max_value_bytes (proto-max-bulk-len) bounds what APPEND,
// SETRANGE, SETBIT and BITFIELD make.
UpdateEffect ApplyUpdate(const Update& update, const Object& current, const View& view,
                         uint64_t max_value_bytes);

}  // namespace cartwheel
