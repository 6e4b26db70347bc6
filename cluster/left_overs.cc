#include "cluster/left_overs.h"

#include "base/coding.h"
#include "cluster/merkle_tree.h"

namespace cartwheel {

LeftOvers::Slice LeftOvers::Next(const Turn& turn, size_t most) {
  Slice slice;
  if (next_leaf_ == leaves_.size()) Ask(turn);
  slice.ended = leaves_.empty();
  if (!asked_.empty() && turn.now.mono_us < due_us_) return slice;
  asked_.clear();
  while (next_leaf_ < leaves_.size() && slice.dropped + slice.differing.size() < most) {
    const size_t left = most - slice.dropped - slice.differing.size();
    Leaf& leaf = leaves_[next_leaf_];
    const bool done = IsHeldAlike(leaf) ? Drop(&leaf, left, &slice) : Collect(leaf, left, &slice);
    if (!done) break;
    ++next_leaf_;
    from_ = Position();
  }
  return slice;
}

void LeftOvers::Restart() {
  next_slot_ = 0;
  leaves_.clear();
  next_leaf_ = 0;
  from_ = Position();
  asked_.clear();
  met_any_ = false;
}

size_t LeftOvers::CountSlots() const {
  size_t count = 0;
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    if (context_->Holds(static_cast<uint16_t>(slot), context_->self())) continue;
    const uint32_t first = slot * kBucketsPerSlot;
    if (context_->replica.engine()->SumOfLeaves(first, first + kBucketsPerSlot) != 0) ++count;
  }
  return count;
}

// Those of the next slots. Not where too few of the N live to let anything go afterwards.
void LeftOvers::Ask(const Turn& turn) {
  leaves_.clear();
  next_leaf_ = 0;
  const StorageEngine& engine = *context_->replica.engine();
  const auto alive = [&](NodeId node) { return context_->liveness.IsAlive(node); };
  absl::btree_map<NodeId, std::string> questions;
  for (; next_slot_ < kSlotCount && leaves_.size() < kMostLeaves; ++next_slot_) {
    const auto slot = static_cast<uint16_t>(next_slot_);
    if (context_->Holds(slot, context_->self())) continue;
    const size_t before = leaves_.size();
    const uint32_t first = next_slot_ * kBucketsPerSlot;
    for (uint32_t leaf = first; leaf < first + kBucketsPerSlot; ++leaf) {
      const uint64_t sum = engine.LeafSum(leaf);
      if (sum != 0) leaves_.push_back({.number = leaf, .sum = sum, .same = {}});
    }
    if (leaves_.size() == before) continue;
    met_any_ = true;
    if (!context_->HasQuorum(slot, alive)) {
      leaves_.resize(before);
      continue;
    }
    for (const NodeId node : context_->HoldersOf(slot)) {
      if (!alive(node)) continue;
      for (size_t i = before; i < leaves_.size(); ++i) {
        asked_[node].push_back(i);
        PutVarint(&questions[node], leaves_[i].number);
        PutFixed64(&questions[node], leaves_[i].sum);
      }
    }
  }
  ++last_request_;
  due_us_ = turn.now.mono_us + 2 * context_->ReplicaTimeoutUs() + NodeContext::kSyncUs;
  for (const auto& [node, leaves] : questions) {
    const LeavesRequest request{
        .request = last_request_, .epoch = context_->epoch(), .leaves = leaves};
    turn.Request(node, request);
    context_->counters.hints_bytes_sent += leaves.size();
  }
}

void LeftOvers::OnResponse(NodeId from, const LeavesResponse& response) {
  if (response.request != last_request_) return;
  const auto asked = asked_.find(from);
  if (asked == asked_.end()) return;
  // Who knows another placement may not be of the N there.
  const std::string_view same = response.same;
  if (response.placement == context_->placement() && same.size() == asked->second.size()) {
    for (size_t i = 0; i < same.size(); ++i) {
      if (same[i] == 1) leaves_[asked->second[i]].same.push_back(from);
    }
  }
  asked_.erase(asked);
}

bool LeftOvers::IsHeldAlike(const Leaf& leaf) const {
  return context_->replica.engine()->LeafSum(leaf.number) == leaf.sum &&
         context_->HasQuorum(FirstOfLeaf(leaf.number).slot,
                             [&](NodeId node) { return Contains(leaf.same, node); });
}

bool LeftOvers::Drop(Leaf* leaf, size_t most, Slice* slice) {
  StorageEngine* engine = context_->replica.engine();
  std::vector<Position> places;
  const auto scanned = engine->Scan(FirstOfLeaf(leaf->number), LastOfLeaf(leaf->number),
                                    [&](const Position& place, std::string_view) {
                                      if (places.size() == most) return false;
                                      places.push_back(place);
                                      return true;
                                    });
  if (!scanned) return true;  // it stays here until it can be read
  for (const Position& place : places) engine->Drop(place);
  slice->dropped += places.size();
  // What is left of it is as it was.
  leaf->sum = engine->LeafSum(leaf->number);
  return leaf->sum == 0;
}

bool LeftOvers::Collect(const Leaf& leaf, size_t most, Slice* slice) {
  const size_t end = slice->differing.size() + most;
  const Position first = std::max(FirstOfLeaf(leaf.number), from_);
  bool done = true;
  // What cannot be read is left where it is.
  (void)context_->replica.engine()->Scan(first, LastOfLeaf(leaf.number),
                                         [&](const Position& place, std::string_view image) {
                                           if (slice->differing.size() == end) {
                                             from_ = place;
                                             done = false;
                                             return false;
                                           }
                                           slice->differing.push_back({place, std::string(image)});
                                           return true;
                                         });
  return done;
}

}  // namespace cartwheel
