// Membership: which ring this node is in, and the state of that ring as far as the node knows it.
// It comes into a ring (seeds, DYN.JOIN), decides changes together with the other members
// (cluster/register.h), and spreads the state by gossip: whoever is behind gets the newer one
// (Dynamo, sections 4.8.1 and 4.8.2; that the state is decided, not merged, is our departure, see
// docs/decisions/0002-cluster-state-register.md). Who is alive is not its matter.
//
// Part of the Node and like it a state machine. The owner writes Durable() into Effects.control
// whenever TakeDirty() says so: what a call emitted may leave only after that.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"
#include "cluster/cluster_state.h"
#include "cluster/control_messages.h"
#include "cluster/effects.h"
#include "cluster/hybrid_clock.h"
#include "cluster/node.h"
#include "cluster/register.h"
#include "cluster/state_changes.h"
#include "cluster/types.h"

namespace cartwheel {

class Membership {
 public:
  // All three outlive this.
  Membership(const NodeOptions& options, Random* random, HybridClock* clock);

  // What Durable() gave; empty at a first start. An error when it is damaged, or when it says that
  // this node was taken out of its ring.
  Result<void> Restore(std::string_view durable);
  std::string Durable() const;
  // The durable part changed since the last call.
  bool TakeDirty();

  void Start(Now now, Effects* effects);
  // A frame whose type IsControlType. What is malformed or unknown is ignored.
  void Receive(Now now, NodeId from, std::span<const std::string_view> fields, Effects* effects);
  void Tick(Now now, Effects* effects);
  int64_t NextDeadline() const;  // mono_us

  // DYN.JOIN, DYN.REPLACE: answered with Done when this node is a member of the peer's ring (in the
  // place of `replaces`), or a Status.
  void Join(Now now, uint64_t client_op_id, const JoinOperation& operation, Effects* effects);
  // DYN.LEAVE, DYN.REMOVE, DYN.SETTINGS: answered with Done once decided, with a Status when the
  // ring does not take it, with NoQuorum when no majority answered.
  void Leave(Now now, uint64_t client_op_id, Effects* effects);
  void Remove(Now now, uint64_t client_op_id, const RemoveOperation& operation, Effects* effects);
  void Set(Now now, uint64_t client_op_id, const QuorumSettings& settings, Effects* effects);
  // This node knows that the phase of this placement version is over.
  void EndPhase(Now now, uint64_t placement_version, Effects* effects);
  // This node is leaving, and holds nothing any more.
  void Depart(Now now, Effects* effects);
  // Who is down and keeps it from that; none: nobody.
  std::vector<NodeId> MissedByDeparture() const;
  // FLUSHALL (no db) and FLUSHDB: answered with Done after every live member has said that it knows
  // (or was given replica-timeout to), with NoQuorum when no majority answered.
  void Flush(Now now, uint64_t client_op_id, std::optional<uint32_t> db, Effects* effects);
  // A data message carried this epoch: a newer one is asked for, an older one is helped on.
  void SawEpoch(Now now, NodeId from, uint64_t epoch, Effects* effects);
  // An answer came from who knows a later placement: it is asked for the state.
  void SawPlacement(Now now, NodeId from, uint64_t placement_version, Effects* effects);

  // Whether this node holds records: a ring of one without any may give itself up for another.
  void SetHasData(bool has_data) { has_data_ = has_data; }
  // What the node thinks of a member; all are alive until it says otherwise.
  void SetAlive(NodeId member, bool alive);

  bool ready() const { return state_.ring_id != 0 && !removed_; }
  // This node has left its ring, or was removed from it.
  bool removed() const { return removed_; }
  const ClusterState& state() const { return state_; }

 private:
  struct Step {
    Now now;
    Effects* effects;

