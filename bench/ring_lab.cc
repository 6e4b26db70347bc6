#include "bench/ring_lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace cartwheel {
namespace {

constexpr std::string_view kUsage =
    R"(ring_lab [--rings 10] [efficiency] [movement] [gossip] [times]    (default: all four)

  --rings 10    rings of other node ids that each figure is the mean of
)";

Placement PlaceSorted(const PlacementRule& rule, std::vector<Seat> seats,
                      const Placement& present) {
  std::sort(seats.begin(), seats.end(), [](const Seat& a, const Seat& b) { return a.id < b.id; });
  return Place(rule, std::move(seats), present, present);
}

int Main(int argc, char** argv) {
  std::vector<std::string_view> parts(argv + 1, argv + argc);
  uint32_t rings = 10;
  if (parts.size() >= 2 && parts[0] == "--rings") {
    const std::string_view number = parts[1];
    const auto end = std::from_chars(number.data(), number.data() + number.size(), rings).ptr;
    if (end != number.data() + number.size() || rings == 0) rings = 0;
    parts.erase(parts.begin(), parts.begin() + 2);
  }
  const bool known = std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
    return part == "efficiency" || part == "movement" || part == "gossip" || part == "times";
  });
  if (!known || rings == 0) {
    fmt::print(stderr, "{}", kUsage);
    return 1;
  }
  const auto wanted = [&parts](std::string_view part) {
    return parts.empty() || std::find(parts.begin(), parts.end(), part) != parts.end();
  };
  if (wanted("efficiency")) PrintEfficiency(rings);
  if (wanted("movement")) PrintMovement(rings);
  if (wanted("gossip")) PrintGossip(rings);
  if (wanted("times")) PrintTimes();
  return 0;
}

}  // namespace

Placement With(const PlacementRule& rule, const Placement& present, NodeId joiner) {
  std::vector<Seat> seats = present.seats;
  seats.push_back({.id = joiner});
  return PlaceSorted(rule, std::move(seats), present);
}

Placement Without(const PlacementRule& rule, const Placement& present, NodeId leaver) {
  std::vector<Seat> seats = present.seats;
  std::erase_if(seats, [leaver](const Seat& seat) { return seat.id == leaver; });
  return PlaceSorted(rule, std::move(seats), present);
}

Placement Grown(const PlacementRule& rule, const std::vector<NodeId>& nodes) {
  Placement placement;
  for (const NodeId node : nodes) placement = With(rule, placement, node);
  return placement;
}

}  // namespace cartwheel

int main(int argc, char** argv) { return cartwheel::Main(argc, argv); }
