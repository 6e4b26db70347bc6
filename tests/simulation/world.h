// World: a whole cluster in one thread. Real Nodes over simulated engines, clocks and network,
// driven as the contract of cluster/effects.h says: the control image is durable first, the engine
// is flushed, and whatever waits for a write leaves once it is stored. Frames are really encoded
// and parsed. Everything follows from the seed. It knows nothing of clients and of what is right:
// an observer gets the answers and sees every image that is stored.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/node.h"
#include "protocol/request_parser.h"
#include "tests/simulation/describe.h"
#include "tests/simulation/event_queue.h"
#include "tests/simulation/fault_kind.h"
#include "tests/simulation/network.h"
#include "tests/simulation/sim_clock.h"
#include "tests/simulation/sim_engine.h"

namespace cartwheel::sim {

// What is broken on purpose, to see the checker fail.
enum class Mutant : uint8_t {
  kNone,
  kAckBeforeStored,    // effects leave before anything is stored
  kNewestSiblingWins,  // an engine that keeps the newest sibling only
  kSiblingLost,        // a copy with several siblings loses one when it is stored, now and then
  kControlForgotten,   // a restart finds the first control image, and leaps as the first did
  kNothingRepaired,    // no comparison and no read repair arrives
};

struct WorldOptions {
  int nodes = 5;
  int spares = 0;  // that may join later
  uint64_t seed = 1;
  ClusterSettings settings;
  SyncPolicy sync = SyncPolicy::kEverySecond;
  int64_t min_latency_us = 100;
  int64_t max_latency_us = 1500;
  int64_t max_sync_us = 2000;  // how long a disk takes to sync
  int64_t tombstone_min_age_ms = 600'000;
  uint64_t transfer_rate_bytes = 64ULL << 20;
  bool anti_entropy = true;  // false: nobody is asked to compare, for what is told of the rest
  Mutant mutant = Mutant::kNone;
};

class WorldObserver {
 public:
  virtual ~WorldObserver() = default;
  virtual void OnAnswer(int node, const Answer& answer) = 0;
  // The process ended: operations that it had not answered never will be.
  virtual void OnNodeDown(int node) = 0;
  virtual void OnPut(int node, const Position& position, std::string_view image) = 0;
  // A node drops its own copy of a key, or one that it kept for another, for good.
  virtual void OnDrop(int node, const Position& position, std::string_view image) = 0;
  // The next images stored by `node` come of this step. `given` is the context of the write that it
  // may mint, when that is known.
  virtual void OnStep(int node, const CausalContext* given) = 0;
};

class World {
 public:
  World(const WorldOptions& options, WorldObserver* observer);
  ~World();

  static NodeId IdOf(int node) { return static_cast<NodeId>(node + 1) * 0x1111111111111111ULL; }
  int IndexOf(NodeId id) const;  // -1: none of ours

  int size() const { return static_cast<int>(nodes_.size()); }
  int founders() const { return options_.nodes; }
  // Not of the ring: a spare that was never started, or a node that left it or was removed for
  // good.
  bool IsOut(int node) const { return !at(node).was_started || at(node).is_gone; }
  bool IsGone(int node) const { return at(node).is_gone; }
  bool Replaces(int node, int member) const { return at(node).options.replaces == IdOf(member); }
  int64_t now_us() const { return now_us_; }
  Now NowOf(int node) const { return at(node).clock.At(now_us_); }

  // Starts a node for the first time, or again from what its disk holds.
  void Start(int node);
  // The same for a spare, in the place of a member that is gone.
  void StartInPlaceOf(int node, int member);
  bool IsUp(int node) const { return at(node).node != nullptr; }
  const Node& node(int node) const { return *at(node).node; }
  // It lost something, now or when it died, that the others have not given back yet.
  bool MayHaveLost(int node) const {
    return IsUp(node) ? at(node).node->MayHaveLost() : at(node).went_with_losses;
  }
  const SimEngine& engine(int node) const { return at(node).engine; }
  // A partition that is not the node's, as it knows the ring, and of which it has a copy.
  std::optional<uint32_t> LeftOver(int node) const;

  // Steps the node with a client's operation. False when it is down; its answer comes to the
  // observer.
  bool Submit(int node, ClientOp op);

  // Runs all that is due until then.
  void RunUntil(int64_t time_us);
  // False when nothing is left to happen.
  bool RunOne();
  void Call(int64_t time_us, std::function<void()> call);

