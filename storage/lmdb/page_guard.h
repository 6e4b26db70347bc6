// PageGuard: LMDB reads its file through a memory map and trusts what stands there. A page that the
// disk cannot read is a signal then (SIGBUS), and one that the disk has changed may lead LMDB
// anywhere (SIGSEGV, or an assertion of its own). Work that runs under the guard fails instead; a
// fault anywhere else does what it always did. Any thread; not nested.
#pragma once

#include <csetjmp>
#include <string_view>

namespace cartwheel {

class PageGuard {
 public:
  // Installs the handlers, once in a process.
  static void Install();
  // Ends the work that this thread runs under the guard, if any, as a fault would.
  static void Fault();

  // False: a page could not be read, and whatever LMDB was doing is left as it is. What the work
  // was about to destroy is not: it is best made of plain calls. Not inlined, so that what the
  // caller holds in registers survives the jump.
  template <typename Work>
  [[nodiscard, gnu::noinline]] static bool Run(const Work& work) {
    sigjmp_buf back;
    if (sigsetjmp(back, 0) != 0) {
      back_ = nullptr;
      AfterFault();
      return false;
    }
    back_ = &back;
    work();
    back_ = nullptr;
    return true;
  }

  // Looks at every page of the bytes, so that using them later does not fault.
  static void Touch(std::string_view bytes);

 private:
  // The jump may have left the signals blocked: ThreadSanitizer installs handlers that block all.
  static void AfterFault();

  static thread_local sigjmp_buf* back_;
};

}  // namespace cartwheel