    int64_t in_ms(int64_t ms) const { return now.mono_us + ms * 1000; }
  };
  // Also `self` is found out: by its address, or because a probe of it came back.
  struct Seed {
    Address address;
    bool self = false;
    bool fresh = false;  // said so, at answered_us
    int64_t answered_us = INT64_MIN;
    NodeId node = 0;
    bool candidate = false;
  };
  // A change that this node wants decided. They are proposed one after the other.
  struct Wish {
    enum class Kind { kJoin, kUpdate, kFlush, kLeave, kRemove, kSettings, kPhase, kDepart } kind;
    uint64_t serial = 0;
    int64_t deadline_us = INT64_MAX;
    std::optional<uint64_t> client_op_id = {};  // who waits for it
    Member member = {};                         // kJoin: who asked; kUpdate: ourselves
    NodeId replaces = 0;                        // kJoin
    uint32_t db = 0;                            // kFlush
    std::vector<NodeId> nodes = {};             // kRemove
    QuorumSettings settings = {};               // kSettings
    uint64_t placement_version = 0;             // kPhase
  };
  // Whether somebody hears the nodes that the wish would remove is being asked.
  struct Inquiry {
    uint64_t request;
    Wish wish;
    int64_t deadline_us;
    std::vector<NodeId> silent;  // who have not answered
  };
  // A decided flush whose client waits until the others know of it.
  struct FlushWait {
    uint64_t client_op_id;
    uint64_t epoch;
    int64_t deadline_us;
    std::vector<NodeId> unaware;
  };
  struct JoinOp {
    uint64_t client_op_id;
    Address peer;
    NodeId replaces;
    int64_t deadline_us;
  };
  // The ring this node has asked to take it, having none of its own. Durable: from the request on
  // it may be a member without knowing it, so it must not make or join another meanwhile.
  struct Target {
    Address peer;
    uint64_t ring;
    bool had_ring = false;  // a ring of one was given up for it
  };

  // membership.cc: the state and its spreading.
  void On(Step step, NodeId from, const Digest& message);
  void On(Step step, NodeId from, const StatePush& message);
  void On(Step step, NodeId from, const StateAsk& message);
  void Gossip(Step step);
  Digest MakeDigest(bool response) const;
  void PushState(Step step, NodeId to, bool response, bool acknowledge);
  void AskState(Step step, NodeId to, bool response);
  void AskStranger(Step step, NodeId to, bool response);
  bool IsNewerSibling(uint64_t ring, uint64_t parent, uint64_t epoch) const;
  void Learn(Step step, ClusterState state);
  void Adopt(Step step, ClusterState state);
  void SetState(ClusterState state);
  void BeRemoved(Step step, bool was_leaving);
  void SpreadDeparture(Step step);
  void WhenRemoved(Step step, NodeId from, const ControlMessage& message);

  // membership_change.cc: what this node wants decided, and deciding it.
  void On(Step step, NodeId from, const Prepare& message);
  void On(Step step, NodeId from, const Promise& message);
  void On(Step step, NodeId from, const Accept& message);
  void On(Step step, NodeId from, const Accepted& message);
  void On(Step step, NodeId from, const JoinRequest& message);
  bool IsCurrent(Step step, NodeId from, uint64_t ring, uint64_t epoch);
  void CarryOut(Step step, Register::Output output);
  void Decided(Step step, const Register::Decision& decision);
  void AddWish(Wish wish);
  void WishToUpdateSelf(Step step);
  void Propose(Step step);
  Result<ClusterState> Apply(const Wish& wish, uint64_t clock, int64_t wall_ms) const;
  Result<void> MayApply(const Wish& wish) const;
  void Drop(Step step, const Wish& wish, const Status& why) const;
  bool HasComeTrue(const Wish& wish) const;
  void Settle(Step step);
  void ExpireWishes(Step step);
  void AwaitFlush(Step step, const ClusterState& state);
  void HearOfEpoch(Step step, NodeId from, uint64_t epoch);
  void ExpireFlushes(Step step);
  Register::At At(Step step);

  // membership_removal.cc: members that will not come back.
  void On(Step step, NodeId from, const HearAsk& message);
  void On(Step step, NodeId from, const HearAnswer& message);
  void Inquire(Step step, Wish wish);
  void EndInquiry(Step step, Inquiry inquiry, NodeId heard, NodeId by);
  void ExpireInquiries(Step step);
  void Force(Step step, const Wish& wish);
  NodeId HeardHere(std::span<const NodeId> nodes) const;
  bool IsDown(NodeId member) const;

