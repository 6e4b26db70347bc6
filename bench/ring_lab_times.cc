// Processor time of what a change of a large ring takes: 1000 members, 16384 partitions.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "bench/ring_lab.h"
#include "cluster/ring.h"
#include "tests/unit/cluster/large_ring.h"

namespace cartwheel {
namespace {

constexpr uint32_t kMembers = 1000;

template <typename Work>
void Time(std::string_view what, Work work) {
  constexpr size_t kTimes = 21;
  std::vector<double> times_ms;
  for (size_t i = 0; i < kTimes; ++i) {
    const double begin = ProcessorMs();
    work();
    times_ms.push_back(ProcessorMs() - begin);
  }
  std::sort(times_ms.begin(), times_ms.end());
  fmt::print("{:<44} {:>10.2f} {:>10.2f}\n", what, times_ms[kTimes / 2], times_ms.back());
}

void PrintTimesOf(PlacementStrategy strategy, std::string_view name) {
  ClusterSettings settings;
  settings.partitions = 16384;
  settings.placement = strategy;
  settings.tokens = 16;  // with as many partitions a node
  std::vector<Member> members = MakeMembers(kMembers + 1, 1);
  const Member joiner = members.back();
  members.pop_back();
  const ClusterState settled = LargeRing(settings, std::move(members));
  const Author author{settled.members[0].id, 0};
  const ClusterState fetching = *WithMember(settled, joiner, 0, author);
  const ClusterState switching = *WithNextPhase(fetching, fetching.placement_version, author);
  CHECK(!settled.in_motion() && switching.phase == Phase::kSwitch);
  const PlacementRule rule{strategy, settings.partitions, settings.tokens, settings.n};

  fmt::print("## times placement={} members={} partitions={}\n", name, kMembers,
             settings.partitions);
  fmt::print("{:<44} {:>10} {:>10}\n", "what", "median_ms", "most_ms");
  Time("Ring, settled", [&] { CHECK(Ring(settled).n() == 3); });
  Time("Ring, fetching", [&] { CHECK(Ring(fetching).in_motion()); });
  Time("Ring, switching", [&] { CHECK(Ring(switching).in_motion()); });
  Time("Place, one joins",
       [&] { CHECK(With(rule, settled.serving, joiner.id).seats.size() == kMembers + 1); });
  Time("Place, one leaves", [&] {
    CHECK(Without(rule, settled.serving, settled.members[500].id).seats.size() == kMembers - 1);
  });
  Time("WithMember", [&] { CHECK(WithMember(settled, joiner, 0, author).has_value()); });
  Time("WithLeaving",
       [&] { CHECK(WithLeaving(settled, settled.members[500].id, author).has_value()); });
  Time("WithNextPhase, all is fetched",
       [&] { CHECK(WithNextPhase(fetching, fetching.placement_version, author).has_value()); });
  Time("WithNextPhase, done",
       [&] { CHECK(WithNextPhase(switching, switching.placement_version, author).has_value()); });
  const Ring ring(fetching);
  Time("Gainers", [&] { CHECK(!ring.Gainers().empty()); });
  std::string bytes;
  EncodeState(settled, &bytes);
  Time(fmt::format("EncodeState ({} bytes)", bytes.size()), [&] {
    std::string again;
    EncodeState(settled, &again);
    CHECK(again == bytes);
  });
  Time("DecodeState", [&] { CHECK(DecodeState(bytes).has_value()); });
  fmt::print("\n");
}

}  // namespace

void PrintTimes() {
  PrintTimesOf(PlacementStrategy::kEqual, "equal");
  PrintTimesOf(PlacementStrategy::kTokens, "tokens-16");
}

}  // namespace cartwheel
