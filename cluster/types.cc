#include "cluster/types.h"

#include <fmt/format.h>

#include "base/coding.h"
#include "base/hash.h"

namespace cartwheel {
namespace {

constexpr size_t kShortDigits = 16;
constexpr size_t kLongDigits = 40;

}  // namespace

std::string FormatNodeId(NodeId id) {
  std::string bytes;
  PutFixed64(&bytes, id);
  const Hash128 hash = HashWide(bytes, 0);
  return fmt::format("{:016x}{:016x}{:08x}", id, hash.high, hash.low >> 32);
}

NodeId ParseNodeId(std::string_view text) {
  if (text.size() != kShortDigits && text.size() != kLongDigits) return 0;
  NodeId id = 0;
  for (const char digit : text.substr(0, kShortDigits)) {
    if (digit >= '0' && digit <= '9') {
      id = id * 16 + static_cast<NodeId>(digit - '0');
    } else if (digit >= 'a' && digit <= 'f') {
      id = id * 16 + static_cast<NodeId>(digit - 'a' + 10);
    } else if (digit >= 'A' && digit <= 'F') {
      id = id * 16 + static_cast<NodeId>(digit - 'A' + 10);
    } else {
      return 0;
    }
  }
  if (text.size() == kShortDigits) return id;
  std::string lower(text);
  for (char& digit : lower) {
    if (digit >= 'A' && digit <= 'F') digit = static_cast<char>(digit - 'A' + 'a');
  }
  return FormatNodeId(id) == lower ? id : 0;
}

std::string ToString(const Address& address) {
  return fmt::format("{}:{}", address.host, address.port);
}

}  // namespace cartwheel
