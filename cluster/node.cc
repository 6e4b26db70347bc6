#include "cluster/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "base/coding.h"
#include "cluster/anti_entropy.h"
#include "cluster/coordinator.h"
#include "cluster/expiry_sweep.h"
#include "cluster/flush_sweep.h"
#include "cluster/handoff.h"
#include "cluster/membership.h"
#include "cluster/messages.h"
#include "cluster/motion.h"
#include "cluster/node_context.h"
#include "cluster/range_coordinator.h"
#include "cluster/reaper.h"
#include "cluster/replica_service.h"
#include "cluster/scrub.h"
#include "cluster/transfer.h"

namespace cartwheel {
namespace {

constexpr uint8_t kControlVersion = 2;
constexpr int64_t kManySiblingsPauseUs = 10'000'000;
constexpr size_t kKeyBytesInLog = 100;

// control := version:byte births:fixed64 may_have_lost:byte membership:bytes
struct Control {
  uint64_t births = 0;
  bool may_have_lost = false;
  std::string_view membership;
};

Result<Control> ParseControl(std::string_view image) {
  if (image.empty()) return Control{};
  Reader reader(image);
  const uint8_t version = reader.Byte();
  Control control;
  control.births = reader.Fixed64();
  control.may_have_lost = reader.Byte() != 0;
  control.membership = reader.Bytes();
  if (!reader.ok() || version != kControlVersion) {
    return Error(ErrorCode::kCorrupt, "the node's control image is damaged or of another version");
  }
  return control;
}

// All that is asked names the epoch it was asked in. The rest are answers to requests or probes of
// ours, which prove both directions of a link.
template <typename Message>
constexpr bool kIsRequest = requires(const Message& message) {
  message.epoch;
};

// What clients want of keys, not of the ring.
template <typename T>
constexpr bool kIsOfKeys =
    std::is_same_v<T, ReadOperation> || std::is_same_v<T, PutOperation> ||
    std::is_same_v<T, DeleteOperation> || std::is_same_v<T, UpdateOperation> ||
    std::is_same_v<T, ScanOperation> || std::is_same_v<T, CountOperation>;

// An answer of a node that knows that placement.
template <typename Message>
constexpr bool kTellsPlacement = !kIsRequest<Message> && requires(const Message& message) {
  message.placement;
};

}  // namespace

struct Node::Parts {
  Parts(NodeOptions options, StorageEngine* engine, Births births)
      : context(std::move(options), engine, births),
        membership(context.options, &context.random, &context.clock),
        service(&context),
        coordinator(&context),
        ranges(&context),
        handoff(&context),
        reaper(&context, &handoff),
        anti_entropy(&context),
        transfer(&context),
        motion(&context, &membership, &transfer, &coordinator),
        expiry(&context.replica),
        flushes(&context.replica),
        scrub(&context.replica, &context.counters) {}

  void Dispatch(const Turn& turn, ClientOp&& op);
  void Dispatch(const Turn& turn, const FrameReceived& frame);
  void Dispatch(const Turn& turn, const Tick&);
  void Dispatch(const Turn& turn, const LinkUp& link);
  void Dispatch(const Turn& turn, const LinkLost& link);

  void Spread(const Turn& turn, uint64_t client, const PublishOperation& operation);

