// How a new epoch comes to all members by gossip alone, by its decider's push, and what gossip
// costs while nothing is new: the server's Membership, a thousand of them, over a network in
// memory.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "bench/ring_lab.h"
#include "tests/unit/cluster/gossip_ring.h"
#include "tests/unit/cluster/large_ring.h"

namespace cartwheel {
namespace {

constexpr uint32_t kPartitions = 16384;
constexpr uint32_t kMostRounds = 30;
constexpr int64_t kRoundMs = 1000;

GossipRing MakeRing(uint32_t members, uint64_t seed) {
  ClusterSettings settings;
  settings.partitions = kPartitions;
  return {LargeRing(settings, MakeMembers(members, seed)), seed};
}

// How many of the members know after each round, over several pieces of news.
struct Course {
  std::vector<double> aware;  // the mean share after each round, none first
  uint32_t fewest = UINT32_MAX;
  uint32_t most = 0;
  double sum = 0;
  uint64_t states = 0;  // sent while it spread
};

Course Spread(GossipRing* ring, uint32_t news) {
  Course course{.aware = std::vector<double>(kMostRounds + 1)};
  const uint64_t states_before = ring->traffic().states;
  for (uint32_t i = 0; i < news; ++i) {
    const size_t first = i * 7919 % ring->size();
    const ClusterState next = WithFlush(ring->state(first), kAllDbs, 1, {1, 0});
    const int64_t told_us = ring->now_us();
    ring->Tell(first, next);
    for (uint32_t round = 0; round <= kMostRounds; ++round) {
      if (round > 0) ring->Run(kRoundMs);
      course.aware[round] += static_cast<double>(ring->CountAware(next.epoch)) /
                             static_cast<double>(ring->size()) / news;
    }
    CHECK(ring->CountAware(next.epoch) == ring->size());
    const int64_t took_us = ring->last_learnt_us() - told_us;
    const auto rounds = static_cast<uint32_t>((took_us + kRoundMs * 1000 - 1) / (kRoundMs * 1000));
    course.fewest = std::min(course.fewest, rounds);
    course.most = std::max(course.most, rounds);
    course.sum += rounds;
  }
  course.states = ring->traffic().states - states_before;
  return course;
}

void PrintSpread(uint32_t rings) {
  std::vector<std::pair<uint32_t, Course>> courses;
  fmt::print("## rounds of gossip until all know what one was told\n");
  fmt::print("{:>8} {:>6} {:>8} {:>8} {:>8} {:>18}\n", "members", "news", "fewest", "mean", "most",
             "states_per_member");
  for (const uint32_t members : {10U, 100U, 1000U}) {
    GossipRing ring = MakeRing(members, 1);
    const uint32_t news = members < 1000 ? 10 * rings : rings;
    Course course = Spread(&ring, news);
    fmt::print("{:>8} {:>6} {:>8} {:>8.1f} {:>8} {:>18.2f}\n", members, news, course.fewest,
               course.sum / news, course.most, static_cast<double>(course.states) / news / members);
    courses.emplace_back(members, std::move(course));
  }
  fmt::print("\n## course of it: the share that knows after each round\n{:>8}", "round");
  for (const auto& [members, course] : courses) fmt::print(" {:>8}", members);
  fmt::print("\n");
  for (uint32_t round = 0; round <= 15; ++round) {
    fmt::print("{:>8}", round);
    for (const auto& [members, course] : courses) fmt::print(" {:>8.4f}", course.aware[round]);
    fmt::print("\n");
  }
  fmt::print("\n");
}

// A FLUSHALL, from the command to the last member: decided among all, then pushed.
void PrintPushed() {
  fmt::print("## pushed: a decided FLUSHALL, pushed to all, of whose messages some are lost\n");
  fmt::print("{:>8} {:>9} {:>15} {:>9} {:>8} {:>13} {:>11}\n", "members", "lost_%",
             "known_to_all_ms", "messages", "MB", "processor_ms", "longest_ms");
  for (const uint32_t members : {10U, 100U, 1000U}) {
    for (const uint64_t lost : {0U, 10U}) {
      GossipRing ring = MakeRing(members, 1);
      const uint64_t epoch = ring.state(0).epoch;
      const GossipRing::Traffic before = ring.traffic();
      ring.SetProcessorClock(&ProcessorMs);
      const double processor_before = ProcessorMs();
      const int64_t begun_us = ring.now_us();
      ring.SetLossPercent(lost);
      ring.Flush(0);
      while (ring.CountAware(epoch + 1) < members) ring.Run(10);
      const GossipRing::Traffic& after = ring.traffic();
      fmt::print("{:>8} {:>9} {:>15.0f} {:>9} {:>8.2f} {:>13.0f} {:>11.1f}\n", members, lost,
                 static_cast<double>(ring.last_learnt_us() - begun_us) / 1e3,
                 after.messages - before.messages,
                 static_cast<double>(after.bytes - before.bytes) / 1e6,
                 ProcessorMs() - processor_before, ring.longest_ms());
    }
  }
  fmt::print("\n");
}

void PrintIdle() {
  constexpr int64_t kSeconds = 20;
  fmt::print("## idle: what gossip costs a member each second while nothing is new\n");
  fmt::print("{:>8} {:>12} {:>12} {:>10} {:>14}\n", "members", "state_bytes", "messages", "bytes",
             "processor_us");
  for (const uint32_t members : {10U, 100U, 1000U}) {
    GossipRing ring = MakeRing(members, 1);
    std::string state;
    EncodeState(ring.state(0), &state);
    const GossipRing::Traffic before = ring.traffic();
    const double processor_before = ProcessorMs();
    ring.Run(kSeconds * 1000);
    const double member_seconds = static_cast<double>(kSeconds) * members;
    fmt::print("{:>8} {:>12} {:>12.2f} {:>10.1f} {:>14.2f}\n", members, state.size(),
               static_cast<double>(ring.traffic().messages - before.messages) / member_seconds,
               static_cast<double>(ring.traffic().bytes - before.bytes) / member_seconds,
               1e3 * (ProcessorMs() - processor_before) / member_seconds);
  }
  fmt::print("\n");
}

}  // namespace

void PrintGossip(uint32_t rings) {
  PrintSpread(rings);
  PrintPushed();
  PrintIdle();
}

}  // namespace cartwheel
