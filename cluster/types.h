// The nouns that everything in cluster/ shares.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cartwheel {

// 64 random bits made with the data directory; 0 is nobody.
using NodeId = uint64_t;

// 40 hex digits, as Redis tools expect: the first 16 are the id itself, the rest a hash of it.
std::string FormatNodeId(NodeId id);
// Takes 16 or 40 hex digits; 0 when they are no node id.
NodeId ParseNodeId(std::string_view text);

struct Key {
  uint32_t db = 0;
  std::string bytes;

  bool operator==(const Key&) const = default;
};

struct Address {
  std::string host;
  uint16_t port = 0;

  auto operator<=>(const Address&) const = default;
};

std::string ToString(const Address& address);

inline bool Contains(std::span<const NodeId> nodes, NodeId node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

// Of the cluster; 0: as it is.
struct QuorumSettings {
  uint8_t n = 0;
  uint8_t r = 0;
  uint8_t w = 0;

  bool operator==(const QuorumSettings&) const = default;
};

}  // namespace cartwheel
