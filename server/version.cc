#include "server/version.h"

namespace cartwheel {

// Set by the build from the project's one version.
std::string_view Version() { return CARTWHEEL_VERSION; }

}  // namespace cartwheel
