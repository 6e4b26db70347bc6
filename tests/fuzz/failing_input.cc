#include "tests/fuzz/failing_input.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

#include "base/check.h"

// Where a sanitizer is built in: what it calls before it ends the process, without a signal.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());
// GCC's UBSan has a runtime of its own, which knows nothing of that: it is to end with SIGABRT.
extern "C" const char* __ubsan_default_options();
extern "C" const char* __ubsan_default_options() { return "abort_on_error=1"; }

namespace cartwheel {
namespace {

char g_path[4096];
const uint8_t* g_data = nullptr;
size_t g_size = 0;

void Say(std::string_view text) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
}

// Only what a signal handler may call.
void WriteInput() {
  if (g_data == nullptr) return;
  const int file = open(g_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  bool whole = file >= 0;
  for (size_t done = 0; whole && done < g_size;) {
    const ssize_t count = write(file, g_data + done, g_size - done);
    whole = count > 0;
    if (whole) done += static_cast<size_t>(count);
  }
  g_data = nullptr;
  Say(whole ? "the input that failed is in " : "the input that failed could not be written to ");
  Say(g_path);
  Say("\n");
}

void OnSignal(int number) {
  if (number == SIGALRM) Say("no end within the time of one input\n");
  WriteInput();
  signal(number, SIG_DFL);
  raise(number);
}

}  // namespace

void WriteFailingInputTo(const std::string& path) {
  CHECK(path.size() < sizeof(g_path));
  std::memcpy(g_path, path.c_str(), path.size() + 1);
  static char stack[64 << 10];  // the target may have used up its own
  stack_t alternate{};
  alternate.ss_sp = stack;
  alternate.ss_size = sizeof(stack);
  CHECK(sigaltstack(&alternate, nullptr) == 0);
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_ONSTACK;
  const bool sanitized = __sanitizer_set_death_callback != nullptr;
  if (sanitized) __sanitizer_set_death_callback(WriteInput);
  for (const int number : {SIGABRT, SIGALRM, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    // A sanitizer reports faults better.
    if (sanitized && number != SIGABRT && number != SIGALRM) continue;
    CHECK(sigaction(number, &action, nullptr) == 0);
  }
}

void NoteInput(const uint8_t* data, size_t size) {
  g_data = data;
  g_size = size;
  alarm(kMaxInputSeconds);
}

}  // namespace cartwheel