  // --- faults ---
  Network& network() { return network_; }
  SimClock& clock(int node) { return at(node).clock; }
  // After the clock was changed: what was planned by it is planned anew.
  void ClockChanged(int node) { PlanTick(node); }
  // The images of the hints that it had and has no more.
  int64_t tombstone_min_age_us() const { return options_.tombstone_min_age_ms * 1000; }
  // Its disk is copied, for a crash with Loss::kSinceCopy: its directory is restored from there.
  void CopyDisk(int node);
  std::vector<std::string> Crash(int node, Loss loss);
  // The node dies in its next turn that writes: before its control image is durable, before its
  // batch is written, or before anything is sent.
  void CrashInCommit(int node, int stage);
  // It never comes back; the ring's operators have to know.
  void GoForGood(int node) { at(node).is_gone = true; }
  // The node's disk changes a record that is stored there, if there is one: which.
  std::optional<Position> FlipRecord(int node);
  // The node's disk has no room for new values, or has it again.
  void SetFull(int node, bool full);
  void Pause(int node, int64_t until_us);
  void ResumeAll();
  void SetSlow(int node, int64_t each_turn_us);
  // How long the node stood still or was slow since the simulation began.
  int64_t PausedUs(int node) const;

  FaultHits& hits() { return hits_; }
  // Over all that happened so far; equal seeds, equal hashes.
  uint64_t trace_hash() const { return trace_hash_; }
  uint64_t events() const { return steps_; }
  // Told of every message that arrives and every fault; the hook of --trace and of the scripts.
  // false: comparisons go unheard.
  void set_anti_entropy(bool on) { options_.anti_entropy = on; }
  void set_trace(std::function<void(const std::string&)> trace) { trace_ = std::move(trace); }
  void Trace(const std::string& line) const {
    if (trace_) trace_(line);
  }
  Describer& describer() { return describer_; }
  // The first thing that no driver may see: a node that stops or a Start that fails.
  const std::optional<std::string>& broken() const { return broken_; }

 private:
  struct Packet {
    NodeId to = 0;
    bool response = false;
    std::string frame;
  };
  struct Waiting {
    uint64_t after = 0;
    bool synced = false;
    std::variant<Packet, Answer> effect;
  };
  // An input that came while the node stood still.
  using Deferred = std::variant<Delivery, LinkEvent, ClientOp>;
  struct SimNode {
    SimNode(SyncPolicy policy, int64_t mono_offset_us) : engine(policy), clock(mono_offset_us) {}
    NodeOptions options;
    SimEngine engine;
    SimClock clock;
    std::string control;
    std::string first_control;
    std::string copied_control;
    std::unique_ptr<Node> node;
    std::deque<Waiting> waiting;
    std::deque<Deferred> deferred;
    uint64_t incarnation = 0;
    uint64_t tick_generation = 0;
    int64_t tick_planned_us = INT64_MAX;
    int64_t paused_until_us = 0;
    int64_t paused_total_us = 0;
    int64_t paused_since_us = 0;
    int64_t slow_us = 0;
    int64_t slow_since_us = 0;
    int64_t busy_until_us = 0;
    bool sync_planned = false;
    bool early_sync_planned = false;
    uint64_t refused_for_room = 0;  // by this incarnation
    std::optional<int> crash_stage;
    bool was_started = false;
    bool is_gone = false;
    bool went_with_losses = false;  // what it had lost when it died was not repaired yet
  };

  SimNode& at(int node) { return *nodes_[static_cast<size_t>(node)]; }
  const SimNode& at(int node) const { return *nodes_[static_cast<size_t>(node)]; }
  bool StandsStill(const SimNode& n) const {
    return n.paused_until_us > now_us_ || n.busy_until_us > now_us_;
  }
  void Happen(const Event& event);
  void Defer(int node, Deferred input);
  void Resume(int node);
  void Apply(int node, Deferred input);
  void Take(int node, Delivery delivery);
  template <typename Input>
  void Feed(int node, const Input& input);
  void EndTurn(int node);
  bool CrashesAt(int node, int stage) const;
  bool IsIgnored(std::span<const std::string_view> fields) const;
  void Dispatch(int node, Packet packet);
  void Release(int node);
  void PlanTick(int node);
  void PlanSync(int node);
  void PlanEarlySync(int node);
  void Note(uint64_t what, uint64_t a, uint64_t b, uint64_t c);
  WorldOptions options_;
  WorldObserver* observer_;
  Random random_;
  EventQueue events_;
  FaultHits hits_;
  Network network_;
  RequestParser parser_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::vector<std::function<void()>> calls_;
  std::vector<uint64_t> free_calls_;
  Effects effects_;
  int64_t now_us_ = 0;
  uint64_t trace_hash_ = 0;
  uint64_t steps_ = 0;
  std::function<void(const std::string&)> trace_;
  Describer describer_;
  std::optional<std::string> broken_;
};

}  // namespace cartwheel::sim
