#include "storage/control_file.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/hash.h"

namespace cartwheel {
namespace {

constexpr std::string_view kMagic = "CARTWHEEL NODE 2\n";
// Both copies are in blocks of their own, and most rings never need more.
constexpr size_t kLeastRoom = 16384;

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
std::optional<Version> Newest(std::string_view file) {
  std::optional<Version> newest = Decode(file);
  for (size_t room = kLeastRoom; room < file.size(); room *= 2) {
    const auto second = Decode(file.substr(room));
    if (second && (!newest || second->number > newest->number)) newest = second;
  }
  return newest;
}

}  // namespace

ControlFile::ControlFile(FileSystem* files, std::string directory)
    : files_(files), directory_(std::move(directory)) {
  for (size_t i = 0; i < places_.size(); ++i) {
    places_[i].path = directory_ + "/node." + std::to_string(i);
  }
}

Result<std::string> ControlFile::Read() {
  const auto names = files_->List(directory_);
  if (!names) return tl::unexpected(names.error());
  std::array<std::string, 2> contents;
  std::optional<Version> last;
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
    const auto version = Newest(contents[i]);
    if (version && (!last || version->number > last->number)) last = version;
  }
  // The first version went to node.1, the second to node.0.
  if (!last && places_[0].file == nullptr) return std::string();
  if (!last) return Error(ErrorCode::kCorrupt, directory_ + "/node.0, node.1: both are damaged");
  for (const Place& place : places_) {
    if (place.file != nullptr || last->number == 1) continue;
    return Error(ErrorCode::kCorrupt, place.path + ": it is missing");
  }
  number_ = last->number;
  // A process that was killed while it wrote leaves what the disk may not have yet.
  if (auto done = places_[number_ % 2].file->Sync(); !done) return tl::unexpected(done.error());
  if (auto done = files_->SyncDirectory(directory_); !done) return tl::unexpected(done.error());
  return std::string(last->bytes);
}

Result<void> ControlFile::Write(std::string_view bytes) {
  Place& place = places_[++number_ % 2];
  if (place.file == nullptr) {
    auto file = files_->Open(place.path, OpenMode::kCreate);
    if (!file) return tl::unexpected(std::move(file.error()));
    place.file = std::move(*file);
  }
  std::string copy = Encode(number_, bytes);
  const size_t needed = std::max(kLeastRoom, std::bit_ceil(copy.size()));
  if (place.room < needed) {
    place.room = needed;
    copy.resize(place.room);
  }
  for (const uint64_t offset : {uint64_t{0}, uint64_t{place.room}}) {
    if (auto done = place.file->Write(offset, copy); !done) return done;
  }
  if (auto done = place.file->Sync(); !done) return done;
  return number_ <= places_.size() ? files_->SyncDirectory(directory_) : Result<void>();
}

}  // namespace cartwheel
