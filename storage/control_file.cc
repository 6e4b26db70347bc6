#include "storage/control_file.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "base/coding.h"
#include "base/hash.h"

namespace cartwheel {
namespace {

constexpr std::string_view kMagic = "CARTWHEEL NODE 2\n";

struct Version {
  uint64_t number = 0;
  std::string_view bytes;
};

std::string Encode(uint64_t number, std::string_view bytes) {
  std::string body;
  PutFixed64(&body, number);
  PutFixed64(&body, bytes.size());
  body.append(bytes);
  std::string copy(kMagic);
  copy.append(body, 0, 16);
  PutFixed64(&copy, Hash64(body));
  return copy.append(bytes);
}

std::optional<Version> Decode(std::string_view copy) {
  if (!copy.starts_with(kMagic)) return std::nullopt;
  Reader reader(copy.substr(kMagic.size()));
  Version version;
  version.number = reader.Fixed64();
  const uint64_t size = reader.Fixed64();
  reader.Fixed64();
  version.bytes = reader.Raw(size);
  if (!reader.ok() || !copy.starts_with(Encode(version.number, version.bytes))) return std::nullopt;
  return version;
}

// The newest copy that is whole. The second is behind a room that is a power of two: all are tried,
// so that no half-written one becomes whole when the file grows.
std::optional<Version> Newest(std::string_view file, size_t least_room) {
  std::optional<Version> newest = Decode(file);
  for (size_t room = least_room; room < file.size(); room *= 2) {
    const auto second = Decode(file.substr(room));
    if (second && (!newest || second->number > newest->number)) newest = second;
  }
  return newest;
}

}  // namespace

ControlFile::ControlFile(FileSystem* files, std::string directory, size_t least_room)
    : files_(files), directory_(std::move(directory)), least_room_(least_room) {
  for (size_t i = 0; i < places_.size(); ++i) {
    places_[i].path = directory_ + "/node." + std::to_string(i);
  }
}

Result<std::string> ControlFile::Read() {
  const auto names = files_->List(directory_);
  if (!names) return tl::unexpected(names.error());
  // A process that was killed may have made a file that a power loss would take away again,
  if (auto done = files_->SyncDirectory(directory_); !done) return tl::unexpected(done.error());
  std::array<std::string, 2> contents;
  std::array<std::optional<Version>, 2> versions;
  for (size_t i = 0; i < places_.size(); ++i) {
    Place& place = places_[i];
    const std::string name = place.path.substr(directory_.size() + 1);
    if (std::find(names->begin(), names->end(), name) == names->end()) continue;
    auto file = files_->Open(place.path, OpenMode::kExisting);
    if (!file) return tl::unexpected(std::move(file.error()));
    auto bytes = (*file)->ReadAll();
    if (!bytes) return tl::unexpected(std::move(bytes.error()));
    place.file = std::move(*file);
    contents[i] = std::move(*bytes);
    place.room = std::bit_floor(contents[i].size() / 2);
    versions[i] = Newest(contents[i], least_room_);
  }
  // The first write was cut off: in its first version, or in the second, which is the same.
  if (places_[0].file == nullptr && !versions[1]) return std::string();
  for (size_t i = 0; i < places_.size(); ++i) {
    if (versions[i] || (i == 0 && versions[1] && versions[1]->number == 1)) continue;
    return Error(
        ErrorCode::kCorrupt,
        places_[i].path + (places_[i].file == nullptr ? ": it is missing" : ": it is damaged"));
  }
  const Version& last =
      versions[0] && versions[0]->number > versions[1]->number ? *versions[0] : *versions[1];
  number_ = last.number;
  // or written what is in memory only, also where its sync failed and a sync of ours would do
  // nothing.
  if (auto done = Put(last.bytes); !done) return tl::unexpected(std::move(done.error()));
  return std::string(last.bytes);
}

Result<void> ControlFile::Write(std::string_view bytes) {
  // The first time once for each file.
  const uint64_t last = std::max<uint64_t>(number_ + 1, places_.size());
  while (number_ < last) {
    ++number_;
    if (auto done = Put(bytes); !done) return done;
  }
  return {};
}

Result<void> ControlFile::Put(std::string_view bytes) {
  Place& place = places_[number_ % 2];
  const bool is_new = place.file == nullptr;
  if (is_new) {
    auto file = files_->Open(place.path, OpenMode::kCreate);
    if (!file) return tl::unexpected(std::move(file.error()));
    place.file = std::move(*file);
  }
  std::string copy = Encode(number_, bytes);
  const size_t needed = std::max(least_room_, std::bit_ceil(copy.size()));
  if (place.room < needed) {
    place.room = needed;
    copy.resize(place.room);
  }
  // One after the other: one of the two is whole whatever happens. The second first, which is
  // behind all that there was when the file grows.
  for (const uint64_t offset : {uint64_t{place.room}, uint64_t{0}}) {
    if (auto done = place.file->Write(offset, copy); !done) return done;
    if (auto done = place.file->Sync(); !done) return done;
  }
  return is_new ? files_->SyncDirectory(directory_) : Result<void>();
}

}  // namespace cartwheel
