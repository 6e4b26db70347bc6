// The operating system as a FileSystem (storage/file.h).
#pragma once

#include "storage/file.h"

namespace cartwheel {

// The same for all; it keeps nothing.
FileSystem* PosixFileSystem();

}  // namespace cartwheel
