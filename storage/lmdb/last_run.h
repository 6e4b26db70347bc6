// LastRun: what a run leaves for the next one to know whether writes may have been lost in between:
// the boot of the machine it ran under, whether its acknowledged writes were synced, whether it
// ended cleanly, and whether it had to drop damaged records. One small file of fixed length,
// written in place: what is torn counts as not clean.
//
//   run := checksum:fixed64 closed:byte synced:byte dropped:byte boot:36 bytes file:fixed64
//
// checksum is XXH3 over what follows it. A boot is what the kernel calls this boot of the machine;
// zeros where that is not known. `file` is the inode of the file itself: a directory that was
// restored from a copy has another, or a time that was set back, and may lack what was acknowledged
// after the copy was made.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "storage/file.h"

namespace cartwheel {

struct LastRun {
  bool closed = false;   // all of it is in the tree
  bool synced = false;   // an acknowledged write was on the disk (fsync always)
  bool dropped = false;  // records that were damaged, which may not be back yet
  std::string boot;      // kBootBytes, or empty: unknown
  bool copied = false;   // the file is a copy of the one that was written; not stored
};

inline constexpr size_t kBootBytes = 36;

// The present boot of the machine, empty when the kernel does not tell.
std::string ReadBootId();

// Nothing when there is none in the directory; a damaged one is a run of an unknown boot.
Result<std::optional<LastRun>> ReadLastRun(FileSystem* files, const std::string& directory);
// On the disk when it returns.
Result<void> WriteLastRun(FileSystem* files, const std::string& directory, const LastRun& run);

// Why writes that the last run acknowledged may be missing now, empty when they are not.
std::string WhatMayBeLost(const LastRun& run, std::string_view boot_now);

}  // namespace cartwheel
