// ControlFile: a few bytes that must never be lost or half changed: who this node is and what the
// core has promised to its ring. Two files take the versions in turn, so that the last one stands
// until the next is whole, as with LMDB's two meta pages. They are written in place: two
// fdatasyncs of blocks that are there already (0.1 ms each), where a new file that is renamed makes
// the file system write out what everybody else has just written, too (3 ms while partitions move).
//
//   node.0, node.1 := copy copy      versions of even and of odd numbers, from 1 on
//   copy := "CARTWHEEL NODE 2\n" number:fixed64 size:fixed64 checksum:fixed64 bytes zeros
//
// checksum is XXH3 over number, size and bytes; a copy has a power of two of bytes. A version is
// there twice, and the copies are synced one after the other: a write that is cut off leaves one of
// its file whole, this version's or that of the last but one. So a file without any is damaged, and
// nothing that was acknowledged is ever taken back in silence. The first write is two versions, one
// for each file.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "storage/file.h"

namespace cartwheel {

class ControlFile {
 public:
  // A file begins with twice that many bytes, a power of two, and grows only for larger versions:
  // until then writing needs no room on the disk.
  static constexpr size_t kLeastRoom = 512 << 10;

  ControlFile(FileSystem* files, std::string directory, size_t least_room = kLeastRoom);

  // The last version, empty when there is none yet; on the disk when it returns. kCorrupt: there
  // was one that is gone. Called once, before the first Write.
  Result<std::string> Read();
  // Durable when it returns. After an error the version is the last one or this one, and nothing
  // more may be written.
  Result<void> Write(std::string_view bytes);

 private:
  struct Place {
    std::string path;
    std::unique_ptr<File> file;  // none: it does not exist
    size_t room = 0;             // bytes for a copy
  };

  // As version number_, in its file.
  Result<void> Put(std::string_view bytes);

  FileSystem* files_;
  std::string directory_;
  size_t least_room_;
  std::array<Place, 2> places_;
  uint64_t number_ = 0;  // of the last version, 0: none
};

}  // namespace cartwheel
