// How a node comes into a ring: the part of Membership that asks seeds, makes a ring of one, joins
// another, and gives up an empty ring for one that exists already.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "cluster/membership.h"

namespace cartwheel {
namespace {

constexpr int64_t kProbeMs = 200;         // between probes of a node without a ring
constexpr int64_t kEagerMs = 10000;       // after that only every gossip-interval
constexpr int64_t kAnswerHoldsMs = 3000;  // how long "I am fresh" is believed
constexpr int64_t kDeferMs = 3000;        // to another node that may found the ring
constexpr int64_t kRequestMs = 500;       // between two requests to be taken
constexpr int64_t kRepeatLogMs = 10000;
constexpr int64_t kRingsLogMs = 60000;

Address ParseAddress(std::string_view text) {
  Address address;
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return address;
  address.host = text.substr(0, colon);
  std::from_chars(text.data() + colon + 1, text.data() + text.size(), address.port);
  return address;
}

}  // namespace

Membership::Seed* Membership::FindSeed(std::string_view address) {
  const auto at = std::find_if(seeds_.begin(), seeds_.end(), [address](const Seed& seed) {
    return ToString(seed.address) == address;
  });
  return at != seeds_.end() ? &*at : nullptr;
}

// --- a ring of one ---

bool Membership::IsFirstSeed() const { return !seeds_.empty() && seeds_.front().self; }

// Makes a ring of one when the rules say that nobody else will: this node is alone in its list of
// seeds, or it is the first in it and all the others say that they have no ring either. Of two that
// are each first in a list of their own, the one with the lower id goes ahead.
void Membership::ApplyStartRules(Step step) {
  if (ready() || target_) return;
  const bool alone =
      std::all_of(seeds_.begin(), seeds_.end(), [](const Seed& seed) { return seed.self; });
  if (alone) {
    MakeRingOfOne(step, "no other seeds");
    return;
  }
  if (!IsFirstSeed()) return;
  bool defer = false;
  for (const Seed& seed : seeds_) {
    if (seed.self) continue;
    const bool recent = seed.answered_us != INT64_MIN &&
                        seed.answered_us + kAnswerHoldsMs * 1000 > step.now.mono_us;
    if (!recent || !seed.fresh) return;
    defer = defer || (seed.candidate && seed.node < self());
  }
  if (defer) {
    if (defer_until_us_ == INT64_MAX) defer_until_us_ = step.in_ms(kDeferMs);
    if (step.now.mono_us < defer_until_us_) return;
  }
  MakeRingOfOne(step, "first seed, all others are fresh");
}

void Membership::MakeRingOfOne(Step step, std::string_view why) {
  uint64_t ring = 0;
  while (ring == 0) ring = random_->Next();
  Member founder = options_.self;
  founder.id = self();
  Log(step, LogLevel::kNotice, fmt::format("made a ring of one, {:016x} ({})", ring, why));
  Adopt(step, NewRing(ring, options_.settings, founder, step.now.wall_ms));
}

// --- asking ---

void Membership::Probe(Step step, const Address& address) {
  const std::string asked = ToString(address);
  SeedProbe probe;
  probe.asked = asked;
  probe.node = self();
  probe.host = options_.self.host;
  probe.bus_port = options_.self.bus_port;
  probe.ring = state_.ring_id;
  probe.members = state_.members.size();
  probe.has_data = has_data_;
  probe.joining = join_op_.has_value();
  probe.replaces = Replaces();
  step.effects->sends_to_address.push_back({address, EncodeControl(probe)});
}

void Membership::ProbeAll(Step step) {
  const bool eager = step.now.mono_us < started_us_ + kEagerMs * 1000 || join_op_;
  next_probe_us_ = step.in_ms(eager ? std::min(kProbeMs, options_.gossip_interval_ms)
                                    : options_.gossip_interval_ms);
  if (join_op_) Probe(step, join_op_->peer);
  if (ready()) return;
  if (target_ && !(join_op_ && join_op_->peer == target_->peer)) Probe(step, target_->peer);
  for (const Seed& seed : seeds_) {
    if (seed.self || (target_ && target_->peer == seed.address)) continue;
    Probe(step, seed.address);
  }
}

void Membership::ProbeSomeSeed(Step step) {
  if (seeds_.empty()) return;
  const Seed& seed = seeds_[random_->Below(seeds_.size())];
  if (!seed.self) Probe(step, seed.address);
}

void Membership::TickWithoutRing(Step step) {
  if (step.now.mono_us >= next_probe_us_) {
    ApplyStartRules(step);
    ProbeAll(step);
  }
  if (!ready() && step.now.mono_us >= next_wait_log_us_) LogWaiting(step);
}

void Membership::LogWaiting(Step step) {
  next_wait_log_us_ = step.in_ms(kRepeatLogMs);
  std::string whom;
  const auto add = [&whom](const Address& address, std::string_view what) {
    whom += fmt::format("{}{} ({})", whom.empty() ? "" : ", ", ToString(address), what);
  };
  if (target_) add(target_->peer, "asked to be taken into its ring");
  for (const Seed& seed : seeds_) {
    if (seed.self) continue;
    const bool answers = seed.answered_us != INT64_MIN &&
                         seed.answered_us + kAnswerHoldsMs * 1000 > step.now.mono_us;
    add(seed.address, !answers ? "no answer" : seed.fresh ? "has no ring yet" : "has a ring");
  }
  Log(step, LogLevel::kNotice, "waiting for a ring: " + whom);
}

// --- answering ---

void Membership::AnsweredSelf(Step step, std::string_view asked) {
  if (Seed* seed = FindSeed(asked); seed != nullptr) seed->self = true;
  if (join_op_ && ToString(join_op_->peer) == asked) {
    FinishJoinOp(step, Status{ErrorCode::kInvalid, fmt::format("{} is this node itself", asked)});
  }
  ApplyStartRules(step);
}

void Membership::On(Step step, NodeId from, const SeedProbe& probe) {
  if (from == self()) {
    AnsweredSelf(step, probe.asked);
    return;
  }
  SeedAnswer answer;
  answer.asked = probe.asked;
  answer.has_data = has_data_;
  answer.joining = join_op_.has_value();
  std::string refusal;
  if (ready()) {
    answer.ring = state_.ring_id;
    answer.epoch = state_.epoch;
    answer.members = state_.members.size();
    answer.settings = state_.settings;
    Member asker;
    asker.id = from;
    asker.host = probe.host;
    asker.bus_port = probe.bus_port;
    const Result<void> may = MayJoin(state_, asker, probe.replaces);
    if (!may && state_.Find(from) == nullptr) refusal = may.error().message;
    answer.refusal = refusal;
  } else {
    answer.candidate = IsFirstSeed();
  }
  Say(step, from, true, answer);
  // The asker may be of the ring that this one should give itself up for: look.
  if (probe.ring != 0 && probe.ring != state_.ring_id && ready() && !probe.joining &&
      ShouldYieldTo(probe.ring, probe.members, probe.has_data)) {
    Probe(step, {std::string(probe.host), probe.bus_port});
  }
}

void Membership::On(Step step, NodeId from, const SeedAnswer& answer) {
  if (from == self()) {
    AnsweredSelf(step, answer.asked);
    return;
  }
  const Address asked = ParseAddress(answer.asked);
  if (Seed* seed = FindSeed(answer.asked); seed != nullptr) {
    seed->answered_us = step.now.mono_us;
    seed->node = from;
    seed->fresh = answer.ring == 0;
    seed->candidate = answer.candidate;
  }
  if (join_op_ && join_op_->peer == asked && AnsweredJoinOp(step, from, asked, answer)) return;
  if (!ready() && answer.ring == 0) {
    AnsweredWithoutRing(step, asked);
  } else if (!ready()) {
    AnsweredWithRing(step, asked, answer);
  } else if (answer.ring != 0 && answer.ring != state_.ring_id) {
    MetOtherRing(step, asked, answer);
  }
}

void Membership::AnsweredWithoutRing(Step step, const Address& asked) {
  if (!target_ || target_->peer != asked) {
    ApplyStartRules(step);
    return;
  }
  // The ring that was to take us is gone, perhaps given up for ours at the same moment: after a
  // while, a random one because the other may do the same, we stop asking.
  if (give_up_join_us_ == INT64_MAX) {
    give_up_join_us_ = step.in_ms(1000 + static_cast<int64_t>(random_->Below(2000)));
  }
  if (step.now.mono_us < give_up_join_us_) return;
  Refused(step, fmt::format("{} has no ring any more", ToString(asked)));
}

void Membership::AnsweredWithRing(Step step, const Address& asked, const SeedAnswer& answer) {
  give_up_join_us_ = INT64_MAX;
  if (target_ && target_->peer != asked && target_->ring != answer.ring) return;
  if (!target_ && join_op_ && join_op_->peer != asked) return;
  if (!answer.refusal.empty()) {
    Refused(step, answer.refusal);
    return;
  }
  if (const std::string conflict = SettingsConflict(answer.settings); !conflict.empty()) {
    // Said on the command line: an error of whoever started this node.
    if (!target_ && !join_op_) step.effects->stop = conflict;
    Refused(step, conflict);
    return;
  }
  const ClusterSettings& mine = options_.settings;
  const ClusterSettings& theirs = answer.settings;
  const bool differ = mine.n != theirs.n || mine.r != theirs.r || mine.w != theirs.w;
  if (options_.quorum_given && differ && !settings_logged_) {
    settings_logged_ = true;
    Log(step, LogLevel::kNotice,
        fmt::format("the ring's n={} r={} w={} hold, not this node's n={} r={} w={}", theirs.n,
                    theirs.r, theirs.w, mine.n, mine.r, mine.w));
  }
  RequestJoin(step, asked, answer.ring);
}

// --- joining ---

std::string Membership::SettingsConflict(const ClusterSettings& theirs) const {
  const ClusterSettings& mine = options_.settings;
  if (options_.partitions_given && mine.partitions != theirs.partitions) {
    return fmt::format("partitions is {} here and {} in the ring to join", mine.partitions,
                       theirs.partitions);
  }
  if (options_.placement_given && mine.placement != theirs.placement) {
    const auto name = [](PlacementStrategy p) {
      return p == PlacementStrategy::kEqual ? "equal" : "tokens";
    };
    return fmt::format("placement is {} here and {} in the ring to join", name(mine.placement),
                       name(theirs.placement));
  }
  if (options_.partitioner_given && mine.partitioner != theirs.partitioner) {
    const auto name = [](Partitioner p) { return p == Partitioner::kSlot ? "slot" : "md5"; };
    return fmt::format("partitioner is {} here and {} in the ring to join", name(mine.partitioner),
                       name(theirs.partitioner));
  }
  return {};
}

// Whose place this node wants: by the operator's last word, or as it was started.
NodeId Membership::Replaces() const { return join_op_ ? join_op_->replaces : options_.replaces; }

void Membership::RequestJoin(Step step, const Address& peer, uint64_t ring) {
  if (step.now.mono_us < next_request_us_) return;
  next_request_us_ = step.in_ms(kRequestMs);
  if (!target_ || target_->ring != ring) {
    target_ = Target{peer, ring, target_ && target_->had_ring};
    dirty_ = true;
  }
  JoinRequest request;
  request.ring = ring;
  request.member = options_.self;
  request.member.id = self();
  request.replaces = Replaces();
  step.effects->sends_to_address.push_back({peer, EncodeControl(request)});
}

void Membership::On(Step step, NodeId, const JoinAnswer& answer) {
  if (ready()) return;
  if (answer.status == JoinStatus::kRefused) Refused(step, answer.text);
  if (answer.status != JoinStatus::kJoined) return;
  Result<ClusterState> state = DecodeState(answer.state);
  if (state) Learn(step, *std::move(state));
}

// The ring does not take this node: it has a ring of one again, or is as if freshly started.
void Membership::Refused(Step step, std::string_view text) {
  LogRarely(step, &next_refusal_log_us_, kRepeatLogMs,
            fmt::format("not taken into a ring: {}", text));
  give_up_join_us_ = INT64_MAX;
  FinishJoinOp(step, Status{ErrorCode::kInvalid, std::string(text)});
  if (!target_) return;
  const bool had_ring = target_->had_ring;
  target_.reset();
  dirty_ = true;
  if (had_ring) {
    MakeRingOfOne(step, "in place of the one that was given up");
  } else {
    ApplyStartRules(step);
  }
}

// --- rings that meet ---

// Only a ring of one that holds nothing gives itself up. Of two such the larger id does.
bool Membership::ShouldYieldTo(uint64_t ring, uint64_t members, bool has_data) const {
  if (!IsEmptyRingOfOne()) return false;
  return members > 1 || has_data || ring < state_.ring_id;
}

void Membership::MetOtherRing(Step step, const Address& asked, const SeedAnswer& answer) {
  const bool it_yields = answer.members == 1 && !answer.has_data &&
                         !(IsEmptyRingOfOne() && answer.ring < state_.ring_id);
  if (it_yields || answer.joining) return;
  std::string why = "neither is empty";
  if (ShouldYieldTo(answer.ring, answer.members, answer.has_data)) {
    why = answer.refusal.empty() ? SettingsConflict(answer.settings) : answer.refusal;
    if (why.empty()) {
      Yield(step, asked, answer.ring);
      return;
    }
  }
  LogRarely(step, &next_rings_log_us_, kRingsLogMs,
            fmt::format("{} is of another ring, {:016x}, than this node, {:016x}: they are not "
                        "mixed ({})",
                        ToString(asked), answer.ring, state_.ring_id, why));
}

// Gives up the ring of one: the node has no ring until the other one has taken it.
void Membership::Yield(Step step, const Address& peer, uint64_t ring) {
  Log(step, LogLevel::kNotice,
      fmt::format("gave up the empty ring {:016x} for ring {:016x} of {}", state_.ring_id, ring,
                  ToString(peer)));
  for (const Wish& wish : wishes_) {
    if (wish.client_op_id) step.effects->answers.push_back({*wish.client_op_id, 0, Loading{}});
  }
  wishes_.clear();
  register_.Close();
  SetState({});
  step.effects->ring_changed = true;
  target_ = Target{peer, ring, true};
  dirty_ = true;
  next_request_us_ = step.now.mono_us;
  next_probe_us_ = step.in_ms(kProbeMs);
  next_wait_log_us_ = step.in_ms(1000);
  RequestJoin(step, peer, ring);
}

// --- DYN.JOIN ---

void Membership::Join(Now now, uint64_t client_op_id, const JoinOperation& operation,
                      Effects* effects) {
  const Step step{now, effects};
  const auto refuse = [&](std::string text) {
    effects->answers.push_back({client_op_id, 0, Status{ErrorCode::kInvalid, std::move(text)}});
  };
  if (join_op_) return refuse("another join is under way");
  if (ready() && !IsAlone()) {
    return refuse(
        fmt::format("this node is a member of a ring of {} already", state_.members.size()));
  }
  if (has_data_) return refuse("this node holds data: rings that hold data are never mixed");
  if (!ready()) target_.reset();  // the operator knows better whom to ask
  join_op_ = JoinOp{client_op_id, operation.peer, operation.replaces,
                    step.in_ms(2 * options_.replica_timeout_ms)};
  ProbeAll(step);
}

// True when there is no more to do about this answer.
bool Membership::AnsweredJoinOp(Step step, NodeId from, const Address& asked,
                                const SeedAnswer& answer) {
  if (target_) return false;  // it has been asked to take us
  std::string why;
  if (answer.ring == 0) {
    why = fmt::format("{} has no ring yet", ToString(asked));
  } else if (ready() && (answer.ring == state_.ring_id || state_.Find(from) != nullptr)) {
    FinishJoinOp(step, std::nullopt);
    return true;
  } else if (!answer.refusal.empty()) {
    why = answer.refusal;
  } else if (ready() && (!IsAlone() || has_data_)) {
    why = "this node's ring is not empty any more";
  } else {
    why = SettingsConflict(answer.settings);
  }
  if (!why.empty()) {
    FinishJoinOp(step, Status{ErrorCode::kInvalid, std::move(why)});
    return true;
  }
  if (!ready()) return false;  // goes on as with any seed
  Yield(step, asked, answer.ring);
  return true;
}

void Membership::FinishJoinOp(Step step, std::optional<Status> error) {
  if (!join_op_) return;
  Answer answer{join_op_->client_op_id, 0, Done{}};
  if (error) answer.result = *std::move(error);
  step.effects->answers.push_back(std::move(answer));
  join_op_.reset();
}

}  // namespace cartwheel
