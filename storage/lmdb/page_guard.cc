#include "storage/lmdb/page_guard.h"

#include <array>
#include <csignal>
#include <cstddef>
#include <mutex>

namespace cartwheel {
namespace {

constexpr std::array<int, 2> kSignals{SIGSEGV, SIGBUS};
constexpr size_t kPageBytes = 4096;

// What was installed before us, in the order of kSignals.
std::array<struct sigaction, kSignals.size()> earlier{};

void OnSignal(int number) {
  PageGuard::Fault();
  // Not ours: it happens again, and means what it meant without us.
  for (size_t i = 0; i < kSignals.size(); ++i) {
    if (kSignals[i] == number) sigaction(number, &earlier[i], nullptr);
  }
}

}  // namespace

thread_local sigjmp_buf* PageGuard::back_ = nullptr;

void PageGuard::Install() {
  static std::once_flag once;
  std::call_once(once, [] {
    for (size_t i = 0; i < kSignals.size(); ++i) {
      struct sigaction action {};
      action.sa_handler = OnSignal;
      // The jump out of the handler must not leave the signal blocked.
      action.sa_flags = SA_NODEFER | SA_ONSTACK;
      sigaction(kSignals[i], &action, &earlier[i]);
    }
  });
}

void PageGuard::Fault() {
  if (back_ != nullptr) siglongjmp(*back_, 1);
}

void PageGuard::AfterFault() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : kSignals) sigaddset(&signals, number);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

void PageGuard::Touch(std::string_view bytes) {
  const volatile char* const at = bytes.data();
  for (size_t i = 0; i < bytes.size(); i += kPageBytes) (void)at[i];
  if (!bytes.empty()) (void)at[bytes.size() - 1];
}

}  // namespace cartwheel
