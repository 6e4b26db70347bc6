// cartwheel: one node. Everything of substance is in server/driver.h.
#include <fmt/format.h>

#include <cstdio>
#include <span>

#include "server/driver.h"
#include "server/options.h"
#include "server/version.h"

namespace {

int Fail(const cartwheel::Status& status) {
  std::fputs(fmt::format("cartwheel: {}\n", status.message).c_str(), stderr);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace cartwheel;  // NOLINT: this file is nothing but a door to it
  Result<CommandLine> command_line = ParseCommandLine(std::span(argv + 1, argv + argc));
  if (!command_line) return Fail(command_line.error());
  if (command_line->help) {
    std::fputs(HelpText().c_str(), stdout);
    return 0;
  }
  if (command_line->version) {
    std::fputs(fmt::format("cartwheel {}\n", Version()).c_str(), stdout);
    return 0;
  }
  Result<std::unique_ptr<Driver>> driver = Driver::Open(std::move(*command_line));
  if (!driver) return Fail(driver.error());
  return (*driver)->Run();
}
