#include "tests/simulation/world.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/hash.h"
#include "cluster/messages.h"
#include "storage/record.h"

namespace cartwheel::sim {
namespace {

constexpr int64_t kMs = 1000;

Address BusAddress(int node) {
  return {"10.0.0." + std::to_string(node + 1), static_cast<uint16_t>(17000 + node)};
}

std::string WithoutSibling(const Position& position, std::string image, bool keep_newest_only) {
  const auto record = ParseRecord(image);
  auto object = DecodeObject(record->object);
  if (object->siblings.size() < 2) return image;
  object->siblings.resize(keep_newest_only ? 1 : object->siblings.size() - 1);
  return EncodeRecord(position, record->db, record->key, *object, record->mark);
}

// In the trace hash.
template <typename Input>
constexpr uint64_t kNumberOf = 0;
template <>
constexpr uint64_t kNumberOf<Tick> = 2;
template <>
constexpr uint64_t kNumberOf<LinkUp> = 3;
template <>
constexpr uint64_t kNumberOf<LinkLost> = 4;

}  // namespace

World::World(const WorldOptions& options, WorldObserver* observer)
    : options_(options),
      observer_(observer),
      random_(options.seed),
      network_(options.nodes + options.spares, random_.Next(), &events_, &hits_,
               {.stands_still = [this](int node) { return StandsStill(at(node)); },
                .opening = [this](int node) { return at(node).node->Opening(NowOf(node)); }}),
      parser_(ParserLimits()) {
  network_.weather().min_latency_us = options.min_latency_us;
  network_.weather().max_latency_us = options.max_latency_us;
  for (int i = 0; i < options.nodes + options.spares; ++i) {
    const auto uptime_us = static_cast<int64_t>(random_.Below(1'000'000'000'000));
    nodes_.push_back(std::make_unique<SimNode>(options.sync, uptime_us));
    SimNode& n = at(i);
    NodeOptions& o = n.options;
    o.id = IdOf(i);
    o.self.id = o.id;
    o.self.host = BusAddress(i).host;
    o.self.port = static_cast<uint16_t>(7000 + i);
    o.self.bus_port = BusAddress(i).port;
    for (int seed = 0; seed < options.nodes; ++seed) o.seeds.push_back(BusAddress(seed));
    o.settings = options.settings;
    o.tombstone_min_age_ms = options.tombstone_min_age_ms;
    o.transfer_rate_bytes = options.transfer_rate_bytes;
    n.engine.set_put_observer([this, i](const Position& position, std::string_view image) {
      observer_->OnPut(i, position, image);
    });
    n.engine.set_drop_observer([this, i](const Position& position, std::string_view image) {
      observer_->OnDrop(i, position, image);
    });
    if (options.mutant == Mutant::kNewestSiblingWins || options.mutant == Mutant::kSiblingLost) {
      n.engine.set_put_mutation([this](const Position& position, std::string image) {
        const bool newest_only = options_.mutant == Mutant::kNewestSiblingWins;
        if (!newest_only && !random_.Chance(1, 20)) return image;
        return WithoutSibling(position, std::move(image), newest_only);
      });
    }
  }
}

World::~World() = default;

int World::IndexOf(NodeId id) const {
  for (int i = 0; i < size(); ++i) {
    if (IdOf(i) == id) return i;
  }
  return -1;
}

std::optional<uint32_t> World::LeftOver(int node) const {
  if (!at(node).node->ready()) return std::nullopt;
  const Ring& ring = at(node).node->ring();
  for (uint32_t partition = 0; partition < ring.partition_count(); ++partition) {
    const uint16_t slot = ring.FirstSlot(partition);
    if (ring.Holds(slot, IdOf(node))) continue;
    const uint32_t end = (ring.LastSlot(partition) + 1U) * kBucketsPerSlot;
    if (at(node).engine.SumOfLeaves(slot * kBucketsPerSlot, end) != 0) return partition;
  }
  return std::nullopt;
}

void World::Start(int node) {
  SimNode& n = at(node);
  CHECK(n.node == nullptr && !n.is_gone);
  if (!n.was_started && node >= founders()) {
    // Its operator names those who are there now.
    n.options.seeds.clear();
    for (int seed = 0; seed < size(); ++seed) {
      if (!IsOut(seed)) n.options.seeds.push_back(BusAddress(seed));
    }
  }
  n.was_started = true;
  const bool forgotten = options_.mutant == Mutant::kControlForgotten;
  n.options.seed = random_.Next();
  if (forgotten) n.options.seed = 1;
  network_.NodeUp(node);
  effects_.Clear();
  auto started = Node::Start(n.options, &n.engine, forgotten ? n.first_control : n.control,
                             NowOf(node), &effects_);
  if (!started) {
    if (!broken_) broken_ = "node " + std::to_string(node + 1) + ": " + started.error().message;
    return;
  }
  n.node = *std::move(started);
  Trace("node " + std::to_string(node + 1) + " starts");
  Note(1, static_cast<uint64_t>(node), n.incarnation, 0);
  EndTurn(node);
}

void World::StartInPlaceOf(int node, int member) {
  at(node).options.replaces = IdOf(member);
  Start(node);
}

bool World::Submit(int node, ClientOp op) {
  SimNode& n = at(node);
  if (n.node == nullptr) return false;
  Note(2, static_cast<uint64_t>(node), op.id, 0);
  if (StandsStill(n)) {
    Defer(node, std::move(op));
  } else {
    effects_.Clear();
    Apply(node, std::move(op));
    EndTurn(node);
  }
  return true;
}

void World::RunUntil(int64_t time_us) {
  while (!events_.empty() && events_.next_us() <= time_us && !broken_) Happen(events_.Pop());
  now_us_ = std::max(now_us_, time_us);
}

bool World::RunOne() {
  if (events_.empty()) return false;
  Happen(events_.Pop());
  return true;
}

void World::Call(int64_t time_us, std::function<void()> call) {
  uint64_t slot = calls_.size();
  if (free_calls_.empty()) {
    calls_.push_back(std::move(call));
  } else {
    slot = free_calls_.back();
    free_calls_.pop_back();
    calls_[slot] = std::move(call);
  }
  events_.Push({.time_us = std::max(time_us, now_us_), .kind = EventKind::kCall, .c = slot});
}

void World::Happen(const Event& event) {
  now_us_ = event.time_us;
  ++steps_;
  const int node = static_cast<int>(event.a);
  std::optional<LinkEvent> link;
  switch (event.kind) {
    case EventKind::kDial: link = network_.Dialled(now_us_, event); break;
    case EventKind::kReset: link = network_.Reset(event); break;
    case EventKind::kDeliver: {
      auto delivery = network_.Delivered(event);
      if (delivery) Take(delivery->to, *std::move(delivery));
      return;
    }
    case EventKind::kTick: {
      SimNode& n = at(node);
      if (n.tick_generation != event.b || n.node == nullptr) return;
      n.tick_planned_us = INT64_MAX;
      if (StandsStill(n)) return;  // Resume ticks
      if (NowOf(node).mono_us < n.node->NextDeadline()) {
        PlanTick(node);
        return;
      }
      effects_.Clear();
      Feed(node, Tick{});
      EndTurn(node);
      return;
    }
    case EventKind::kSynced: {
      SimNode& n = at(node);
      if (n.incarnation != event.b || n.node == nullptr) return;
      if (event.flag) {
        n.early_sync_planned = false;
        n.engine.MarkSynced(event.c);
      } else {
        n.sync_planned = false;
        const bool always = n.engine.policy() == SyncPolicy::kAlways;
        n.engine.MarkSynced(always ? event.c : n.engine.written());
      }
      Release(node);
      PlanSync(node);
      PlanEarlySync(node);
      return;
    }
    case EventKind::kResume: Resume(node); return;
    case EventKind::kCall: {
      const std::function<void()> call = std::move(calls_[event.c]);
      free_calls_.push_back(event.c);
      call();
      return;
    }
  }
  if (!link || at(link->dialer).node == nullptr) return;
  Note(3, static_cast<uint64_t>(link->dialer), static_cast<uint64_t>(link->peer), link->up);
  if (StandsStill(at(link->dialer))) {
    Defer(link->dialer, *link);
  } else {
    effects_.Clear();
    Apply(link->dialer, *link);
    EndTurn(link->dialer);
  }
}

void World::Take(int node, Delivery delivery) {
  SimNode& n = at(node);
  if (n.node == nullptr) return;
  if (StandsStill(n)) {
    Defer(node, std::move(delivery));
    return;
  }
  effects_.Clear();
  Apply(node, std::move(delivery));
  EndTurn(node);
}

void World::Defer(int node, Deferred input) { at(node).deferred.push_back(std::move(input)); }

void World::Resume(int node) {
  SimNode& n = at(node);
  if (n.node == nullptr || StandsStill(n)) return;
  if (n.paused_since_us != 0) {
    n.paused_total_us += now_us_ - n.paused_since_us;
    n.paused_since_us = 0;
    Trace("node " + std::to_string(node + 1) + " goes on");
  }
  effects_.Clear();
  // All that a process finds when it wakes comes in one turn; a slow one does it piece by piece.
  while (!n.deferred.empty()) {
    Deferred input = std::move(n.deferred.front());
    n.deferred.pop_front();
    Apply(node, std::move(input));
    if (n.slow_us > 0) break;
  }
  Feed(node, Tick{});
  EndTurn(node);
}

void World::Apply(int node, Deferred input) {
  SimNode& n = at(node);
  if (auto* op = std::get_if<ClientOp>(&input)) {
    const auto* put = std::get_if<PutOperation>(&op->operation);
    const bool has_context = put != nullptr && put->context.has_value();
    // The node consumes the operation: the observer's copy is made before.
    const CausalContext given = has_context ? *put->context : CausalContext();
    observer_->OnStep(node, has_context ? &given : nullptr);
    n.node->Step(NowOf(node), std::move(*op), &effects_);
    observer_->OnStep(node, nullptr);
    return;
  }
  if (const auto* link = std::get_if<LinkEvent>(&input)) {
    if (link->up) {
      Feed(node, LinkUp{IdOf(link->peer)});
    } else {
      Feed(node, LinkLost{IdOf(link->peer)});
    }
    return;
  }
  const Delivery& delivery = std::get<Delivery>(input);
  for (size_t done = 0; done < delivery.frame.size();) {
    const std::span<char> room = parser_.Prepare();
    const size_t part = std::min(room.size(), delivery.frame.size() - done);
    std::memcpy(room.data(), delivery.frame.data() + done, part);
    parser_.Commit(part);
    done += part;
  }
  if (parser_.Next() != RequestParser::Outcome::kCommand) {
    if (!broken_) broken_ = "a frame that does not parse: " + delivery.frame;
    return;
  }
  const auto fields = parser_.arguments();
  if (IsIgnored(fields)) return;
  Note(4, static_cast<uint64_t>(delivery.from), static_cast<uint64_t>(node),
       Hash64(delivery.frame));
  if (trace_) {
    Trace(std::to_string(delivery.from + 1) + "->" + std::to_string(node + 1) + " " +
          describer_.OfFrame(fields));
  }
  CausalContext given;
  bool known = false;
  if (FrameType(fields) == MintRequest::kType) {
    MintRequest mint;
    if (Decode(fields, &mint) && !mint.plain) {
      auto context = DecodeContext(mint.context);
      known = context.has_value();
      if (known) given = *std::move(context);
    }
  }
  observer_->OnStep(node, known ? &given : nullptr);
  n.node->Step(NowOf(node), FrameReceived{IdOf(delivery.from), fields}, &effects_);
  observer_->OnStep(node, nullptr);
}

bool World::IsIgnored(std::span<const std::string_view> fields) const {
  const bool mutant = options_.mutant == Mutant::kNothingRepaired;
  switch (FrameType(fields)) {
    case TreeRequest::kType: return mutant || !options_.anti_entropy;
    case CompareRequest::kType: return mutant;
    case MergeRequest::kType: {
      // A write waits for its answer, a repair does not.
      MergeRequest merge;
      return mutant && Decode(fields, &merge) && merge.request == 0;
    }
    default: return false;
  }
}

template <typename Input>
void World::Feed(int node, const Input& input) {
  Note(5, static_cast<uint64_t>(node), kNumberOf<Input>, 0);
  at(node).node->Step(NowOf(node), input, &effects_);
}

bool World::CrashesAt(int node, int stage) const {
  const SimNode& n = at(node);
  return n.crash_stage == stage && n.engine.sequences().applied != n.engine.written();
}

void World::EndTurn(int node) {
  SimNode& n = at(node);
  if (effects_.stop && !broken_) {
    broken_ = "node " + std::to_string(node + 1) + " stops: " + *effects_.stop;
  }
  const bool departs = effects_.departed;
  const uint64_t refused = n.node->counters().disk_full_refusals;
  if (refused != n.refused_for_room) hits_.Count(FaultKind::kDiskFull);
  n.refused_for_room = refused;
  const bool dies = CrashesAt(node, 0) || CrashesAt(node, 1) || CrashesAt(node, 2);
  const int stage = dies ? *n.crash_stage : -1;
  if (effects_.control && stage != 0) {
    n.control = *std::move(effects_.control);
    if (n.first_control.empty()) n.first_control = n.control;
  }
  const bool early = options_.mutant == Mutant::kAckBeforeStored;
  if (!dies || stage == 2) CHECK(n.engine.Flush().has_value());
  if (!dies || early) {
    const Sequences reached =
        early ? Sequences{UINT64_MAX, UINT64_MAX, UINT64_MAX} : n.engine.sequences();
    for (const Send& send : effects_.outbox.sends) {
      Packet packet{send.to, send.response, std::string(effects_.outbox.FrameOf(send))};
      if (MayLeave(send.after, send.synced, reached)) {
        Dispatch(node, std::move(packet));
        continue;
      }
      if (send.synced) n.engine.SyncSoon(send.after);
      n.waiting.push_back({send.after, send.synced, std::move(packet)});
    }
    for (SendToAddress& send : effects_.sends_to_address) {
      for (int peer = 0; peer < size(); ++peer) {
        if (peer == node || BusAddress(peer) != send.to) continue;
        network_.Send(now_us_, node, peer, false, std::move(send.frame));
        break;
      }
    }
    // Answers leave last, for the observer may ask for more.
    const std::vector<Answer> answers = std::move(effects_.answers);
    effects_.answers.clear();
    for (const Answer& answer : answers) {
      if (answer.after <= reached.stored) {
        Note(6, static_cast<uint64_t>(node), answer.id, answer.result.index());
        observer_->OnAnswer(node, answer);
      } else {
        n.waiting.push_back({answer.after, false, answer});
      }
    }
  }
  if (dies) {
    hits_.Count(FaultKind::kCommitCrash);
    Crash(node, Loss::kNothing);
    return;
  }
  if (departs) {
    Trace("node " + std::to_string(node + 1) + " departs");
    GoForGood(node);
    Crash(node, Loss::kNothing);
    return;
  }
  if (n.slow_us > 0 && !StandsStill(n)) {
    hits_.Count(FaultKind::kSlowNode);
    n.busy_until_us = now_us_ + n.slow_us;
    events_.Push(
        {.time_us = n.busy_until_us, .kind = EventKind::kResume, .a = static_cast<uint32_t>(node)});
  }
  PlanSync(node);
  PlanEarlySync(node);
  PlanTick(node);
}

void World::Dispatch(int node, Packet packet) {
  const int to = IndexOf(packet.to);
  CHECK(to != node);
  if (to >= 0) network_.Send(now_us_, node, to, packet.response, std::move(packet.frame));
}

void World::Release(int node) {
  SimNode& n = at(node);
  const Sequences reached = n.engine.sequences();
  std::vector<Answer> answers;
  for (auto it = n.waiting.begin(); it != n.waiting.end();) {
    if (!MayLeave(it->after, it->synced, reached)) {
      ++it;
      continue;
    }
    if (auto* packet = std::get_if<Packet>(&it->effect)) {
      Dispatch(node, std::move(*packet));
    } else {
      answers.push_back(std::get<Answer>(std::move(it->effect)));
    }
    it = n.waiting.erase(it);
  }
  for (const Answer& answer : answers) {
    Note(6, static_cast<uint64_t>(node), answer.id, answer.result.index());
    observer_->OnAnswer(node, answer);
  }
}

void World::PlanTick(int node) {
  SimNode& n = at(node);
  if (n.node == nullptr) return;
  const int64_t due_us = std::max(n.clock.WhenMono(n.node->NextDeadline()), now_us_ + 1);
  // A deadline that moved away is found out when the old one comes.
  if (n.tick_planned_us <= due_us) return;
  n.tick_planned_us = due_us;
  events_.Push({.time_us = due_us,
                .kind = EventKind::kTick,
                .a = static_cast<uint32_t>(node),
                .b = ++n.tick_generation});
}

void World::PlanSync(int node) {
  SimNode& n = at(node);
  if (n.sync_planned || !n.engine.HasUnsynced()) return;
  n.sync_planned = true;
  const bool always = n.engine.policy() == SyncPolicy::kAlways;
  const int64_t takes_us =
      100 + static_cast<int64_t>(random_.Below(static_cast<uint64_t>(options_.max_sync_us)));
  events_.Push({.time_us = now_us_ + takes_us + (always ? 0 : 1000 * kMs),
                .kind = EventKind::kSynced,
                .a = static_cast<uint32_t>(node),
                .b = n.incarnation,
                .c = n.engine.written()});
}

// Under everysec a disk is asked sooner only when somebody waits for it.
void World::PlanEarlySync(int node) {
  SimNode& n = at(node);
  if (n.early_sync_planned || !n.engine.SyncIsWanted()) return;
  n.early_sync_planned = true;
  const int64_t takes_us =
      100 + static_cast<int64_t>(random_.Below(static_cast<uint64_t>(options_.max_sync_us)));
  events_.Push({.time_us = now_us_ + takes_us,
                .kind = EventKind::kSynced,
                .flag = true,
                .a = static_cast<uint32_t>(node),
                .b = n.incarnation,
                .c = n.engine.written()});
}

void World::Note(uint64_t what, uint64_t a, uint64_t b, uint64_t c) {
  const uint64_t words[] = {trace_hash_, static_cast<uint64_t>(now_us_), what, a, b, c};
  trace_hash_ = Hash64({reinterpret_cast<const char*>(words), sizeof(words)});
}

}  // namespace cartwheel::sim
