// Where the keys' first nodes are, as a partition-aware client learns it: from CLUSTER SLOTS.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/reply_parser.h"

namespace cartwheel {

struct SlotMap {
  static constexpr uint16_t kSlots = 16384;

  std::vector<std::string> nodes;            // HOST:PORT
  std::array<uint32_t, kSlots> first_nodes;  // of each slot, a number among `nodes`

  // Hash tags are not looked for.
  uint32_t FirstNode(std::string_view key) const;
};

// From the answer to CLUSTER SLOTS; nothing when it is another, or leaves out a slot.
std::optional<SlotMap> ReadSlotMap(const Reply& reply);

}  // namespace cartwheel
