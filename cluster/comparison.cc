#include "cluster/comparison.h"

#include <algorithm>
#include <utility>

namespace cartwheel {

MerkleTree Comparison::Tree() const {
  return {context_->replica.engine(), &*context_->ring, context_->self(), peer_};
}

void Comparison::Begin(const Turn& turn) {
  pending_[0].push_back(0);
  GoOn(turn);
}

void Comparison::End(State state) {
  if (state_ != State::kRunning) return;
  state_ = state;
  if (sending_) sender_->Cancel(*sending_);
  sending_.reset();
  fetching_.clear();
}

void Comparison::GoOn(const Turn& turn) {
  if (phase_ == Phase::kLooking) {
    if (suspects_.size() < kMaxSuspects && AskNext(turn)) return;
    if (suspects_.empty()) return End(State::kDone);
    phase_ = Phase::kWaiting;
    due_us_ = turn.now.mono_us + std::max(kMinPauseUs, 2 * slowest_us_);
    return;
  }
  if (phase_ == Phase::kConfirming) {
    if (AskNext(turn)) return;
    return Repair(turn);
  }
  if (FetchNext(turn)) return;
  if (!to_send_.empty()) sending_ = sender_->Begin(turn, peer_, std::exchange(to_send_, {}));
  due_us_ = kNever;  // the sender knows when to give up
  if (sending_) return;
  suspects_.clear();
  phase_ = Phase::kLooking;
  GoOn(turn);
}

// Deepest first: what is found is dealt with before more is, and positions come in order.
bool Comparison::AskNext(const Turn& turn) {
  const LeafQueue& leaves = *LeavesInHand();
  if (!leaves.leaves.empty()) {
    Ask(turn, TreeLevel::kLeaf, leaves.leaves, kMaxLeaves, leaves.from);
    return true;
  }
  if (phase_ == Phase::kConfirming) return false;
  const uint32_t slots_of_one = kSlotCount / context_->ring->partition_count();
  const size_t at_most[] = {1, std::max<size_t>(1, kMaxSlotsBelow / slots_of_one), kMaxSlots};
  for (const TreeLevel level : {TreeLevel::kSlot, TreeLevel::kPartition, TreeLevel::kRoot}) {
    const auto& pending = pending_[static_cast<size_t>(level)];
    if (pending.empty()) continue;
    Ask(turn, level, pending, at_most[static_cast<size_t>(level)], {});
    return true;
  }
  return false;
}

void Comparison::Ask(const Turn& turn, TreeLevel level, const std::deque<uint32_t>& indexes,
                     size_t at_most, const Position& from) {
  const size_t count = std::min(at_most, indexes.size());
  asked_.assign(indexes.begin(), indexes.begin() + static_cast<ptrdiff_t>(count));
  asked_level_ = level;
  const MerkleTree tree = Tree();
  std::string entries;
  for (const uint32_t index : asked_) PutTreeEntry({index, tree.Sum(level, index)}, &entries);
  waits_for_answer_ = true;
  asked_us_ = turn.now.mono_us;
  due_us_ = asked_us_ + PatienceUs();
  const size_t frames_before = turn.effects->outbox.frames.size();
  turn.Request(peer_, TreeRequest{.request = ++last_request_,
                                  .epoch = context_->epoch(),
                                  .level = level,
                                  .catching_up = !context_->catch_up.HasCompared(peer_),
                                  .placement = context_->placement(),
                                  .from = from,
                                  .entries = entries});
  context_->counters.anti_entropy_bytes_sent += turn.effects->outbox.frames.size() - frames_before;
}

void Comparison::OnTreeResponse(const Turn& turn, const TreeResponse& response) {
  if (state_ != State::kRunning || !waits_for_answer_ || response.request != last_request_) return;
  waits_for_answer_ = false;
  if (response.status == TreeStatus::kRefused) return End(State::kRefused);
  if (response.status == TreeStatus::kBusy) return End(State::kBusy);
  if (phase_ == Phase::kRepairing) {
    // All was given that can be.
    complete_ = complete_ && fetching_.empty();
    fetching_.clear();
    return GoOn(turn);
  }
  slowest_us_ = std::max(slowest_us_, turn.now.mono_us - asked_us_);
  const bool understood = asked_level_ == TreeLevel::kLeaf ? CompareLeaves(response, LeavesInHand())
                                                           : CompareInner(response);
  if (!understood) {
    ++context_->counters.messages_bad;
    return End(State::kFailed);
  }
  if (state_ == State::kRunning) GoOn(turn);
}

bool Comparison::CompareInner(const TreeResponse& response) {
  const auto groups = ReadTreeGroups(response.groups);
  if (!groups) return false;
  const MerkleTree tree = Tree();
  const auto level = static_cast<size_t>(asked_level_);
  const auto below = static_cast<TreeLevel>(level + 1);
  auto& found = below == TreeLevel::kLeaf ? look_.leaves : pending_[level + 1];
  for (const TreeGroup& group : *groups) {
    if (!std::binary_search(asked_.begin(), asked_.end(), group.index)) return false;
    const std::vector<uint32_t> children = tree.Children(asked_level_, group.index);
    const auto sums = ReadSums(group.below, children.size());
    if (!sums) return false;
    for (size_t i = 0; i < children.size(); ++i) {
      if (tree.Sum(below, children[i]) != (*sums)[i]) found.push_back(children[i]);
    }
  }
  auto& pending = pending_[level];
  pending.erase(pending.begin(), pending.begin() + static_cast<ptrdiff_t>(asked_.size()));
  return true;
}

// As far as both sides' lists go.
bool Comparison::CompareLeaves(const TreeResponse& response, LeafQueue* queue) {
  const auto groups = ReadTreeGroups(response.groups);
  if (!groups || (response.more && response.next <= queue->from)) return false;
  const MerkleTree tree = Tree();
  std::optional<Position> stop;
  if (response.more) stop = response.next;
  size_t room = kMaxLeafVersions;
  auto group = groups->begin();
  for (const uint32_t leaf : asked_) {
    const Position first = std::max(FirstOfLeaf(leaf), queue->from);
    if (stop && first >= *stop) break;
    if (group == groups->end() || group->index != leaf) {  // equal
      queue->leaves.pop_front();
      continue;
    }
    const auto theirs = ReadLeafVersions(leaf, group->below);
    if (!theirs) return false;
    ++group;
    std::vector<VersionAt> mine;
    const auto listed = tree.List(first, LastOfLeaf(leaf), room, &mine);
    if (!listed) {
      End(State::kFailed);
      return true;
    }
    room -= mine.size();
    if (*listed && (!stop || **listed < *stop)) stop = **listed;
    const auto compared = [&stop](const VersionAt& version) {
      return !stop || version.position < *stop;
    };
    auto my = mine.begin();
    auto their = theirs->begin();
    while (my != mine.end() || their != theirs->end()) {
      const bool mine_first =
          their == theirs->end() || (my != mine.end() && my->position <= their->position);
      if (!compared(mine_first ? *my : *their)) break;
      const bool both = mine_first && their != theirs->end() && their->position == my->position;
      if (!mine_first) {
        Meet(their->position, their->hash);
      } else if (!both) {
        Meet(my->position, std::nullopt);
      } else if (my->hash != their->hash) {
        Meet(my->position, their->hash);
      }
      if (both) ++their;
      mine_first ? ++my : ++their;
    }
    if (stop && *stop <= LastOfLeaf(leaf)) break;
    queue->leaves.pop_front();
  }
  if (stop) queue->from = *stop;
  return group == groups->end() || stop.has_value();
}

void Comparison::Meet(const Position& position, std::optional<uint64_t> theirs) {
  if (phase_ == Phase::kLooking) {
    const uint32_t leaf = position.leaf();
    if (confirm_.leaves.empty() || confirm_.leaves.back() != leaf) confirm_.leaves.push_back(leaf);
    suspects_.push_back(position);
    return;
  }
  if (!std::binary_search(suspects_.begin(), suspects_.end(), position)) return;
  if (theirs) {
    to_fetch_.push_back({position, *theirs});
  } else {
    to_send_.push_back(position);
  }
}

void Comparison::Repair(const Turn& turn) {
  phase_ = Phase::kRepairing;
  confirm_.from = {};
  GoOn(turn);
}

bool Comparison::FetchNext(const Turn& turn) {
  if (to_fetch_.empty()) return false;
  std::string positions;
  while (!to_fetch_.empty() && fetching_.size() < kMaxFetched) {
    const VersionAt& version = to_fetch_.front();
    PutPosition(version.position, &positions);
    fetching_.emplace(version.position, version.hash);
    to_fetch_.pop_front();
  }
  waits_for_answer_ = true;
  due_us_ = turn.now.mono_us + PatienceUs();
  const size_t frames_before = turn.effects->outbox.frames.size();
  turn.Request(peer_, FetchRequest{.request = ++last_request_,
                                   .epoch = context_->epoch(),
                                   .placement = context_->placement(),
                                   .positions = positions});
  context_->counters.anti_entropy_bytes_sent += turn.effects->outbox.frames.size() - frames_before;
  return true;
}

void Comparison::OnMerged(const Turn& turn, const KeyRef& key, uint64_t bytes) {
  const auto fetched = fetching_.find(key.position);
  if (fetched == fetching_.end()) return;
  const auto head = context_->replica.Head(key);
  if (head && head->hash == fetched->second) {
    ++keys_repaired_;
  } else {
    to_send_.push_back(key.position);
  }
  fetching_.erase(fetched);
  // The peer has a rate as well.
  due_us_ = turn.now.mono_us + PatienceUs() + sender_->limit().CostUs(bytes);
}

void Comparison::OnSent(const Turn& turn, const ObjectSender::Ended& sent) {
  if (!sending_ || sent.job != *sending_) return;
  sending_.reset();
  keys_repaired_ += sent.stored;
  if (sent.failed) return End(State::kFailed);
  if (phase_ == Phase::kRepairing && !waits_for_answer_) GoOn(turn);
}

void Comparison::Tick(const Turn& turn) {
  if (state_ != State::kRunning || turn.now.mono_us < due_us_) return;
  if (phase_ != Phase::kWaiting) return End(State::kFailed);
  phase_ = Phase::kConfirming;
  GoOn(turn);
}

}  // namespace cartwheel
