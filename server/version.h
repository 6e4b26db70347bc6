// The version of this build.
#pragma once

#include <string_view>

namespace cartwheel {

std::string_view Version();

}  // namespace cartwheel
