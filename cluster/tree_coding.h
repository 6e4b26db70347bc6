// TreeCoding: the fields of TreeRequest, TreeResponse and FetchRequest (cluster/messages.h), and
// the nouns in them. Readers give nothing when the bytes are malformed.
//   entries   := { index:varint sum:fixed64 }           ascending by index
//   groups    := { index:varint below:bytes }           ascending by index
//   below     := { sum:fixed64 }                        of all children, in order
//              | { high:fixed64 low:fixed64 hash:fixed64 }   of a leaf's versions, in order
//   positions := { slot:be16 high:be64 low:be64 }
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/position.h"

namespace cartwheel {

// Of the tree that two replicas compare (cluster/merkle_tree.h).
enum class TreeLevel : uint8_t { kRoot = 0, kPartition = 1, kSlot = 2, kLeaf = 3 };

struct TreeEntry {
  uint32_t index = 0;
  uint64_t sum = 0;
};
struct TreeGroup {
  uint32_t index = 0;
  std::string_view below;
};
// A key's version, by VersionHash.
struct VersionAt {
  Position position;
  uint64_t hash = 0;
};

void PutTreeEntry(const TreeEntry& entry, std::string* entries);
std::optional<std::vector<TreeEntry>> ReadTreeEntries(std::string_view entries);

void PutTreeGroup(uint32_t index, std::string_view below, std::string* groups);
std::optional<std::vector<TreeGroup>> ReadTreeGroups(std::string_view groups);
// As many as are wanted.
std::optional<std::vector<uint64_t>> ReadSums(std::string_view below, size_t count);
void PutLeafVersion(const VersionAt& version, std::string* below);
// All of this leaf.
std::optional<std::vector<VersionAt>> ReadLeafVersions(uint32_t leaf, std::string_view below);

void PutPosition(const Position& position, std::string* positions);
std::optional<std::vector<Position>> ReadPositions(std::string_view positions);

}  // namespace cartwheel