  // membership_start.cc: how a node comes into a ring.
  void On(Step step, NodeId from, const SeedProbe& message);
  void On(Step step, NodeId from, const SeedAnswer& message);
  void On(Step step, NodeId from, const JoinAnswer& message);
  void ApplyStartRules(Step step);
  bool IsFirstSeed() const;
  void MakeRingOfOne(Step step, std::string_view why);
  void Probe(Step step, const Address& address);
  void ProbeAll(Step step);
  void ProbeSomeSeed(Step step);
  void LogWaiting(Step step);
  void AnsweredWithoutRing(Step step, const Address& asked);
  void AnsweredWithRing(Step step, const Address& asked, const SeedAnswer& answer);
  void MetOtherRing(Step step, const Address& asked, const SeedAnswer& answer);
  bool AnsweredJoinOp(Step step, NodeId from, const Address& asked, const SeedAnswer& answer);
  void AnsweredSelf(Step step, std::string_view asked);
  Seed* FindSeed(std::string_view address);
  bool ShouldYieldTo(uint64_t ring, uint64_t members, bool has_data) const;
  std::string SettingsConflict(const ClusterSettings& theirs) const;
  void Yield(Step step, const Address& peer, uint64_t ring);
  void RequestJoin(Step step, const Address& peer, uint64_t ring);
  NodeId Replaces() const;
  void Refused(Step step, std::string_view text);
  void FinishJoinOp(Step step, std::optional<Status> error);
  void TickWithoutRing(Step step);

  bool IsAlone() const { return state_.members.size() == 1; }
  // Nothing is lost with such a ring. One that was made by force is none: an operator wants it.
  bool IsEmptyRingOfOne() const { return IsAlone() && !has_data_ && state_.parent_ring_id == 0; }
  NodeId self() const { return options_.id; }
  // A response goes back on the connection its request came from.
  void Say(Step step, NodeId to, bool response, const ControlMessage& message) const;
  void Log(Step step, LogLevel level, std::string text) const;
  // A warning, at most one of its kind in `interval_ms`.
  void LogRarely(Step step, int64_t* next_us, int64_t interval_ms, std::string text) const;

  const NodeOptions& options_;
  Random* const random_;
  HybridClock* const clock_;

  ClusterState state_;         // ring_id 0: none
  std::string encoded_state_;  // empty: none
  uint64_t state_hash_ = 0;    // every digest tells it
  Register register_;
  std::optional<Target> target_;
  bool dirty_ = false;
  bool removed_ = false;
  bool has_data_ = false;
  std::vector<NodeId> down_;

  std::deque<Wish> wishes_;
  std::vector<Inquiry> inquiries_;
  std::vector<NodeId> unaware_;  // that this node, which has left, is gone
  uint64_t next_serial_ = 1;
  uint64_t proposed_serial_ = 0;
  std::vector<FlushWait> flush_waits_;
  int64_t next_gossip_us_ = INT64_MAX;
  std::map<NodeId, int64_t> next_push_us_;
  std::map<NodeId, int64_t> next_ask_us_;

  std::vector<Seed> seeds_;
  std::optional<JoinOp> join_op_;
  int64_t started_us_ = 0;
  int64_t next_probe_us_ = INT64_MAX;
  int64_t next_request_us_ = 0;
  int64_t defer_until_us_ = INT64_MAX;    // to a fresh node that may found the ring as well
  int64_t give_up_join_us_ = INT64_MAX;   // the target's peer has no ring any more
  int64_t next_wait_log_us_ = INT64_MAX;  // each kind of line that could fill a log
  int64_t next_refusal_log_us_ = 0;
  int64_t next_departure_log_us_ = 0;
  int64_t next_rings_log_us_ = 0;
  bool settings_logged_ = false;
};

}  // namespace cartwheel
