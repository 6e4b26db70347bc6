#include "bench/slot_map.h"

#include <algorithm>

#include "base/hash.h"

namespace cartwheel {
namespace {

constexpr uint32_t kNobody = UINT32_MAX;

// [first slot, last slot, [host, port, ...], ...]
bool TakeRun(const Reply& run, SlotMap* map) {
  if (run.elements.size() < 3 || run.elements[2].elements.size() < 2) return false;
  const int64_t first = run.elements[0].integer, last = run.elements[1].integer;
  if (first < 0 || first > last || last >= SlotMap::kSlots) return false;
  const std::vector<Reply>& place = run.elements[2].elements;
  const std::string node = place[0].text + ":" + std::to_string(place[1].integer);
  const auto known = std::find(map->nodes.begin(), map->nodes.end(), node);
  const auto number = static_cast<uint32_t>(known - map->nodes.begin());
  if (known == map->nodes.end()) map->nodes.push_back(node);
  std::fill(map->first_nodes.begin() + first, map->first_nodes.begin() + last + 1, number);
  return true;
}

}  // namespace

uint32_t SlotMap::FirstNode(std::string_view key) const { return first_nodes[Crc16(key) % kSlots]; }

std::optional<SlotMap> ReadSlotMap(const Reply& reply) {
  SlotMap map;
  map.first_nodes.fill(kNobody);
  for (const Reply& run : reply.elements) {
    if (!TakeRun(run, &map)) return std::nullopt;
  }
  const auto& nodes = map.first_nodes;
  if (std::find(nodes.begin(), nodes.end(), kNobody) != nodes.end()) return std::nullopt;
  return map;
}

}  // namespace cartwheel
