// StatusList: the node's counters and gauges by their names, which DYN.STATUS and INFO (there as
// cartwheel_ with underscores) both show.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "server/server.h"

namespace cartwheel {

using Counter = std::pair<std::string_view, uint64_t>;

std::vector<Counter> CountersOf(const Server& server);

}  // namespace cartwheel
