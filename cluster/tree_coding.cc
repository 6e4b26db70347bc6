#include "cluster/tree_coding.h"

#include "base/coding.h"

namespace cartwheel {
namespace {

constexpr size_t kLeafVersionBytes = 24;

// Indexes ascend; `last` is the one before, or -1.
bool ReadIndex(Reader* reader, int64_t* last) {
  const uint64_t index = reader->Varint();
  if (index >= kLeafCount || static_cast<int64_t>(index) <= *last) return false;
  *last = static_cast<int64_t>(index);
  return true;
}

}  // namespace

void PutTreeEntry(const TreeEntry& entry, std::string* entries) {
  PutVarint(entries, entry.index);
  PutFixed64(entries, entry.sum);
}

void PutTreeGroup(uint32_t index, std::string_view below, std::string* groups) {
  PutVarint(groups, index);
  PutBytes(groups, below);
}

std::optional<std::vector<uint64_t>> ReadSums(std::string_view below, size_t count) {
  if (below.size() != count * sizeof(uint64_t)) return std::nullopt;
  std::vector<uint64_t> sums;
  sums.reserve(count);
  Reader reader(below);
  while (!reader.done()) sums.push_back(reader.Fixed64());
  return sums;
}

void PutLeafVersion(const VersionAt& version, std::string* below) {
  PutFixed64(below, version.position.high);
  PutFixed64(below, version.position.low);
  PutFixed64(below, version.hash);
}

std::optional<std::vector<TreeEntry>> ReadTreeEntries(std::string_view entries) {
  std::vector<TreeEntry> read;
  Reader reader(entries);
  int64_t last = -1;
  while (reader.ok() && !reader.done()) {
    if (!ReadIndex(&reader, &last)) return std::nullopt;
    read.push_back({static_cast<uint32_t>(last), reader.Fixed64()});
  }
  if (!reader.ok()) return std::nullopt;
  return read;
}

std::optional<std::vector<TreeGroup>> ReadTreeGroups(std::string_view groups) {
  std::vector<TreeGroup> read;
  Reader reader(groups);
  int64_t last = -1;
  while (reader.ok() && !reader.done()) {
    if (!ReadIndex(&reader, &last)) return std::nullopt;
    read.push_back({static_cast<uint32_t>(last), reader.Bytes()});
  }
  if (!reader.ok()) return std::nullopt;
  return read;
}

std::optional<std::vector<VersionAt>> ReadLeafVersions(uint32_t leaf, std::string_view below) {
  if (below.size() % kLeafVersionBytes != 0) return std::nullopt;
  std::vector<VersionAt> read;
  read.reserve(below.size() / kLeafVersionBytes);
  Reader reader(below);
  while (!reader.done()) {
    VersionAt version;
    version.position.slot = static_cast<uint16_t>(leaf / kBucketsPerSlot);
    version.position.high = reader.Fixed64();
    version.position.low = reader.Fixed64();
    version.hash = reader.Fixed64();
    if (version.position.leaf() != leaf) return std::nullopt;
    if (!read.empty() && version.position <= read.back().position) return std::nullopt;
    read.push_back(version);
  }
  return read;
}

void PutPosition(const Position& position, std::string* positions) {
  char bytes[kPositionBytes];
  EncodePosition(position, bytes);
  positions->append(bytes, sizeof(bytes));
}

std::optional<std::vector<Position>> ReadPositions(std::string_view positions) {
  if (positions.size() % kPositionBytes != 0) return std::nullopt;
  std::vector<Position> read;
  for (size_t at = 0; at < positions.size(); at += kPositionBytes) {
    const Position position = DecodePosition(positions.data() + at);
    if (position.slot >= kSlotCount) return std::nullopt;
    read.push_back(position);
  }
  return read;
}

}  // namespace cartwheel
