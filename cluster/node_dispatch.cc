#include <fmt/format.h>

#include <type_traits>
#include <utility>
#include <variant>

#include "cluster/node_parts.h"

namespace cartwheel {
namespace {

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

}  // namespace cartwheel
