#include "cluster/anti_entropy.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/coding.h"

namespace cartwheel {

// --- answering others ---

void AntiEntropy::OnTreeRequest(const Turn& turn, NodeId from, const TreeRequest& request) {
  TreeResponse response;
  response.request = request.request;
  if (request.placement != context_->placement()) {
    response.status = TreeStatus::kRefused;
  } else if (!LetsIn(turn, from, request.catching_up)) {
    response.status = TreeStatus::kBusy;
  }
  std::string groups;
  if (response.status == TreeStatus::kHere) {
    if (request.level != TreeLevel::kRoot) NoteGuest(turn, from);
    bool understood = true;
    const MerkleTree tree(context_->replica.engine(), &*context_->ring, context_->self(), from);
    groups = GroupsBelow(tree, request, &understood, &response);
    if (!understood) {
      ++context_->counters.messages_bad;
      return;
    }
    response.groups = groups;
  }
  const size_t frames_before = turn.effects->outbox.frames.size();
  turn.Respond(from, response);
  context_->counters.anti_entropy_bytes_sent += turn.effects->outbox.frames.size() - frames_before;
}

// What is below the nodes whose sums differ. Refuses when this node cannot read.
std::string AntiEntropy::GroupsBelow(const MerkleTree& tree, const TreeRequest& request,
                                     bool* understood, TreeResponse* response) const {
  std::string groups;
  const auto entries = ReadTreeEntries(request.entries);
  *understood = entries.has_value();
  if (!entries) return groups;
  size_t room = kMaxLeafVersions;
  for (const TreeEntry& entry : *entries) {
    if (!tree.Has(request.level, entry.index)) continue;
    if (tree.Sum(request.level, entry.index) == entry.sum) continue;
    std::string below;
    if (request.level != TreeLevel::kLeaf) {
      const auto children = static_cast<TreeLevel>(static_cast<int>(request.level) + 1);
      for (const uint32_t child : tree.Children(request.level, entry.index)) {
        PutFixed64(&below, tree.Sum(children, child));
      }
      PutTreeGroup(entry.index, below, &groups);
      continue;
    }
    std::vector<VersionAt> versions;
    const Position first = std::max(FirstOfLeaf(entry.index), request.from);
    const auto stopped = tree.List(first, LastOfLeaf(entry.index), room, &versions);
    if (!stopped) {
      response->status = TreeStatus::kRefused;
      return {};
    }
    room -= versions.size();
    for (const VersionAt& version : versions) PutLeafVersion(version, &below);
    PutTreeGroup(entry.index, below, &groups);
    if (*stopped) {
      response->more = true;
      response->next = **stopped;
      break;
    }
  }
  return groups;
}

void AntiEntropy::OnFetchRequest(const Turn& turn, NodeId from, const FetchRequest& request) {
  auto positions = ReadPositions(request.positions);
  if (!positions || positions->size() > kMaxFetched) {
    ++context_->counters.messages_bad;
    return;
  }
  if (request.placement != context_->placement()) {
    TreeResponse refusal;
    refusal.request = request.request;
    refusal.status = TreeStatus::kRefused;
    turn.Respond(from, refusal);
    return;
  }
  NoteGuest(turn, from);
  std::erase_if(*positions,
                [&](const Position& position) { return !context_->Holds(position.slot, from); });
  // A peer compares with one node at a time: what it asked for before it wants no more.
  for (auto it = fetches_.begin(); it != fetches_.end();) {
    if (it->second.from != from) {
      ++it;
      continue;
    }
    sender_.Cancel(it->first);
    it = fetches_.erase(it);
  }
  const uint64_t job = sender_.Begin(turn, from, *std::move(positions));
  fetches_[job] = {from, request.request};
  GoOn(turn);
}

// --- comparing ---

void AntiEntropy::OnTreeResponse(const Turn& turn, NodeId from, const TreeResponse& response) {
  if (!comparison_ || comparison_->peer() != from) return;
  comparison_->OnTreeResponse(turn, response);
  GoOn(turn);
}

void AntiEntropy::OnMerged(const Turn& turn, NodeId from, const MergeRequest& request) {
  if (request.synced) hinted_us_ = turn.now.mono_us;
  // Not what a client writes meanwhile, through the same peer.
  if (!request.compared) return;
  if (!comparison_ || comparison_->peer() != from || !comparison_->fetches()) return;
  comparison_->OnMerged(turn, context_->Locate(request.db, request.key), request.object.size());
}

bool AntiEntropy::OnMergeResponse(const Turn& turn, const MergeResponse& response) {
  if (!sender_.OnMergeResponse(turn, response)) return false;
  GoOn(turn);
  return true;
}

// --- when, and with whom ---

// Whether the peer's comparison may go on here. Whoever finds differences repairs them on both
// sides, so that two at once would carry the same objects twice: one is enough for two nodes, and
// for a node. But who has to catch up does not learn what another found: it is let in by all, and
// begins by itself.
bool AntiEntropy::LetsIn(const Turn& turn, NodeId peer, bool catching_up) {
  const auto soon = FindSoon(peer);
  const bool catch_up_here = !context_->catch_up.HasCompared(peer);
  if (!catching_up) {
    const bool goes_first = comparison_ && comparison_->at_work() &&
                            (comparison_->peer() != peer || context_->self() < peer);
    const bool has_guest = guest_ != peer && turn.now.mono_us < guest_us_ + kGuestStaysUs;
    if (goes_first || has_guest || (soon != soon_.end() && catch_up_here)) return false;
  }
  if (soon != soon_.end() && !catch_up_here) soon_.erase(soon);
  return true;
}

void AntiEntropy::NoteGuest(const Turn& turn, NodeId peer) {
  guest_ = peer;
  guest_us_ = turn.now.mono_us;
}

void AntiEntropy::CompareSoon(NodeId peer, int64_t when_us) {
  const auto known = FindSoon(peer);
  if (known == soon_.end()) {
    soon_.push_back({peer, when_us});
  } else {
    known->due_us = std::min(known->due_us, when_us);
  }
}

std::vector<AntiEntropy::Soon>::iterator AntiEntropy::FindSoon(NodeId peer) {
  return std::find_if(soon_.begin(), soon_.end(),
                      [peer](const Soon& soon) { return soon.peer == peer; });
}

void AntiEntropy::OnAlive(const Turn& turn, NodeId peer) {
  // Each of two nodes that were parted sees the other come: one of them is first.
  CompareSoon(peer, turn.now.mono_us + static_cast<int64_t>(context_->random.Below(kJitterUs)));
}

void AntiEntropy::OnPeerLost(const Turn& turn, NodeId peer) {
  sender_.OnPeerLost(peer);
  if (comparison_ && comparison_->peer() == peer) comparison_->End(Comparison::State::kFailed);
  GoOn(turn);
}

void AntiEntropy::OnPlacementChanged(const Turn& turn) {
  if (comparison_) comparison_->End(Comparison::State::kRefused);
  for (const auto& [job, fetch] : fetches_) sender_.Cancel(job);
  fetches_.clear();
  // Others learn of it about now. After a start they come with hints first.
  const auto jitter_us = static_cast<int64_t>(context_->random.Below(kJitterUs));
  const int64_t soon_us =
      turn.now.mono_us + jitter_us + (round_us_ == kNever ? GossipIntervalUs() : 0);
  for (const Member& member : context_->state->members) {
    if (member.id != context_->self()) CompareSoon(member.id, soon_us);
  }
  round_us_ = turn.now.mono_us + kGossipIntervalsBetween * GossipIntervalUs() + jitter_us;
  GoOn(turn);
}

void AntiEntropy::CompareAll(const Turn& turn) {
  if (comparison_) comparison_->End(Comparison::State::kRefused);  // and begun again
  unsynced_.clear();
  for (const Member& member : context_->state->members) {
    if (member.id != context_->self()) CompareSoon(member.id, turn.now.mono_us);
  }
  GoOn(turn);
}

void AntiEntropy::StartRepair(const Turn& turn, uint64_t client) {
  repair_clients_.push_back(client);
  GoOn(turn);
}

void AntiEntropy::Tick(const Turn& turn) {
  sender_.Tick(turn);
  if (comparison_) comparison_->Tick(turn);
  GoOn(turn);
}

int64_t AntiEntropy::NextDeadline() const {
  const int64_t next = std::min(sender_.NextDeadline(), unsynced_us_);
  if (comparison_) return std::min(next, comparison_->NextDeadline());
  if (repair_) return std::min(next, repair_->next_us);
  int64_t begin_us = round_us_;
  for (const Soon& soon : soon_) begin_us = std::min(begin_us, soon.due_us);
  return std::min(next, begin_us);
}

void AntiEntropy::GoOn(const Turn& turn) {
  EndFetches(turn);
  NoteSynced(turn);
  while (comparison_ || ContinueRepair(turn)) {
    if (comparison_->state() == Comparison::State::kRunning) return;
    Conclude(turn);
  }
  BeginDue(turn);
}

void AntiEntropy::EndFetches(const Turn& turn) {
  for (const ObjectSender::Ended& sent : sender_.TakeEnded()) {
    if (comparison_) comparison_->OnSent(turn, sent);
    const auto fetch = fetches_.find(sent.job);
    if (fetch == fetches_.end()) continue;
    if (!sent.failed) {
      TreeResponse done;
      done.request = fetch->second.request;
      turn.Respond(fetch->second.from, done);
    }
    fetches_.erase(fetch);
  }
}

// Whoever says that nothing is missing on its disk may lose its power the next moment, and another
// its disk.
void AntiEntropy::NoteEqual(const Turn& turn, NodeId peer) {
  if (context_->catch_up.HasCompared(peer)) return;
  StorageEngine* engine = context_->replica.engine();
  unsynced_.push_back({peer, engine->sequences().applied});
  engine->SyncSoon(unsynced_.back().sequence);
  NoteSynced(turn);
}

void AntiEntropy::NoteSynced(const Turn& turn) {
  if (unsynced_.empty()) return;
  const uint64_t synced = context_->replica.engine()->sequences().synced;
  std::erase_if(unsynced_, [&](const Equal& equal) {
    if (equal.sequence > synced) return false;
    context_->catch_up.OnCompared(equal.peer);
    return true;
  });
  unsynced_us_ = unsynced_.empty() ? kNever : turn.now.mono_us + kSyncPollUs;
}

void AntiEntropy::Conclude(const Turn& turn) {
  StatusCounters& counters = context_->counters;
  const NodeId peer = comparison_->peer();
  const uint64_t keys = comparison_->keys_repaired();
  const Comparison::State state = comparison_->state();
  if (state == Comparison::State::kDone && comparison_->complete()) NoteEqual(turn, peer);
  comparison_.reset();
  counters.anti_entropy_keys_repaired += keys;
  if (state == Comparison::State::kDone) {
    ++counters.anti_entropy_rounds;
    counters.anti_entropy_last = static_cast<uint64_t>(turn.now.wall_ms);
  }
  if (keys > 0) {
    turn.effects->log.push_back(
        {LogLevel::kVerbose,
         "compared with node " + FormatNodeId(peer) + ": " + std::to_string(keys) + " repaired"});
  }
  const int64_t again_us = turn.now.mono_us + GossipIntervalUs() +
                           static_cast<int64_t>(context_->random.Below(kJitterUs));
  const bool refused = state == Comparison::State::kRefused;
  const bool busy = state == Comparison::State::kBusy;
  if (for_repair_ && repair_) {
    repair_->keys += keys;
    if (busy || (refused && ++repair_->refusals <= kMaxRefusals)) {
      repair_->peers.push_back(peer);
      repair_->next_us = again_us;
    }
  } else if (refused || busy) {
    CompareSoon(peer, again_us);
  }
  for_repair_ = false;
}

// True when it has begun a comparison, or waits to.
bool AntiEntropy::ContinueRepair(const Turn& turn) {
  if (!repair_) {
    if (repair_clients_.empty()) return false;
    repair_.emplace(RepairRun());
    repair_->clients = std::exchange(repair_clients_, {});
    for (const Member& member : context_->state->members) {
      if (member.id != context_->self()) repair_->peers.push_back(member.id);
    }
  }
  std::erase_if(repair_->peers, [this](NodeId peer) { return !context_->liveness.IsAlive(peer); });
  if (repair_->peers.empty()) {
    const uint64_t applied = context_->replica.engine()->sequences().applied;
    for (const uint64_t client : repair_->clients) {
      turn.effects->answers.push_back({client, applied, RepairAnswer{repair_->keys}});
    }
    repair_.reset();
    return ContinueRepair(turn);
  }
  if (repair_->next_us > turn.now.mono_us) return false;
  const NodeId peer = repair_->peers.front();
  repair_->peers.erase(repair_->peers.begin());
  Begin(turn, peer, true);
  return true;
}

void AntiEntropy::BeginDue(const Turn& turn) {
  if (repair_) return;
  const int64_t now_us = turn.now.mono_us;
  std::erase_if(soon_, [this](const Soon& soon) { return !context_->liveness.IsAlive(soon.peer); });
  // Hints bring what was missed: compared with before, it would come from all replicas as well. So
  // who is handed hints waits as long as they come, and who keeps some waits with those they are
  // for. Hints may have to stay, though: the turns come all the same.
  if (now_us < hinted_us_ + kHintsPauseUs) {
    for (Soon& soon : soon_) soon.due_us = std::max(soon.due_us, hinted_us_ + kHintsPauseUs);
    round_us_ = std::max(round_us_, hinted_us_ + kHintsPauseUs);
    return;
  }
  const auto& hinted = context_->replica.hints().targets();
  for (auto soon = soon_.begin(); soon != soon_.end(); ++soon) {
    if (soon->due_us > now_us) continue;
    if (hinted.contains(soon->peer)) {
      soon->due_us = now_us + kHintsPauseUs;
      continue;
    }
    const NodeId peer = soon->peer;
    soon_.erase(soon);
    return Begin(turn, peer, false);
  }
  if (round_us_ > now_us) return;
  round_us_ = now_us + kGossipIntervalsBetween * GossipIntervalUs();
  const NodeId peer = NextInTurn();
  if (peer == 0) return;
  last_in_turn_ = peer;
  Begin(turn, peer, false);
}

void AntiEntropy::Begin(const Turn& turn, NodeId peer, bool for_repair) {
  for_repair_ = for_repair;
  comparison_.emplace(context_, &sender_, peer);
  comparison_->Begin(turn);
}

// The live peer after the last one by id, and round; 0 when there is none.
NodeId AntiEntropy::NextInTurn() const {
  NodeId first = 0;
  NodeId next = 0;
  for (const Member& member : context_->state->members) {
    if (member.id == context_->self() || !context_->liveness.IsAlive(member.id)) continue;
    if (first == 0 || member.id < first) first = member.id;
    if (member.id > last_in_turn_ && (next == 0 || member.id < next)) next = member.id;
  }
  return next != 0 ? next : first;
}

}  // namespace cartwheel
