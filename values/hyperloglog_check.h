// HyperLogLog check: what PFSELFTEST runs, on registers of its own. Some tens of milliseconds.
#pragma once

#include <string>

namespace cartwheel {

// What failed, or empty.
std::string CheckHyperLogLog();

}  // namespace cartwheel
