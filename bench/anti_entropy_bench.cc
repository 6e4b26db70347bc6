// A whole comparison of two replicas of 1,000,000 keys, both sides' work and what goes over the
// wire, by the number of partitions and of keys that differ. The pauses between its steps are
// skipped, so the time is the processor's.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "cluster/anti_entropy.h"
#include "cluster/replica_service.h"
#include "cluster/state_changes.h"
#include "protocol/request_parser.h"
#include "storage/memory/memory_engine.h"

namespace cartwheel {
namespace {

constexpr int kKeys = 1'000'000;
constexpr int64_t kWall = 1'700'000'000'000;

struct Side {
  Side(NodeId id, ClusterState ring_state)
      : state(std::move(ring_state)),
        context(Options(id), &engine, Births(0, kWall)),
        service(&context),
        anti_entropy(&context) {
    context.state = &state;
    context.ring.emplace(state);
    context.liveness.SetMembers(state.members, 0);
  }
  static NodeOptions Options(NodeId id) {
    NodeOptions options;
    options.id = id;
    options.seed = id;
    options.repair_rate_bytes = 0;
    return options;
  }
  ClusterState state;
  MemoryEngine engine;
  NodeContext context;
  ReplicaService service;
  AntiEntropy anti_entropy;
};

class Pair {
 public:
  explicit Pair(uint32_t partitions) {
    ClusterSettings settings;
    settings.partitions = partitions;
    ClusterState state = NewRing(77, settings, MemberOf(1), kWall);
    state = *WithMember(state, MemberOf(2), 0, {1, kWall});
    while (state.in_motion()) state = *WithNextPhase(state, state.placement_version, {1, kWall});
    for (NodeId id = 1; id <= 2; ++id) sides_[id - 1] = std::make_unique<Side>(id, state);
    for (int i = 0; i < kKeys; ++i) {
      const std::string key = "key:" + std::to_string(i);
      Object object = Set(key);
      if (!sides_[1]->context.replica.Merge(At(key), std::move(object), {kWall, 0})) std::abort();
    }
  }

  // A plain SET at the first of them.
  Object Set(const std::string& key) {
    NewVersion version{.operation = ++operation_,
                       .context = {},
                       .plain = true,
                       .kind = Kind::kValue,
                       .expires_at_ms = 0,
                       .bytes = "0123456789abcdef"};
    auto minted = sides_[0]->context.replica.Mint(At(key), std::move(version), {kWall, 0});
    if (!minted) std::abort();
    return std::move(minted->delta);
  }

  // The first compares with the second; how many keys it repaired.
  uint64_t Compare() {
    repaired_.reset();
    Call(0, [](Side* side, const Turn& turn) { side->anti_entropy.StartRepair(turn, 1); });
    while (!repaired_) {
      if (frames_.empty()) {
        now_us_ = std::max(now_us_, sides_[0]->anti_entropy.NextDeadline());
        Call(0, [](Side* side, const Turn& turn) { side->anti_entropy.Tick(turn); });
        continue;
      }
      const auto [to, frame] = std::move(frames_.front());
      frames_.pop_front();
      Deliver(to, frame);
    }
    return *repaired_;
  }

  uint64_t wire_bytes = 0;

 private:
  static Member MemberOf(NodeId id) {
    Member member;
    member.id = id;
    member.host = "localhost";
    member.bus_port = static_cast<uint16_t>(id);
    return member;
  }
  static KeyRef At(const std::string& key) {
    return {PositionOf(0, key, Partitioner::kSlot), 0, key};
  }

  template <typename Work>
  void Call(size_t side, Work work) {
    Effects effects;
    work(sides_[side].get(), Turn{{now_us_, kWall}, &effects});
    for (const Answer& answer : effects.answers) {
      repaired_ = std::get<RepairAnswer>(answer.result).keys;
    }
    for (const Send& send : effects.outbox.sends) {
      wire_bytes += send.bytes;
      frames_.emplace_back(send.to - 1, effects.outbox.FrameOf(send));
    }
  }

  void Deliver(size_t to, std::string_view frame) {
    while (!frame.empty()) {
      const std::span<char> space = parser_.Prepare();
      const size_t bytes = std::min(space.size(), frame.size());
      std::copy_n(frame.begin(), bytes, space.begin());
      parser_.Commit(bytes);
      frame.remove_prefix(bytes);
      if (parser_.Next() != RequestParser::Outcome::kCommand && frame.empty()) std::abort();
    }
    const NodeId from = 2 - to;
    Call(to, [&](Side* side, const Turn& turn) {
      AntiEntropy& anti_entropy = side->anti_entropy;
      const auto on = [&]<typename Message>(const Message& m) {
        if constexpr (std::is_same_v<Message, TreeRequest>) {
          anti_entropy.OnTreeRequest(turn, from, m);
        } else if constexpr (std::is_same_v<Message, TreeResponse>) {
          anti_entropy.OnTreeResponse(turn, from, m);
        } else if constexpr (std::is_same_v<Message, MergeRequest>) {
          if (side->service.OnMerge(turn, from, m)) anti_entropy.OnMerged(turn, from, m);
        } else if constexpr (std::is_same_v<Message, FetchRequest>) {
          anti_entropy.OnFetchRequest(turn, from, m);
        } else if constexpr (std::is_same_v<Message, MergeResponse>) {
          anti_entropy.OnMergeResponse(turn, m);
        }
      };
      if (DecodeData(parser_.arguments(), on) != Decoding::kDone) std::abort();
    });
  }

  std::unique_ptr<Side> sides_[2];
  RequestParser parser_{ParserLimits()};
  std::deque<std::pair<size_t, std::string>> frames_;
  std::optional<uint64_t> repaired_;
  int64_t now_us_ = 1;
  uint64_t operation_ = 0;
};

void BM_Comparison(benchmark::State& state) {
  Pair pair(static_cast<uint32_t>(state.range(0)));
  const auto differing = static_cast<uint64_t>(state.range(1));
  uint64_t next = 0;
  pair.wire_bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    for (uint64_t i = 0; i < differing; ++i) {
      pair.Set("key:" + std::to_string(next++ * 7919 % kKeys));
    }
    state.ResumeTiming();
    if (pair.Compare() != differing) state.SkipWithError("not all was repaired");
  }
  state.counters["wire_bytes"] =
      benchmark::Counter(static_cast<double>(pair.wire_bytes), benchmark::Counter::kAvgIterations);
}
BENCHMARK(BM_Comparison)
    ->ArgNames({"partitions", "differing"})
    ->Args({256, 0})
    ->Args({256, 1})
    ->Args({256, 1000})
    ->Args({16384, 0})
    ->Args({16384, 1})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cartwheel

BENCHMARK_MAIN();
