#include "cluster/node.h"

#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "cluster/node_parts.h"

namespace cartwheel {
namespace {

constexpr uint8_t kControlVersion = 2;

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

}  // namespace

std::string Node::Parts::ControlImage() {
  std::string image(1, static_cast<char>(kControlVersion));
  PutFixed64(&image, context.replica.births()->bound());
  image.push_back(context.catch_up.may_have_lost() ? 1 : 0);
  PutBytes(&image, membership.Durable());
  return image;
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
