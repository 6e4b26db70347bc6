// Status and Result: how an operation that failed says so. Not for bugs of ours (CHECK) and not for
// answers that are no errors (not found, no quorum yet): those are values of their own.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace cartwheel {

enum class ErrorCode {
  kInvalid,     // the bytes or the arguments make no sense
  kCorrupt,     // stored bytes are not what was written
  kDamaged,     // the record of one key was: it was set aside
  kIo,          // the operating system refused
  kFull,        // no room: disk, memory or a bound of ours
  kBadContext,  // a causal context that is damaged or of another key
  kTooMany,     // siblings-max or object-max-bytes reached
  kCollision,   // two keys with one position
};

struct [[nodiscard]] Status {
  ErrorCode code;
  std::string message;  // one line, with the path or address it is about
};

template <typename T>
using Result = tl::expected<T, Status>;

inline tl::unexpected<Status> Error(ErrorCode code, std::string message) {
  return tl::unexpected<Status>(Status{code, std::move(message)});
}

}  // namespace cartwheel
