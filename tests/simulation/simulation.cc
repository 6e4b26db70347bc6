#include "tests/simulation/simulation.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "cluster/reaper.h"
#include "storage/record.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/keepers.h"
#include "tests/simulation/workload.h"

namespace cartwheel::sim {
namespace {

constexpr int64_t kMs = 1000;
constexpr int64_t kSecond = 1'000'000;
constexpr int kMoveSeconds = 60;
constexpr int kConvergeSeconds = 60;
constexpr int kOrderedRounds = 20;
constexpr int kDropSeconds = 100;

struct Quorum {
  uint8_t n;
  uint8_t r;
  uint8_t w;
};
constexpr Quorum kQuorums[] = {{3, 2, 2}, {3, 2, 2}, {3, 2, 2}, {3, 2, 2},
                               {3, 2, 2}, {3, 2, 2}, {3, 3, 1}, {3, 1, 3}};
// A disk syncs once a second, and takes a while; what was acknowledged before is on W disks.
constexpr int64_t kUnsyncedUs = 1200 * kMs;

WorldOptions WorldOf(const SimulationOptions& options, Random* random) {
  WorldOptions world;
  const int sizes[] = {3, 4, 4, 4, 5, 5, 5, 5, 6, 6};
  world.nodes = sizes[random->Below(std::size(sizes))];
  if (options.nodes != 0) world.nodes = options.nodes;
  world.spares = static_cast<int>(1 + random->Below(3));
  world.settings.partitions = 16U << random->Below(3);
  const Quorum quorum = kQuorums[random->Below(std::size(kQuorums))];
  world.settings.n = quorum.n;
  world.settings.r = quorum.r;
  world.settings.w = quorum.w;
  world.sync = random->Chance(1, 2) ? SyncPolicy::kAlways : SyncPolicy::kEverySecond;
  world.max_latency_us = 300 + static_cast<int64_t>(random->Below(5000));
  const int64_t disks_us[] = {kMs, 10 * kMs, 80 * kMs};
  world.max_sync_us = disks_us[random->Below(3)];
  // Most of the runs see tombstones go, many so soon that a disk may not have synced in between.
  const int64_t ages_ms[] = {1500, 1500, 10'000, 600'000};
  world.tombstone_min_age_ms = ages_ms[random->Below(std::size(ages_ms))];
  world.mutant = options.mutant;
  if (options.cell) {
    // Every change has whom it needs, and takes a while.
    world.nodes = 5;
    world.spares = 6;
    world.settings.n = 3;
    world.settings.r = world.settings.w = 2;
    const uint64_t rates[] = {0, 3000, 30'000};
    world.transfer_rate_bytes = rates[random->Below(3)];
  }
  world.seed = random->Next();
  return world;
}

FaultSet FaultsOf(const SimulationOptions& options, Random* random) {
  if (!options.swarm) return options.faults;
  FaultSet set = options.faults;
  // One seed in sixteen sees fair weather.
  const bool none = random->Chance(1, 16);
  for (size_t i = 0; i < kFaultKinds; ++i) {
    if (random->Chance(1, 2) || none) set.Remove(static_cast<FaultKind>(i));
  }
  return set;
}

// What a replica holds, values that expire aside: when their bytes go is each replica's clock.
std::string Comparable(const SimEngine& engine, const Position& position, Object* object) {
  std::string image;
  CHECK(engine
            .Scan(position, position,
                  [&](const Position&, std::string_view found) {
                    image = found;
                    return true;
                  })
            .has_value());
  *object = Object();
  if (image.empty()) return image;
  const auto record = ReadIntact(image);
  if (!record) return "a damaged record";
  *object = *DecodeObject(record->object);
  Object plain = *object;
  for (Sibling& sibling : plain.siblings) {
    if (sibling.expires_at_ms == 0) continue;
    sibling.kind = Kind::kTombstone;
    sibling.bytes.clear();
  }
  std::string encoded;
  EncodeObject(plain, &encoded);
  return encoded;
}

bool IsPruned(std::string_view old, std::string_view image) {
  if (old.size() <= image.size()) return false;
  const auto before = DecodeObject(ParseRecord(old)->object);
  const auto after = DecodeObject(ParseRecord(image)->object);
  return before->context.size() > Reaper::kLongContext &&
         after->context.size() < before->context.size();
}

class Run : public WorldObserver {
 public:
  explicit Run(const SimulationOptions& options)
      : options_(options),
        random_(options.seed * 0x9e3779b97f4a7c15ULL + 1),
        world_options_(WorldOf(options, &random_)),
        faults_(FaultsOf(options, &random_)),
        checker_(TombstonesGo()),
        world_(world_options_, this),
        keepers_(&world_),
        nemesis_(&world_, faults_, world_options_, random_.Next()),
        workload_(&world_, &checker_, options.ops_per_second, random_.Next(),
                  4 * world_options_.max_sync_us, TombstonesGo() && random_.Chance(2, 3)) {
    nemesis_.set_on_loss([this] { checker_.Lost(world_.now_us() - kUnsyncedUs, world_.now_us()); });
    checker_.set_ripe_ms([this](size_t key) { return RipeMs(key); });
    if (options.trace) {
      world_.set_trace([this](const std::string& line) {
        char time[32];
        std::snprintf(time, sizeof(time), "%12.3f ", static_cast<double>(world_.now_us()) / 1000);
        options_.trace(time + line);
      });
    }
  }

  SimulationResult Go() {
    Form();
    if (Fine()) Safety();
    if (Fine()) Liveness();
    SimulationResult result;
    result.failure = checker_.failure();
    if (world_.broken()) result.failure = world_.broken();
    result.trace_hash = world_.trace_hash();
    result.simulated_us = world_.now_us();
    result.events = world_.events();
    result.hits = world_.hits();
    result.counts = checker_.counts();
    for (int i = 0; i < world_.size(); ++i) {
      if (world_.IsUp(i)) result.counts.dropped += world_.node(i).counters().tombstones_dropped;
    }
    return result;
  }

  void OnAnswer(int node, const Answer& answer) override {
    if (options_.trace) {
      world_.Trace("client " + std::to_string(answer.id) + " answered by " +
                   std::to_string(node + 1) + ": " + std::to_string(answer.result.index()));
    }
    if (!nemesis_.OnAnswer(answer)) workload_.OnAnswer(node, answer);
    TraceFailure();
  }
  void OnNodeDown(int node) override {
    workload_.OnNodeDown(node);
    nemesis_.OnNodeDown(node);
  }
  void OnStep(int, const CausalContext* given) override { given_ = given; }
  void OnPut(int node, const Position& position, std::string_view image) override {
    checker_.OnPut(World::IdOf(node), position, image, given_, world_.now_us());
    const std::string_view old = world_.engine(node).Written(position);
    if (!IsHint(position) && IsPruned(old, image)) checker_.OnPrune(position, old);
    TraceFailure();
  }

  void OnDrop(int node, const Position& position, std::string_view image) override {
    const bool own =
        !IsHint(position) && world_.node(node).ring().Holds(position.slot, World::IdOf(node));
    if (own) checker_.OnDrop(position, image, world_.now_us());
    if (const auto wrong = keepers_.Judge(node, position, image)) checker_.Fail(*wrong);
    TraceFailure();
  }

 private:
  bool TombstonesGo() const { return world_options_.tombstone_min_age_ms < 60'000; }
  // Where it happened, in the trace; the run ends a little later.
  void TraceFailure() {
    if (!checker_.failed() || failure_traced_) return;
    failure_traced_ = true;
    world_.Trace("FAILED: " + *checker_.failure());
  }
  bool Fine() const { return !checker_.failed() && !world_.broken(); }

  std::vector<int> Members() const {
    std::vector<int> members;
    for (int i = 0; i < world_.size(); ++i) {
      if (!world_.IsOut(i)) members.push_back(i);
    }
    return members;
  }
  const Node& AnyMember() const { return world_.node(Members().front()); }

  // All who should be in it agree on a ring that rests.
  std::optional<std::string> Unformed() const {
    const std::vector<int> members = Members();
    for (const int i : members) {
      const std::string who = "node " + std::to_string(i + 1);
      if (!world_.IsUp(i)) return who + " is down";
      if (!world_.node(i).ready()) return who + " knows no ring";
      const ClusterState& state = world_.node(i).state();
      if (state != AnyMember().state()) return "members do not agree on the cluster's state";
      if (state.in_motion()) return "the ring is in motion";
      if (state.members.size() != members.size()) {
        std::string others = "the ring has other members:";
        for (const Member& member : state.members) {
          others += " " + std::to_string(world_.IndexOf(member.id) + 1);
          if (member.status == MemberStatus::kLeaving) others += " (leaving)";
        }
        return others;
      }
    }
    return std::nullopt;
  }
  bool Formed() const { return !Unformed(); }

  void Form() {
    for (int i = 0; i < world_.founders(); ++i) world_.Start(i);
    while (Fine() && !Formed()) {
      if (world_.now_us() > 60 * kSecond) checker_.Fail("no ring of all nodes after 60 s");
      world_.RunUntil(world_.now_us() + 100 * kMs);
    }
  }

  void Safety() {
    workload_.Begin();
    options_.cell ? nemesis_.Begin(*options_.cell) : nemesis_.Begin();
    RunFor(options_.seconds * kSecond);
    nemesis_.Stop();
    RunFor(5 * kSecond);
    workload_.Stop();
  }

  // In pieces, so that a failure ends it.
  void RunFor(int64_t us) {
    const int64_t end_us = world_.now_us() + us;
    while (Fine() && world_.now_us() < end_us) {
      world_.RunUntil(std::min(end_us, world_.now_us() + 100 * kMs));
    }
  }

  void Liveness() {
    RunFor(25 * kSecond);  // every connection that broke has been noticed
    if (checker_.pending() > 0) {
      checker_.Fail("operation " + std::to_string(checker_.Pending().front()) +
                    " was never answered");
    }
    // Nobody reads: what was missed is repaired by anti-entropy alone.
    for (int i = 0; Fine() && (nemesis_.RingIsAsked() || !Formed()) && i < kMoveSeconds; ++i) {
      RunFor(kSecond);
    }
    if (const auto why = Unformed(); why && Fine()) checker_.Fail(*why);
    std::optional<std::string> difference = Difference();
    for (int second = 0; Fine() && difference && second < kConvergeSeconds; ++second) {
      RunFor(kSecond);
      difference = Difference();
    }
    if (difference && Fine()) checker_.Fail(*difference);
    // Times that a clock which was ahead gave out have to pass.
    std::optional<std::string> dead = DeadVersion();
    for (int i = 0; Fine() && dead && i < kDropSeconds; ++i) {
      RunFor(kSecond);
      dead = DeadVersion();
    }
    if (dead && Fine()) checker_.Fail(*dead);
    // Every node shows what the replicas agree on.
    workload_.ReadAll();
    RunFor(2 * kSecond);
    workload_.BeginOrdered(kOrderedRounds);
    for (int i = 0; Fine() && !workload_.ordered_done() && i < 600; ++i) RunFor(100 * kMs);
    RunFor(2 * kSecond);
    if (Fine()) CheckEnd();
  }

  std::optional<std::string> Difference() {
    const Ring& ring = AnyMember().ring();
    for (size_t key = 0; key < workload_.key_count(); ++key) {
      const Position position = PositionAt(key);
      std::optional<std::string> first;
      for (const NodeId id : ring.Replicas(position.slot)) {
        const int node = world_.IndexOf(id);
        Object object;
        std::string copy = Comparable(world_.engine(node), position, &object);
        if (first && copy != *first) {
          return "replicas differ: key " + workload_.key(key).bytes + " at node " +
                 std::to_string(node + 1) + " is " + world_.describer().Of(object);
        }
        first = std::move(copy);
      }
    }
    return DifferentSums(ring);
  }

  std::optional<std::string> DifferentSums(const Ring& ring) {
    for (uint32_t partition = 0; partition < ring.partition_count(); ++partition) {
      const uint16_t slot = ring.FirstSlot(partition);
      const uint32_t end = (ring.LastSlot(partition) + 1U) * kBucketsPerSlot;
      std::optional<uint64_t> first;
      for (const NodeId id : ring.Replicas(slot)) {
        const SimEngine& engine = world_.engine(world_.IndexOf(id));
        const uint64_t sum = engine.SumOfLeaves(slot * kBucketsPerSlot, end);
        if (first && sum != *first) {
          return "leaf sums differ in partition " + std::to_string(partition);
        }
        first = sum;
      }
    }
    return std::nullopt;
  }

  // A version that should have been dropped and was not.
  std::optional<std::string> DeadVersion() {
    if (!TombstonesGo()) return std::nullopt;
    for (size_t key = 0; key < workload_.key_count(); ++key) {
      const Position position = PositionAt(key);
      for (const NodeId id : AnyMember().ring().Replicas(position.slot)) {
        const int node = world_.IndexOf(id);
        Object object;
        Comparable(world_.engine(node), position, &object);
        const View now{world_.NowOf(node).wall_ms, 0};
        if (object.siblings.empty() || object.Newest(now) != nullptr) continue;
        return "a dead version was not dropped: key " + workload_.key(key).bytes + " at node " +
               std::to_string(node + 1) + " is " + world_.describer().Of(object);
      }
    }
    return std::nullopt;
  }

  // Every vote of all that hold a version has one replica that took it for dead by this time.
  int64_t RipeMs(size_t key) {
    std::vector<int64_t> latest;
    for (int i = 0; i < world_.size() && latest.empty(); ++i) {
      if (!world_.IsUp(i) || !world_.node(i).ready()) continue;
      for (const NodeId id : world_.node(i).ring().Replicas(PositionAt(key).slot)) {
        latest.push_back(world_.clock(world_.IndexOf(id)).LatestWallMs(world_.now_us()));
      }
    }
    if (latest.empty()) return INT64_MAX;
    std::sort(latest.begin(), latest.end());
    // W of a ring of fewer nodes are all of them.
    const size_t w = std::min<size_t>(world_options_.settings.w, latest.size());
    return latest[latest.size() - w];
  }

  Position PositionAt(size_t key) const {
    return PositionOf(workload_.key(key).db, workload_.key(key).bytes, Partitioner::kSlot);
  }

  void CheckEnd() {
    if (const auto why = Unformed()) return checker_.Fail(*why);
    for (const int i : Members()) {
      const uint64_t left = world_.node(i).counters().operations_in_flight;
      if (left != 0) checker_.Fail(std::to_string(left) + " operations are left in flight");
      const uint64_t hints = world_.node(i).counters().hints_pending;
      if (hints != 0) checker_.Fail(std::to_string(hints) + " hints were never delivered");
      if (const auto partition = world_.LeftOver(i)) {
        checker_.Fail("node " + std::to_string(i + 1) + " still has a copy of partition " +
                      std::to_string(*partition) + ", which is not its");
      }
    }
    if (checker_.pending() > 0) checker_.Fail("an operation was never answered");
    if (const auto difference = Difference()) checker_.Fail(*difference);
    const Ring& ring = AnyMember().ring();
    for (size_t key = 0; key < workload_.key_count(); ++key) {
      Object object;
      const Position position = PositionAt(key);
      const int node = world_.IndexOf(ring.Replicas(position.slot).front());
      Comparable(world_.engine(node), position, &object);
      checker_.Final(key, object);
      const auto& last = workload_.last_ordered(key);
      if (last && (object.siblings.size() != 1 || object.siblings[0].bytes != *last)) {
        checker_.Fail("SETs in order did not leave the last alone: key " +
                      workload_.key(key).bytes + " is " + world_.describer().Of(object));
      }
    }
  }

  const SimulationOptions options_;
  Random random_;
  const WorldOptions world_options_;
  const FaultSet faults_;
  Checker checker_;
  World world_;
  Keepers keepers_;
  Nemesis nemesis_;
  Workload workload_;
  const CausalContext* given_ = nullptr;
  bool failure_traced_ = false;
};

}  // namespace

SimulationResult Simulate(const SimulationOptions& options) { return Run(options).Go(); }

}  // namespace cartwheel::sim