  // The data messages, one overload each.
  void On(const Turn& turn, NodeId, const Publish& m) {
    turn.effects->published.push_back({m.sharded, std::string(m.channel), std::string(m.message)});
  }
  void On(const Turn& turn, NodeId from, const ReadRequest& m) { service.OnRead(turn, from, m); }
  void On(const Turn& turn, NodeId, const CompareRequest& m) { service.OnCompare(turn, m); }
  void On(const Turn& turn, NodeId from, const MintRequest& m) { service.OnMint(turn, from, m); }
  void On(const Turn& turn, NodeId from, const MergeRequest& m) {
    if (service.OnMerge(turn, from, m)) anti_entropy.OnMerged(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const ScanRequest& m) { service.OnScan(turn, from, m); }
  void On(const Turn& turn, NodeId from, const CountRequest& m) {
    flushes.BeforeCount();
    service.OnCount(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const UpdateRequest& m) {
    coordinator.OnUpdateRequest(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const ReadResponse& m) {
    coordinator.OnReadResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const MintResponse& m) {
    coordinator.OnMintResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const MergeResponse& m) {
    if (handoff.OnMergeResponse(from, m) || anti_entropy.OnMergeResponse(turn, m)) return;
    coordinator.OnMergeResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const UpdateResponse& m) {
    coordinator.OnUpdateResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const ScanResponse& m) {
    ranges.OnScanResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const CountResponse& m) {
    ranges.OnCountResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const Ping& m) {
    turn.Respond(from, Pong{.request = m.request});
  }
  void On(const Turn&, NodeId, const Pong&) {}
  void On(const Turn& turn, NodeId from, const HoldsRequest& m) { service.OnHolds(turn, from, m); }
  void On(const Turn& turn, NodeId from, const LeavesRequest& m) {
    service.OnLeaves(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const ReapRequest& m) { reaper.OnRequest(turn, from, m); }
  void On(const Turn& turn, NodeId from, const ReapResponse& m) {
    reaper.OnResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const ReapCommit& m) { reaper.OnCommit(turn, from, m); }
  void On(const Turn& turn, NodeId from, const HoldsResponse& m) {
    handoff.OnHoldsResponse(turn, from, m);
  }
  void On(const Turn&, NodeId from, const LeavesResponse& m) { handoff.OnLeavesResponse(from, m); }
  void On(const Turn& turn, NodeId from, const TreeRequest& m) {
    anti_entropy.OnTreeRequest(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const TreeResponse& m) {
    anti_entropy.OnTreeResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const FetchRequest& m) {
    anti_entropy.OnFetchRequest(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const TransferRequest& m) {
    transfer.OnRequest(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const TransferResponse& m) {
    transfer.OnResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const MotionReport& m) { motion.OnReport(turn, from, m); }

  // A ring of one that holds data is never given up: membership must know before it acts.
  void NoteData() {
    if (membership.state().members.size() > 1) return;
    membership.SetHasData(context.replica.engine()->stats().records > 0);
  }
  // It is no member any more, and holds nothing: until its process ends it still asks others for
  // its clients.
  bool OnlyCoordinates() const { return membership.removed() && context.ring.has_value(); }
  void NoticePause(const Turn& turn);
  void LogManySiblings(const Turn& turn);
  Ping MakePing(const Now& now);
  void Probe(const Turn& turn);
  void AdoptState(const Turn& turn);
  void MovePlacement(const Turn& turn, uint64_t before);
  std::string ControlImage();
  void NoticeComplete(const Turn& turn);
  void LogSetAside(const Turn& turn);
  void Finish(const Turn& turn);

  NodeContext context;
  Membership membership;
  ReplicaService service;
  Coordinator coordinator;
  RangeCoordinator ranges;
  Handoff handoff;
  Reaper reaper;
  AntiEntropy anti_entropy;
  Transfer transfer;
  Motion motion;
  ExpirySweep expiry;
  FlushSweep flushes;
  Scrub scrub;

  uint64_t adopted_ring = 0;
  uint64_t adopted_epoch = 0;
  uint64_t adopted_placement = 0;
  int64_t probe_us = 0;
  int64_t last_step_us = 0;
  int64_t many_siblings_us = 0;  // from when on it is said again
  bool control_dirty = true;
};

void Node::Parts::Dispatch(const Turn& turn, ClientOp&& op) {
  if (auto* join = std::get_if<JoinOperation>(&op.operation)) {
    NoteData();
    membership.Join(turn.now, op.id, *join, turn.effects);
    return;
  }
  const bool is_of_keys =
      std::visit([](const auto& operation) { return kIsOfKeys<std::decay_t<decltype(operation)>>; },
                 op.operation);
  if (!membership.ready() && !(is_of_keys && OnlyCoordinates())) {
    turn.effects->answers.push_back({op.id, 0, Loading{}});
    return;
  }
  std::visit(
      [&](auto& operation) {
        using Operation = std::decay_t<decltype(operation)>;
        if constexpr (std::is_same_v<Operation, FlushOperation>) {
          membership.Flush(turn.now, op.id, operation.db, turn.effects);
        } else if constexpr (std::is_same_v<Operation, LeaveOperation>) {
          membership.Leave(turn.now, op.id, turn.effects);
        } else if constexpr (std::is_same_v<Operation, RemoveOperation>) {
          membership.Remove(turn.now, op.id, operation, turn.effects);
        } else if constexpr (std::is_same_v<Operation, SettingsOperation>) {
          membership.Set(turn.now, op.id, operation.settings, turn.effects);
        } else if constexpr (std::is_same_v<Operation, CountOperation>) {
          flushes.BeforeCount();
          ranges.Start(turn, op.id, operation);
        } else if constexpr (std::is_same_v<Operation, ScanOperation>) {
          ranges.Start(turn, op.id, operation);
        } else if constexpr (std::is_same_v<Operation, RepairOperation>) {
          anti_entropy.StartRepair(turn, op.id);
        } else if constexpr (std::is_same_v<Operation, PublishOperation>) {
          Spread(turn, op.id, operation);
        } else if constexpr (!std::is_same_v<Operation, JoinOperation>) {
          coordinator.Start(turn, op.id, std::move(operation));
        }
      },
      op.operation);
}

void Node::Parts::Spread(const Turn& turn, uint64_t client, const PublishOperation& operation) {
  for (const Member& member : context.state->members) {
    if (member.id == context.self() || !context.liveness.IsAlive(member.id)) continue;
    turn.Request(member.id, Publish{.epoch = context.epoch(),
                                    .sharded = operation.sharded,
                                    .channel = operation.channel,
                                    .message = operation.message});
  }
  turn.effects->answers.emplace_back().id = client;
  turn.effects->answers.back().result = Done{};
}

void Node::Parts::Dispatch(const Turn& turn, const FrameReceived& frame) {
  ++context.counters.messages_received;
  context.liveness.Heard(frame.from, turn.now.mono_us);
  if (IsControlType(FrameType(frame.fields))) {
    NoteData();
    membership.Receive(turn.now, frame.from, frame.fields, turn.effects);
    return;
  }
  const Decoding decoding = DecodeData(frame.fields, [&](const auto& message) {
    using Message = std::decay_t<decltype(message)>;
    if constexpr (std::is_same_v<Message, Ping>) {
      context.transit.Waited(frame.from, message.stamp, turn.now.mono_us);
    }
    if (!membership.ready() && (kIsRequest<Message> || !OnlyCoordinates())) return;
    if constexpr (kIsRequest<Message>) {
      if (message.epoch != context.epoch()) {
        membership.SawEpoch(turn.now, frame.from, message.epoch, turn.effects);
      }
    } else {
      context.liveness.Answered(frame.from, turn.now.mono_us);
    }
    if constexpr (kTellsPlacement<Message>) {
      membership.SawPlacement(turn.now, frame.from, message.placement, turn.effects);
    }
    On(turn, frame.from, message);
  });
  if (decoding == Decoding::kMalformed) ++context.counters.messages_bad;
  if (decoding == Decoding::kUnknownType) ++context.counters.messages_unknown;
}

void Node::Parts::Dispatch(const Turn& turn, const Tick&) {
  NoteData();
  membership.Tick(turn.now, turn.effects);
  if (!membership.ready() && !OnlyCoordinates()) return;
  coordinator.Tick(turn);
  ranges.Tick(turn);
  if (!membership.ready()) return;
  handoff.Tick(turn);
  reaper.Tick(turn);
  anti_entropy.Tick(turn);
  transfer.Tick(turn);
  motion.Tick(turn);
  expiry.Tick(turn.now, &turn.effects->expired);
  flushes.Tick(turn.now);
  scrub.Tick(turn.now, turn.effects);
  if (turn.now.mono_us >= probe_us) Probe(turn);
}

void Node::Parts::Dispatch(const Turn&, const LinkUp&) { coordinator.ForgetCompared(); }

void Node::Parts::Dispatch(const Turn& turn, const LinkLost& link) {
  context.liveness.Suspect(link.peer);
  coordinator.OnPeerLost(turn, link.peer);
  ranges.OnPeerLost(turn, link.peer);
  anti_entropy.OnPeerLost(turn, link.peer);
  transfer.OnPeerLost(turn, link.peer);
}

// Ticks come at least every probe interval: a longer silence was our own (a stopped process, a
// stalled loop), and nobody else is to blame for it.
void Node::Parts::NoticePause(const Turn& turn) {
  const int64_t gap = turn.now.mono_us - std::exchange(last_step_us, turn.now.mono_us);
  if (gap <= context.options.node_timeout_ms * 1000 / 3 || !membership.ready()) return;
  context.liveness.Forgive(gap);
  ++context.counters.pauses;
  turn.effects->log.push_back(
      {LogLevel::kWarning, fmt::format("this node stood still for {} ms", gap / 1000)});
}

Ping Node::Parts::MakePing(const Now& now) {
  return {.request = 0,
          .epoch = membership.ready() ? context.epoch() : 0,
          .stamp = context.StampOf(now)};
}

void Node::Parts::Probe(const Turn& turn) {
  probe_us = turn.now.mono_us + context.options.node_timeout_ms * 1000 / 6;
  context.liveness.Expire(turn.now.mono_us);
  for (const NodeId node : context.liveness.ToProbe(turn.now.mono_us)) {
    turn.Request(node, MakePing(turn.now));
  }
  for (const auto& [node, alive] : context.liveness.TakeTransitions()) {
    membership.SetAlive(node, alive);
    context.counters.nodes_lost += alive ? 0 : 1;
    if (alive) {
      coordinator.ForgetCompared();
      handoff.OnAlive(node, turn.now);
      anti_entropy.OnAlive(turn, node);
    }
    turn.effects->log.push_back({alive ? LogLevel::kNotice : LogLevel::kWarning,
                                 "node " + FormatNodeId(node) +
                                     (alive ? " is alive" : " does not answer: taken for down")});
  }
}

void Node::Parts::AdoptState(const Turn& turn) {
  const ClusterState& state = membership.state();
  if (!membership.ready() && !OnlyCoordinates()) return;
  if (state.ring_id == adopted_ring && state.epoch == adopted_epoch) return;
  const bool moved = state.ring_id != adopted_ring || state.placement_version != adopted_placement;
  adopted_ring = state.ring_id;
  adopted_epoch = state.epoch;
  context.state = &state;
  context.ring.emplace(state);
  context.liveness.SetMembers(state.members, turn.now.mono_us);
  if (moved) MovePlacement(turn, std::exchange(adopted_placement, state.placement_version));
  flushes.SetFlushes(state.flushed_before);
  turn.effects->ring_changed = true;
}

void Node::Parts::MovePlacement(const Turn& turn, uint64_t before) {
  // What was compared was not what is to be compared now.
  if (context.catch_up.may_have_lost()) context.catch_up.Lose();
  coordinator.ForgetCompared();
  handoff.OnPlacementChanged(turn.now);
  anti_entropy.OnPlacementChanged(turn);
  transfer.OnPlacementChanged(turn, before);
  motion.OnPlacementChanged(turn);
  coordinator.OnPlacementChanged(turn);
  ranges.OnPlacementChanged(turn);
}

std::string Node::Parts::ControlImage() {
  std::string image(1, static_cast<char>(kControlVersion));
  PutFixed64(&image, context.replica.births()->bound());
  image.push_back(context.catch_up.may_have_lost() ? 1 : 0);
  PutBytes(&image, membership.Durable());
  return image;
}

// What was lost when this node last stopped is lost until all of it was compared, whatever other
// stops there are meanwhile: that is why it is in the control image.
void Node::Parts::NoticeComplete(const Turn& turn) {
  if (!context.catch_up.TakeNews() || !context.catch_up.may_have_lost()) return;
  for (uint32_t partition = 0; partition < context.ring->partition_count(); ++partition) {
    const uint16_t slot = context.ring->FirstSlot(partition);
    if (context.Replicates(slot, context.self()) && context.IsBehind(slot)) return;
  }
  context.catch_up.SetComplete();
  context.replica.ForgetSetAside();
  control_dirty = true;
  turn.effects->log.push_back({LogLevel::kNotice,
                               "compared with the other replicas: what may have been lost is here "
                               "again, and answers of this node count"});
}

void Node::Parts::LogSetAside(const Turn& turn) {
  bool lost = false;
  for (const Position& place : context.replica.TakeSetAside()) {
    turn.effects->log.push_back(
        {LogLevel::kWarning,
         IsHint(place)
             ? fmt::format("slot {}: the hint {:016x} for node {} is damaged and set aside",
                           place.slot - kSlotCount, place.low, FormatNodeId(place.high))
             : fmt::format("slot {}: the record {:016x}{:016x} is damaged and set aside; other "
                           "replicas repair it",
                           place.slot, place.high, place.low)});
    lost = lost || !IsHint(place);
  }
  if (!lost || !membership.ready()) return;
  context.catch_up.Lose();
  control_dirty = true;
  anti_entropy.CompareAll(turn);
}

void Node::Parts::LogManySiblings(const Turn& turn) {
  const auto many = context.replica.TakeManySiblings();
  if (!many || turn.now.mono_us < many_siblings_us) return;
  many_siblings_us = turn.now.mono_us + kManySiblingsPauseUs;
  std::string key = many->key.substr(0, kKeyBytesInLog);
  std::replace_if(
      key.begin(), key.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  turn.effects->log.push_back(
      {LogLevel::kWarning,
       fmt::format("key '{}' has {} versions, past siblings-warn: its clients do not merge them",
                   key, many->siblings)});
}

void Node::Parts::Finish(const Turn& turn) {
  LogSetAside(turn);
  LogManySiblings(turn);
  AdoptState(turn);
  if (std::exchange(context.wrote_left_over, false)) handoff.NoteLeftOver(turn.now);
  NoticeComplete(turn);
  Births* births = context.replica.births();
  if (births->NeedsMore(turn.now.wall_ms)) {
    births->Extend(turn.now.wall_ms);
    control_dirty = true;
  }
  if (membership.TakeDirty()) control_dirty = true;
  context.counters.may_have_lost = context.catch_up.may_have_lost() ? 1 : 0;
  if (control_dirty) turn.effects->control = ControlImage();
  control_dirty = false;
}

Result<std::unique_ptr<Node>> Node::Start(NodeOptions options, StorageEngine* engine,
                                          std::string_view control, Now now, Effects* effects) {
  const auto parsed = ParseControl(control);
  if (!parsed) return tl::unexpected(parsed.error());
  // Whoever is new has nothing to lose.
  options.may_have_lost = !control.empty() && (options.may_have_lost || parsed->may_have_lost);
  const uint64_t leap = Random(options.seed + 1).Below(Births::kMaxLeap);
  auto parts = std::make_unique<Parts>(std::move(options), engine,
                                       Births(parsed->births, now.wall_ms, leap));
  const auto restored = parts->membership.Restore(parsed->membership);
  if (!restored) return tl::unexpected(restored.error());
  if (auto found = parts->context.replica.FindHints(); !found) {
    return tl::unexpected(found.error());
  }
  const Turn turn{now, effects};
  parts->last_step_us = now.mono_us;
  parts->probe_us = now.mono_us;
  parts->NoteData();
  parts->membership.Start(now, effects);
  parts->Finish(turn);
  return std::unique_ptr<Node>(new Node(std::move(parts)));
}

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Node::~Node() = default;

template <typename Input>
void Node::StepInput(const Now& now, Input&& input, Effects* effects) {
  const Turn turn{now, effects};
  parts_->NoticePause(turn);
  parts_->Dispatch(turn, std::forward<Input>(input));
  parts_->Finish(turn);
}

void Node::Step(const Now& now, ClientOp&& op, Effects* effects) {
  StepInput(now, std::move(op), effects);
}
void Node::Step(const Now& now, const FrameReceived& frame, Effects* effects) {
  StepInput(now, frame, effects);
}
void Node::Step(const Now& now, Tick tick, Effects* effects) { StepInput(now, tick, effects); }
void Node::Step(const Now& now, LinkUp link, Effects* effects) { StepInput(now, link, effects); }
void Node::Step(const Now& now, LinkLost link, Effects* effects) { StepInput(now, link, effects); }

std::string Node::Opening(const Now& now) const {
  std::string frame;
  Encode(parts_->MakePing(now), &frame);
  return frame;
}

int64_t Node::NextDeadline() const {
  const int64_t membership = parts_->membership.NextDeadline();
  if (!ready()) {
    if (!parts_->OnlyCoordinates()) return membership;
    return std::min(
        {membership, parts_->coordinator.NextDeadline(), parts_->ranges.NextDeadline()});
  }
  int64_t next =
      std::min({membership, parts_->coordinator.NextDeadline(), parts_->ranges.NextDeadline(),
                parts_->handoff.NextDeadline(), parts_->reaper.NextDeadline(),
                parts_->anti_entropy.NextDeadline(), parts_->transfer.NextDeadline(),
                parts_->motion.NextDeadline(), parts_->expiry.NextDeadline(),
                parts_->flushes.NextDeadline(), parts_->scrub.NextDeadline(), parts_->probe_us});
  return next;
}

bool Node::ready() const { return parts_->membership.ready(); }
bool Node::serves() const { return ready() || parts_->OnlyCoordinates(); }
NodeId Node::id() const { return parts_->context.self(); }
const ClusterState& Node::state() const { return parts_->membership.state(); }
const Ring& Node::ring() const { return *parts_->context.ring; }
bool Node::IsAlive(NodeId id) const { return parts_->context.liveness.IsAlive(id); }
bool Node::MayHaveLost() const { return parts_->context.catch_up.may_have_lost(); }
View Node::ViewOf(uint32_t db, Now now) const {
  return parts_->context.state == nullptr ? View{now.wall_ms, 0} : parts_->context.ViewOf(db, now);
}
const StatusCounters& Node::counters() const { return parts_->context.counters; }
void Node::SetReplicaTimeout(int64_t ms) { parts_->context.options.replica_timeout_ms = ms; }
void Node::SetActiveExpire(bool active) { parts_->expiry.set_active(active); }
void Node::SetHedgeDelay(int64_t ms) { parts_->context.options.hedge_delay_ms = ms; }
void Node::SetMaxValueBytes(uint64_t bytes) { parts_->context.options.max_value_bytes = bytes; }
void Node::SetTransferRate(uint64_t bytes_per_second) {
  parts_->transfer.SetRate(bytes_per_second);
}
std::vector<NodeId> Node::WaitsFor() const {
  if (!ready()) return {};
  // A gainer waits for itself, unless it misses others.
  std::vector<NodeId> nodes = parts_->transfer.WaitsFor();
  for (const NodeId node : parts_->motion.WaitsFor()) {
    if (std::find(nodes.begin(), nodes.end(), node) != nodes.end()) continue;
    if (node != id() || nodes.empty()) nodes.push_back(node);
  }
  return nodes;
}
size_t Node::LeftOverSlots() const { return ready() ? parts_->handoff.LeftOverSlots() : 0; }
void Node::SetRepairRate(uint64_t bytes_per_second) {
  parts_->handoff.SetRate(bytes_per_second);
  parts_->anti_entropy.SetRate(bytes_per_second);
}

}  // namespace cartwheel
