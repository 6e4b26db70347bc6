// SiblingCopy: what RENAME, COPY, MOVE, DUMP and RESTORE carry of an object: the value and the
// expiry of every live version. Not their dots: where they arrive they become versions of their
// own, which replace what was there (Replica::MintSiblings).
//
// Grammar (varint, bytes as in base/coding.h):
//   copies := count { expires_at_ms:varint bytes }    newest first, at least one
//   dump   := copies format:byte check:fixed64        check: XXH3, seeded, of all before it
// A dump outlives the process that made it: another grammar gets another format byte. Its expiries
// are 0, as a RESTORE says when the key is to expire.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "storage/object.h"

namespace cartwheel {

struct SiblingCopy {
  int64_t expires_at_ms = 0;  // wall clock, 0: never
  std::string bytes;

  bool LiveAt(int64_t wall_ms) const { return expires_at_ms == 0 || expires_at_ms > wall_ms; }
  bool operator==(const SiblingCopy&) const = default;
};

// The live versions of an object as clients see them, twins as one; newest first.
std::vector<SiblingCopy> CopiesOf(const Object& object, const View& view);

std::string EncodeCopies(std::span<const SiblingCopy> copies);
// kInvalid for what EncodeCopies would not have written.
Result<std::vector<SiblingCopy>> DecodeCopies(std::string_view bytes);

// Leaves the expiries out.
std::string EncodeDump(std::vector<SiblingCopy> copies);
// kCorrupt: another format, or not the bytes that were written; kInvalid: they make no copies.
// kTooMany when it holds more than `most` copies.
Result<std::vector<SiblingCopy>> DecodeDump(std::string_view dump, uint64_t most);

}  // namespace cartwheel
