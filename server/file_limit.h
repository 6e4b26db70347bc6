// The process's limit of open files, which bounds how many clients can be served.
#pragma once

#include <cstdint>

namespace cartwheel {

// Raises the limit so that `clients` fit beside what the process needs itself; how many fit.
uint32_t RaiseFileLimit(uint32_t clients);

}  // namespace cartwheel
