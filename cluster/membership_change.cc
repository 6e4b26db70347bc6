// The part of Membership that wants changes of the cluster state and has them decided, one after
// the other, by the register.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cluster/membership.h"

namespace cartwheel {
namespace {

constexpr int64_t kForgetJoinerMs = 10000;  // a node that asked to be taken and asks no more
constexpr size_t kMaxWishes = 1024;

// What is accepted may be decided, and must then be understood.
bool IsStateOf(std::string_view value, uint64_t ring, uint64_t epoch) {
  const Result<ClusterState> state = DecodeState(value);
  return state && state->ring_id == ring && state->epoch == epoch;
}

}  // namespace

Register::At Membership::At(Step step) {
  return {step.now.mono_us, clock_->Tick(step.now.wall_ms)};
}

// True when the question of the register is about the epoch that is open here; else whoever is
// behind is told.
bool Membership::IsCurrent(Step step, NodeId from, uint64_t ring, uint64_t epoch) {
  if (!ready() || ring != state_.ring_id) {
    AskStranger(step, from, true);
    return false;
  }
  if (epoch <= state_.epoch) PushState(step, from, true, false);
  if (epoch > state_.epoch + 1) AskState(step, from, true);
  return epoch == state_.epoch + 1;
}

void Membership::On(Step step, NodeId from, const Prepare& message) {
  if (!IsCurrent(step, from, message.name, message.epoch)) return;
  Register::Output output;
  register_.Receive(At(step), from, message, &output);
  CarryOut(step, std::move(output));
}

void Membership::On(Step step, NodeId from, const Promise& message) {
  const bool accepted = message.accepted.counter != 0;
  if (accepted && !IsStateOf(message.value, message.name, message.epoch)) return;
  Register::Output output;
  register_.Receive(At(step), from, message, &output);
  CarryOut(step, std::move(output));
}

void Membership::On(Step step, NodeId from, const Accept& message) {
  if (!IsCurrent(step, from, message.name, message.epoch)) return;
  if (!IsStateOf(message.value, message.name, message.epoch)) {
    Log(step, LogLevel::kWarning,
        fmt::format("node {} proposes a cluster state that cannot be read", FormatNodeId(from)));
    return;
  }
  Register::Output output;
  register_.Receive(At(step), from, message, &output);
  CarryOut(step, std::move(output));
}

void Membership::On(Step step, NodeId from, const Accepted& message) {
  Register::Output output;
  register_.Receive(At(step), from, message, &output);
  CarryOut(step, std::move(output));
}

void Membership::CarryOut(Step step, Register::Output output) {
  for (const Register::Send& send : output.sends) {
    step.effects->outbox.Add(send.to, send.response, 0, send.frame);
  }
  if (output.decision) Decided(step, *output.decision);
}

void Membership::Decided(Step step, const Register::Decision& decision) {
  Result<ClusterState> state = DecodeState(decision.value);
  CHECK(state.has_value());  // ours, or looked at when it came
  const bool flush = decision.own && !wishes_.empty() &&
                     wishes_.front().serial == proposed_serial_ &&
                     wishes_.front().kind == Wish::Kind::kFlush;
  if (flush) AwaitFlush(step, *state);
  const std::vector<Member> before = state_.members;  // who goes is told so
  Adopt(step, *std::move(state));
  for (const Member& member : before) {
    if (member.id != self()) PushState(step, member.id, false, flush);
  }
  for (const Member& member : state_.members) {
    const bool is_new = std::none_of(before.begin(), before.end(),
                                     [&](const Member& known) { return known.id == member.id; });
    if (is_new && member.id != self()) PushState(step, member.id, false, flush);
  }
  ExpireFlushes(step);
}

void Membership::AddWish(Wish wish) {
  wish.serial = next_serial_++;
  wishes_.push_back(std::move(wish));
}

Result<ClusterState> Membership::Apply(const Wish& wish, uint64_t clock, int64_t wall_ms) const {
  const Author author{self(), wall_ms};
  switch (wish.kind) {
    case Wish::Kind::kJoin: return WithMember(state_, wish.member, wish.replaces, author);
    case Wish::Kind::kUpdate: return WithUpdatedMember(state_, wish.member, author);
    case Wish::Kind::kLeave: return WithLeaving(state_, self(), author);
    case Wish::Kind::kRemove: return WithRemoved(state_, wish.nodes, author);
    case Wish::Kind::kSettings: return WithSettings(state_, wish.settings, author);
    case Wish::Kind::kPhase: return WithNextPhase(state_, wish.placement_version, author);
    case Wish::Kind::kDepart: return WithDeparted(state_, self(), author);
    case Wish::Kind::kFlush: break;
  }
  // A member whose clock runs far ahead must not make the ring forget what is yet to be written.
  const uint64_t latest = HybridClock::FromWall(wall_ms + options_.max_clock_skew_ms);
  return WithFlush(state_, wish.db, std::min(clock, latest), author);
}

Result<void> Membership::MayApply(const Wish& wish) const {
  if (wish.kind == Wish::Kind::kJoin) return MayJoin(state_, wish.member, wish.replaces);
  const Result<ClusterState> next = Apply(wish, 0, 0);
  if (!next) return tl::unexpected(next.error());
  return {};
}

// Proposes the first wish, if nothing is being decided. A ring of one decides at once.
void Membership::Propose(Step step) {
  while (ready() && !wishes_.empty() && !register_.proposing()) {
    const Wish wish = wishes_.front();
    if (const Result<void> possible = MayApply(wish); !possible) {
      wishes_.pop_front();
      Drop(step, wish, possible.error());
      continue;
    }
    proposed_serial_ = wish.serial;
    Register::Output output;
    register_.Propose(
        At(step),
        [this, wish, wall_ms = step.now.wall_ms](uint64_t clock) -> std::optional<std::string> {
          const Result<ClusterState> next = Apply(wish, clock, wall_ms);
          if (!next) return std::nullopt;
          std::string bytes;
          EncodeState(*next, &bytes);
          return bytes;
        },
        &output);
    CarryOut(step, std::move(output));
  }
}

// The ring does not take it: whoever waits for it is told.
void Membership::Drop(Step step, const Wish& wish, const Status& why) const {
  if (wish.client_op_id) step.effects->answers.push_back({*wish.client_op_id, 0, why});
  switch (wish.kind) {
    case Wish::Kind::kJoin:
      Say(step, wish.member.id, true, JoinAnswer{JoinStatus::kRefused, why.message, {}});
      break;
    case Wish::Kind::kUpdate:
      Log(step, LogLevel::kWarning,
          "the ring does not take this node's new address: " + why.message);
      break;
    default: break;
  }
}

bool Membership::HasComeTrue(const Wish& wish) const {
  const Member* known = state_.Find(wish.member.id);
  switch (wish.kind) {
    case Wish::Kind::kJoin: return known != nullptr;
    case Wish::Kind::kUpdate: {
      Member wanted = wish.member;
      if (known != nullptr) wanted.status = known->status;
      return known != nullptr && *known == wanted;
    }
    case Wish::Kind::kLeave: return state_.Find(self())->status == MemberStatus::kLeaving;
    case Wish::Kind::kRemove:
      return std::none_of(wish.nodes.begin(), wish.nodes.end(),
                          [this](NodeId node) { return state_.Find(node) != nullptr; });
    case Wish::Kind::kSettings: {
      const ClusterSettings& now = state_.settings;
      const auto is = [](uint8_t wanted, uint8_t in_force) {
        return wanted == 0 || wanted == in_force;
      };
      return is(wish.settings.n, now.n) && is(wish.settings.r, now.r) && is(wish.settings.w, now.w);
    }
    case Wish::Kind::kPhase: return state_.placement_version != wish.placement_version;
    case Wish::Kind::kDepart: return state_.Find(self())->status != MemberStatus::kLeaving;
    case Wish::Kind::kFlush: break;  // AwaitFlush knows
  }
  return false;
}

// Drops the wishes that have come true.
void Membership::Settle(Step step) {
  std::erase_if(wishes_, [&](const Wish& wish) {
    if (!HasComeTrue(wish)) return false;
    if (wish.client_op_id) step.effects->answers.push_back({*wish.client_op_id, 0, Done{}});
    if (wish.kind != Wish::Kind::kJoin) return true;
    Say(step, wish.member.id, true, JoinAnswer{JoinStatus::kJoined, {}, encoded_state_});
    return true;
  });
}

void Membership::ExpireWishes(Step step) {
  std::erase_if(wishes_, [&](const Wish& wish) {
    if (step.now.mono_us < wish.deadline_us) return false;
    if (wish.client_op_id) {
      const auto bounded = [](size_t n) { return static_cast<uint8_t>(std::min<size_t>(n, 255)); };
      const bool asked = wish.serial == proposed_serial_;
      step.effects->answers.push_back({*wish.client_op_id, 0,
                                       NoQuorum{'W', bounded(register_.majority()),
                                                bounded(asked ? register_.answered() : 1)}});
    }
    if (wish.serial == proposed_serial_) register_.Cancel();
    return true;
  });
}

// The flush at the head of the wishes is decided: its client waits for the live members.
void Membership::AwaitFlush(Step step, const ClusterState& state) {
  FlushWait wait{
      *wishes_.front().client_op_id, state.epoch, step.in_ms(options_.replica_timeout_ms), {}};
  wishes_.pop_front();
  for (const Member& member : state.members) {
    if (member.id != self() && !IsDown(member.id)) wait.unaware.push_back(member.id);
  }
  flush_waits_.push_back(std::move(wait));
}

void Membership::HearOfEpoch(Step step, NodeId from, uint64_t epoch) {
  for (FlushWait& wait : flush_waits_) {
    if (epoch >= wait.epoch) std::erase(wait.unaware, from);
  }
  ExpireFlushes(step);
}

void Membership::ExpireFlushes(Step step) {
  std::erase_if(flush_waits_, [&](const FlushWait& wait) {
    if (!wait.unaware.empty() && step.now.mono_us < wait.deadline_us) return false;
    step.effects->answers.push_back({wait.client_op_id, 0, Done{}});
    return true;
  });
}

void Membership::Flush(Now now, uint64_t client_op_id, std::optional<uint32_t> db,
                       Effects* effects) {
  const Step step{now, effects};
  if (!ready()) {
    effects->answers.push_back({client_op_id, 0, Loading{}});
    return;
  }
  AddWish({.kind = Wish::Kind::kFlush,
           .deadline_us = step.in_ms(2 * options_.replica_timeout_ms),
           .client_op_id = client_op_id,
           .db = db.value_or(kAllDbs)});
  Propose(step);
}

void Membership::Leave(Now now, uint64_t client_op_id, Effects* effects) {
  const Step step{now, effects};
  AddWish({.kind = Wish::Kind::kLeave,
           .deadline_us = step.in_ms(2 * options_.replica_timeout_ms),
           .client_op_id = client_op_id});
  Settle(step);  // it may be leaving already
  Propose(step);
}

void Membership::Set(Now now, uint64_t client_op_id, const QuorumSettings& settings,
                     Effects* effects) {
  const Step step{now, effects};
  AddWish({.kind = Wish::Kind::kSettings,
           .deadline_us = step.in_ms(2 * options_.replica_timeout_ms),
           .client_op_id = client_op_id,
           .settings = settings});
  Settle(step);
  Propose(step);
}

void Membership::EndPhase(Now now, uint64_t placement_version, Effects* effects) {
  const Step step{now, effects};
  const auto wished = [&](const Wish& wish) {
    return wish.kind == Wish::Kind::kPhase && wish.placement_version == placement_version;
  };
  if (std::any_of(wishes_.begin(), wishes_.end(), wished)) return;
  AddWish({.kind = Wish::Kind::kPhase, .placement_version = placement_version});
  Propose(step);
}

// Those who stay must be able to decide without it: who of them is down has to be removed first,
// which takes this node's vote perhaps.
std::vector<NodeId> Membership::MissedByDeparture() const {
  std::vector<NodeId> missed;
  for (const Member& member : state_.members) {
    if (member.id != self() && IsDown(member.id)) missed.push_back(member.id);
  }
  const size_t rest = state_.members.size() - 1;
  if (rest - missed.size() > rest / 2) missed.clear();
  return missed;
}

void Membership::Depart(Now now, Effects* effects) {
  const Step step{now, effects};
  if (const auto missed = MissedByDeparture(); !missed.empty()) {
    return LogRarely(step, &next_departure_log_us_, 60000,
                     fmt::format("all is handed over; this node goes once a majority of the rest "
                                 "lives: node {} is down, DYN.REMOVE may take it out",
                                 FormatNodeId(missed.front())));
  }
  const auto wished = [](const Wish& wish) { return wish.kind == Wish::Kind::kDepart; };
  if (std::any_of(wishes_.begin(), wishes_.end(), wished)) return;
  AddWish({.kind = Wish::Kind::kDepart});
  Propose(step);
}

// A member that came back with another address, zone or weight tells the ring.
void Membership::WishToUpdateSelf(Step step) {
  Member wanted = options_.self;
  wanted.id = self();
  const Member* known = state_.Find(self());
  wanted.status = known->status;
  if (*known == wanted) return;
  for (const Wish& wish : wishes_) {
    if (wish.kind == Wish::Kind::kUpdate) return;
  }
  // Who answers there is this node as well: the driver notices (server/bus.h).
  const Address before{known->host, known->bus_port};
  if (before != Address{wanted.host, wanted.bus_port}) Probe(step, before);
  Log(step, LogLevel::kNotice, "this node's address, zone or weight is new: telling the ring");
  AddWish({.kind = Wish::Kind::kUpdate, .member = std::move(wanted)});
}

void Membership::On(Step step, NodeId from, const JoinRequest& request) {
  if (from == self() || request.member.id != from) return;
  if (!ready() || request.ring != state_.ring_id) {
    Say(step, from, true, JoinAnswer{JoinStatus::kOtherRing, {}, {}});
    return;
  }
  if (state_.Find(from) != nullptr) {
    Say(step, from, true, JoinAnswer{JoinStatus::kJoined, {}, encoded_state_});
    return;
  }
  if (Result<void> may = MayJoin(state_, request.member, request.replaces); !may) {
    Say(step, from, true, JoinAnswer{JoinStatus::kRefused, may.error().message, {}});
    return;
  }
  const int64_t deadline_us = step.in_ms(kForgetJoinerMs);
  for (Wish& wish : wishes_) {
    if (wish.kind != Wish::Kind::kJoin || wish.member.id != from) continue;
    wish.deadline_us = deadline_us;
    return;
  }
  if (wishes_.size() >= kMaxWishes) return;  // it asks again
  Wish wish{.kind = Wish::Kind::kJoin,
            .deadline_us = deadline_us,
            .member = request.member,
            .replaces = request.replaces};
  if (request.replaces != 0) return Inquire(step, std::move(wish));
  AddWish(std::move(wish));
}

}  // namespace cartwheel
