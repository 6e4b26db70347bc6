// CHECK: an invariant of ours that must hold, on in release. A failed check is a bug in Cartwheel
// and ends the process; it is never used on bytes that came from the network or a disk.
#pragma once

namespace cartwheel {

[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

}  // namespace cartwheel

#define CHECK(condition)                             \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? (void)0                                     \
       : ::cartwheel::CheckFailed(#condition, __FILE__, __LINE__))
