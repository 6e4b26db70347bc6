// Info: the text of INFO, in Redis 7's sections and fields as far as they mean something here. What
// tools read of features that do not exist here (replication, forks) has its resting value.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "server/server.h"

namespace cartwheel {

// The named sections (lower or upper case; "all", "everything" and "default" too), each once, in
// Redis's order. None named: the default ones. Unknown names give nothing.
std::string InfoText(const Server& server, std::span<const std::string_view> sections);

}  // namespace cartwheel
