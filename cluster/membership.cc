#include "cluster/membership.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/hash.h"

namespace cartwheel {
namespace {

// durable = format:varint state:bytes (empty: no ring) acceptor has_target:varint
//           [ring:8 host:bytes port:varint had_ring:varint] departing:varint
constexpr uint64_t kDurableFormat = 2;

constexpr int64_t kPeerLimitMs = 100;  // one push and one question per peer in that time

std::vector<NodeId> Ids(const ClusterState& state) {
  std::vector<NodeId> ids;
  for (const Member& member : state.members) ids.push_back(member.id);
  return ids;
}

// True at most once in kPeerLimitMs per peer.
bool Allow(std::map<NodeId, int64_t>* next, NodeId peer, int64_t mono_us) {
  if (next->size() > kMaxMembers) next->clear();
  int64_t& at = next->try_emplace(peer, INT64_MIN).first->second;
  if (mono_us < at) return false;
  at = mono_us + kPeerLimitMs * 1000;
  return true;
}

}  // namespace

Membership::Membership(const NodeOptions& options, Random* random, HybridClock* clock)
    : options_(options),
      random_(random),
      clock_(clock),
      register_(options.id, options.replica_timeout_ms * 1000, random) {
  for (const Address& address : options.seeds) {
    const bool self = address == Address{options.self.host, options.self.bus_port};
    seeds_.push_back(Seed{.address = address, .self = self});
  }
}

Result<void> Membership::Restore(std::string_view durable) {
  if (durable.empty()) return {};
  Reader in(durable);
  const uint64_t format = in.Varint();
  const std::string_view state = in.Bytes();
  AcceptorState acceptor;
  bool good = DecodeAcceptor(&in, &acceptor);
  if (acceptor.accepted.counter != 0) good = good && DecodeState(acceptor.value).has_value();
  if (in.Varint() != 0) {
    Target target;
    target.ring = in.Fixed64();
    target.peer.host = in.Bytes();
    target.peer.port = static_cast<uint16_t>(in.Varint());
    target.had_ring = in.Varint() != 0;
    target_ = std::move(target);
  }
  const bool departing = in.Varint() != 0;
  if (!good || !in.ok() || format != kDurableFormat) {
    return Error(ErrorCode::kCorrupt, "the stored cluster state is damaged");
  }
  register_.Restore(std::move(acceptor));
  if (state.empty()) return {};
  Result<ClusterState> decoded = DecodeState(state);
  if (!decoded) return Error(ErrorCode::kCorrupt, decoded.error().message);
  if (decoded->Find(self()) == nullptr && departing) {
    removed_ = true;
    unaware_ = Ids(*decoded);
  } else if (decoded->Find(self()) == nullptr) {
    return Error(
        ErrorCode::kInvalid,
        fmt::format("node {} left its ring or was removed from it (epoch {}): to join one, "
                    "give it an empty directory",
                    FormatNodeId(self()), decoded->epoch));
  }
  SetState(*std::move(decoded));
  return {};
}

void Membership::SetState(ClusterState state) {
  state_ = std::move(state);
  encoded_state_.clear();
  if (state_.ring_id != 0) EncodeState(state_, &encoded_state_);
  state_hash_ = Hash64(encoded_state_);
}

std::string Membership::Durable() const {
  std::string out;
  PutVarint(&out, kDurableFormat);
  PutBytes(&out, encoded_state_);
  EncodeAcceptor(register_.acceptor(), &out);
  PutVarint(&out, target_ ? 1 : 0);
  if (target_) {
    PutFixed64(&out, target_->ring);
    PutBytes(&out, target_->peer.host);
    PutVarint(&out, target_->peer.port);
    PutVarint(&out, target_->had_ring ? 1 : 0);
  }
  PutVarint(&out, unaware_.empty() ? 0 : 1);
  return out;
}

bool Membership::TakeDirty() {
  const bool acceptor = register_.TakeDirty();
  return std::exchange(dirty_, false) || acceptor;
}

void Membership::Start(Now now, Effects* effects) {
  const Step step{now, effects};
  dirty_ = true;
  started_us_ = now.mono_us;
  next_gossip_us_ = now.mono_us;
  if (removed_) return SpreadDeparture(step);
  if (!ready()) {
    next_wait_log_us_ = step.in_ms(1000);
    if (options_.bootstrap) {
      target_.reset();
      MakeRingOfOne(step, "bootstrap yes");
    } else {
      ApplyStartRules(step);
      if (!ready()) ProbeAll(step);
    }
    return;
  }
  Log(step, LogLevel::kNotice,
      fmt::format("member of ring {:016x}, epoch {}, {} members", state_.ring_id, state_.epoch,
                  state_.members.size()));
  Adopt(step, ClusterState(state_));
  Propose(step);
}

void Membership::Receive(Now now, NodeId from, std::span<const std::string_view> fields,
                         Effects* effects) {
  const Step step{now, effects};
  const Result<ControlMessage> message = DecodeControl(fields);
  if (!message) return;
  if (removed_) return WhenRemoved(step, from, *message);
  std::visit([&](const auto& m) { On(step, from, m); }, *message);
  Propose(step);
}

void Membership::Tick(Now now, Effects* effects) {
  const Step step{now, effects};
  if (removed_) return SpreadDeparture(step);
  ExpireWishes(step);
  ExpireFlushes(step);
  ExpireInquiries(step);
  if (join_op_ && now.mono_us >= join_op_->deadline_us) {
    FinishJoinOp(
        step, Status{ErrorCode::kIo, fmt::format("no decision about the join through {} in time{}",
                                                 ToString(join_op_->peer),
                                                 ready() ? "" : "; this node goes on asking")});
  }
  Register::Output output;
  register_.Tick(At(step), &output);
  CarryOut(step, std::move(output));
  if (!ready() || join_op_) TickWithoutRing(step);
  if (ready() && now.mono_us >= next_gossip_us_) Gossip(step);
  Propose(step);
}

int64_t Membership::NextDeadline() const {
  if (removed_) return unaware_.empty() ? INT64_MAX : next_gossip_us_;
  int64_t next = std::min(register_.NextDeadline(), ready() ? next_gossip_us_ : INT64_MAX);
  if (!ready() || join_op_) next = std::min(next, next_probe_us_);
  if (!ready()) next = std::min(next, next_wait_log_us_);
  if (join_op_) next = std::min(next, join_op_->deadline_us);
  for (const Wish& wish : wishes_) next = std::min(next, wish.deadline_us);
  for (const FlushWait& wait : flush_waits_) next = std::min(next, wait.deadline_us);
  for (const Inquiry& inquiry : inquiries_) next = std::min(next, inquiry.deadline_us);
  return next;
}

void Membership::SetAlive(NodeId member, bool alive) {
  std::erase(down_, member);
  if (!alive) down_.push_back(member);
}

// --- spreading ---

// With a member every gossip-interval; now and then, and always when alone, with a seed as well, so
// that a ring which was made in two places finds out.
void Membership::Gossip(Step step) {
  const auto interval = static_cast<uint64_t>(options_.gossip_interval_ms * 1000);
  next_gossip_us_ =
      step.now.mono_us + static_cast<int64_t>(interval * 3 / 4 + random_->Below(interval / 2 + 1));
  if (IsAlone() || random_->Chance(1, 10)) ProbeSomeSeed(step);
  if (IsAlone()) return;
  size_t index = random_->Below(state_.members.size() - 1);
  if (state_.members[index].id >= self()) ++index;
  Say(step, state_.members[index].id, false, MakeDigest(false));
}

Digest Membership::MakeDigest(bool response) const {
  return {state_.ring_id, state_.epoch, state_hash_, response, state_.parent_ring_id};
}

void Membership::PushState(Step step, NodeId to, bool response, bool acknowledge) {
  const StatePush push{response, acknowledge, encoded_state_};
  Say(step, to, response, push);
}

void Membership::AskState(Step step, NodeId to, bool response) {
  if (!Allow(&next_ask_us_, to, step.now.mono_us)) return;
  const StateAsk ask{response};
  Say(step, to, response, ask);
}

// Somebody of another ring takes us for a member: if we have none that binds us, it may be right.
void Membership::AskStranger(Step step, NodeId to, bool response) {
  if (!ready() || IsEmptyRingOfOne()) AskState(step, to, response);
}

void Membership::On(Step step, NodeId from, const Digest& digest) {
  if (!ready() || digest.ring != state_.ring_id) {
    const bool from_ours = ready() && digest.parent == state_.ring_id &&
                           digest.epoch > state_.epoch && !state_.WasRemoved(from);
    if (from_ours || IsNewerSibling(digest.ring, digest.parent, digest.epoch)) {
      AskState(step, from, !digest.response);  // made by force
    } else if (ready() && digest.ring == state_.parent_ring_id &&
               (state_.Find(from) != nullptr || state_.WasRemoved(from))) {
      PushState(step, from, !digest.response, false);
    } else {
      AskStranger(step, from, !digest.response);
    }
    return;
  }
  HearOfEpoch(step, from, digest.epoch);
  if (digest.epoch < state_.epoch) {
    PushState(step, from, !digest.response, false);
  } else if (digest.epoch > state_.epoch) {
    AskState(step, from, !digest.response);
  } else if (digest.hash != state_hash_) {
    Log(step, LogLevel::kWarning,
        fmt::format("node {} has another state of epoch {}: this must not happen, please report it",
                    FormatNodeId(from), digest.epoch));
  }
}

void Membership::On(Step step, NodeId from, const StatePush& push) {
  Result<ClusterState> state = DecodeState(push.state);
  if (!state) {
    Log(step, LogLevel::kWarning,
        fmt::format("node {} sent a cluster state that cannot be read: {}", FormatNodeId(from),
                    state.error().message));
    return;
  }
  Learn(step, *std::move(state));
  if (!push.acknowledge || !ready()) return;
  Say(step, from, !push.response, MakeDigest(!push.response));
}

void Membership::On(Step step, NodeId from, const StateAsk& ask) {
  if (ready()) PushState(step, from, !ask.response, false);
}

void Membership::SawEpoch(Now now, NodeId from, uint64_t epoch, Effects* effects) {
  const Step step{now, effects};
  if (epoch == 0 || (ready() && epoch == state_.epoch)) return;
  // On our own link where we can dial it, else back on the connection of the message.
  const bool response = state_.Find(from) == nullptr;
  if (!ready() || epoch > state_.epoch) {
    AskState(step, from, response);
  } else if (Allow(&next_push_us_, from, now.mono_us)) {
    PushState(step, from, response, false);
  }
}

void Membership::SawPlacement(Now now, NodeId from, uint64_t placement_version, Effects* effects) {
  if (!ready() || placement_version <= state_.placement_version) return;
  AskState({now, effects}, from, state_.Find(from) == nullptr);
}

// Two operators forced the rest of one ring at once, each at another node: at most one of the rings
// can have decided anything since, and that is the one to follow; else the one with the lower id.
bool Membership::IsNewerSibling(uint64_t ring, uint64_t parent, uint64_t epoch) const {
  if (!ready() || ring == state_.ring_id || parent == 0 || parent != state_.parent_ring_id) {
    return false;
  }
  return epoch > state_.epoch || (epoch == state_.epoch && ring < state_.ring_id);
}

// A state that somebody sent. Ours to follow when it is newer, or when it is of a ring that has
// taken us and we have none to leave.
void Membership::Learn(Step step, ClusterState state) {
  if (ready() && state.ring_id == state_.ring_id) {
    if (state.epoch > state_.epoch) Adopt(step, std::move(state));
    return;
  }
  const bool is_member = state.Find(self()) != nullptr;
  if (!is_member && !state.WasRemoved(self())) return;
  if (is_member && IsNewerSibling(state.ring_id, state.parent_ring_id, state.epoch)) {
    return Adopt(step, std::move(state));
  }
  if (ready() && state.parent_ring_id == state_.ring_id && state.epoch > state_.epoch) {
    // Made by those whom a majority had removed, and who did not know: two rings, never mixed.
    for (const Member& member : state.members) {
      if (state_.WasRemoved(member.id)) return;
    }
    Log(step, LogLevel::kWarning,
        fmt::format("ring {:016x} was made by force of ring {:016x}, and this node is {}",
                    state.ring_id, state_.ring_id, is_member ? "of it" : "given up"));
    return Adopt(step, std::move(state));
  }
  if (!is_member) return;
  if (ready() && !IsEmptyRingOfOne()) {
    LogRarely(step, &next_rings_log_us_, 60000,
              fmt::format("ring {:016x} has this node as a member, which is in ring {:016x}: rings "
                          "are never mixed",
                          state.ring_id, state_.ring_id));
    return;
  }
  Log(step, LogLevel::kNotice,
      fmt::format("joined ring {:016x}, epoch {}, {} members", state.ring_id, state.epoch,
                  state.members.size()));
  target_.reset();
  Adopt(step, std::move(state));
  FinishJoinOp(step, std::nullopt);
}

// From here on this is the state; it becomes durable before anything that follows from it leaves.
void Membership::Adopt(Step step, ClusterState state) {
  const Member* const was = state_.Find(self());
  const bool was_leaving = was != nullptr && was->status == MemberStatus::kLeaving;
  if (ready() && state.ring_id == state_.ring_id) {
    for (auto at = state.history.rbegin(); at != state.history.rend(); ++at) {
      if (at->epoch <= state_.epoch) continue;
      Log(step, LogLevel::kNotice, fmt::format("ring epoch {}: {}", at->epoch, at->what));
    }
  }
  SetState(std::move(state));
  dirty_ = true;
  step.effects->ring_changed = true;
  for (const auto& [db, time] : state_.flushed_before) {
    if (clock_->last() <= time) clock_->TickAbove(time, step.now.wall_ms);
  }
  if (state_.Find(self()) == nullptr) return BeRemoved(step, was_leaving);
  // Who was removed while it was down is missed no more: what a majority is counts members only.
  std::erase_if(down_, [this](NodeId node) { return state_.Find(node) == nullptr; });
  register_.Open(state_.ring_id, state_.epoch + 1, Ids(state_));
  proposed_serial_ = 0;
  WishToUpdateSelf(step);
  Settle(step);
}

void Membership::BeRemoved(Step step, bool was_leaving) {
  removed_ = true;
  wishes_.clear();
  inquiries_.clear();
  register_.Close();
  if (!was_leaving) {
    step.effects->stop =
        fmt::format("this node was removed from its ring (epoch {})", state_.epoch);
    return;
  }
  unaware_ = Ids(state_);
  next_gossip_us_ = step.now.mono_us;
  SpreadDeparture(step);
}

// Its own vote was one of those that let this node go: unless enough of the others know of it, they
// may be too few to find out once this node is gone.
void Membership::SpreadDeparture(Step step) {
  if (unaware_.empty() || step.now.mono_us < next_gossip_us_) return;
  next_gossip_us_ = step.in_ms(options_.gossip_interval_ms);
  // Those who know may have gone on into another ring meanwhile.
  for (const NodeId member : Ids(state_)) PushState(step, member, false, true);
}

void Membership::WhenRemoved(Step step, NodeId from, const ControlMessage& message) {
  if (const auto* digest = std::get_if<Digest>(&message)) {
    const bool went_on = digest->epoch > state_.epoch;  // a majority has, or whom it was forced on
    if (digest->ring != state_.ring_id && !(digest->parent == state_.ring_id && went_on)) return;
    if (digest->epoch < state_.epoch) return;
    std::erase(unaware_, from);
    if (went_on) unaware_.clear();
    const size_t aware = state_.members.size() - unaware_.size();
    if (!unaware_.empty() && aware <= state_.members.size() / 2) return;
    unaware_.clear();
    dirty_ = true;
    step.effects->departed = true;
  } else if (std::holds_alternative<StateAsk>(message)) {
    PushState(step, from, true, true);
  }
}

// --- saying ---

void Membership::Say(Step step, NodeId to, bool response, const ControlMessage& message) const {
  step.effects->outbox.Add(to, response, 0, EncodeControl(message));
}

void Membership::Log(Step step, LogLevel level, std::string text) const {
  step.effects->log.push_back({level, std::move(text)});
}

void Membership::LogRarely(Step step, int64_t* next_us, int64_t interval_ms,
                           std::string text) const {
  if (step.now.mono_us < *next_us) return;
  *next_us = step.in_ms(interval_ms);
  Log(step, LogLevel::kWarning, std::move(text));
}

}  // namespace cartwheel
