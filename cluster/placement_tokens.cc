// `placement tokens`: tokens at hashed places of the circle (Dynamo, section 6.2, strategy 1).
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/hash.h"
#include "cluster/placement.h"

namespace cartwheel {
namespace {

// First tokens come first: however few the partitions are, every seat gets one before others are
// gone.
struct Token {
  uint32_t number = 0;  // among the seat's own
  uint64_t place = 0;   // on a circle of 2^64
  uint32_t seat = 0;

  auto operator<=>(const Token&) const = default;
};

uint64_t PlaceOfToken(NodeId id, uint32_t number) {
  const auto digest = Md5(fmt::format("{:016x}:{}", id, number));
  uint64_t place = 0;
  for (size_t i = 0; i < sizeof(place); ++i) place = place << 8 | digest[i];
  return place;
}

std::vector<Token> TokensOf(const PlacementRule& rule, const std::vector<Seat>& seats) {
  std::vector<Token> tokens;
  for (uint32_t seat = 0; seat < seats.size(); ++seat) {
    const uint64_t weighted = uint64_t{rule.tokens} * seats[seat].weight_thousandths;
    // No seat can show more tokens than there are partitions.
    const uint64_t count = std::clamp<uint64_t>((weighted + 500) / 1000, 1, rule.partitions);
    for (uint32_t i = 0; i < count; ++i) {
      tokens.push_back({i, PlaceOfToken(seats[seat].id, i), seat});
    }
  }
  std::sort(tokens.begin(), tokens.end());
  return tokens;
}

// The circle's partition that a place falls into.
uint32_t PartitionAt(uint64_t place, uint32_t partitions) {
  return static_cast<uint32_t>((static_cast<unsigned __int128>(place) * partitions) >> 64);
}

}  // namespace

std::vector<uint32_t> PlaceByTokens(const PlacementRule& rule, const std::vector<Seat>& seats) {
  constexpr uint32_t kNobody = UINT32_MAX;
  std::vector<uint32_t> owners(rule.partitions, kNobody);
  uint32_t held = 0;
  for (const Token& token : TokensOf(rule, seats)) {
    if (held == rule.partitions) break;
    uint32_t at = PartitionAt(token.place, rule.partitions);
    if (owners[at] == token.seat) continue;
    while (owners[at] != kNobody) at = (at + 1) % rule.partitions;
    owners[at] = token.seat;
    held += 1;
  }
  CHECK(held > 0);
  // From the last token downwards, and round.
  uint32_t next =
      *std::find_if(owners.begin(), owners.end(), [](uint32_t owner) { return owner != kNobody; });
  for (uint32_t p = rule.partitions; p-- > 0;) {
    if (owners[p] == kNobody) owners[p] = next;
    next = owners[p];
  }
  return owners;
}

}  // namespace cartwheel
