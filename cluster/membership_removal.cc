// The part of Membership that takes members out for good who will not come back: after it has asked
// around that nobody hears them, or by force.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "cluster/membership.h"

namespace cartwheel {
namespace {

Status StillHeard(NodeId node, NodeId by) {
  return {ErrorCode::kInvalid,
          fmt::format("node {} is still heard by node {}: tell it DYN.LEAVE, or use FORCE",
                      FormatNodeId(node), FormatNodeId(by))};
}

}  // namespace

bool Membership::IsDown(NodeId member) const { return Contains(down_, member); }

NodeId Membership::HeardHere(std::span<const NodeId> nodes) const {
  for (const NodeId node : nodes) {
    if (node == self() || (state_.Find(node) != nullptr && !IsDown(node))) return node;
  }
  return 0;
}

void Membership::Remove(Now now, uint64_t client_op_id, const RemoveOperation& operation,
                        Effects* effects) {
  const Step step{now, effects};
  Wish wish{.kind = Wish::Kind::kRemove,
            .deadline_us = step.in_ms(2 * options_.replica_timeout_ms),
            .client_op_id = client_op_id,
            .nodes = operation.nodes};
  if (const Result<void> may = MayApply(wish); !may) return Drop(step, wish, may.error());
  if (!operation.force) return Inquire(step, std::move(wish));
  if (std::find(wish.nodes.begin(), wish.nodes.end(), self()) != wish.nodes.end()) {
    return Drop(step, wish, {ErrorCode::kInvalid, "that is this node itself: tell it DYN.LEAVE"});
  }
  if (state_.members.size() - down_.size() < register_.majority()) return Force(step, wish);
  AddWish(std::move(wish));
  Propose(step);
}

// Asks all others who live. Each answers at once; who does not in time hears nobody.
void Membership::Inquire(Step step, Wish wish) {
  const std::vector<NodeId> gone =
      wish.kind == Wish::Kind::kJoin ? std::vector<NodeId>{wish.replaces} : wish.nodes;
  if (const NodeId heard = HeardHere(gone); heard != 0) {
    return Drop(step, wish, StillHeard(heard, self()));
  }
  for (const Inquiry& inquiry : inquiries_) {
    if (wish.kind == Wish::Kind::kJoin && inquiry.wish.member.id == wish.member.id) return;
  }
  Inquiry inquiry{random_->Next(), std::move(wish), step.in_ms(options_.replica_timeout_ms), {}};
  HearAsk ask;
  ask.request = inquiry.request;
  std::string nodes;
  for (const NodeId node : gone) PutFixed64(&nodes, node);
  ask.nodes = nodes;
  for (const Member& member : state_.members) {
    if (member.id == self() || IsDown(member.id)) continue;
    inquiry.silent.push_back(member.id);
    Say(step, member.id, false, ask);
  }
  if (inquiry.silent.empty()) return EndInquiry(step, std::move(inquiry), 0, 0);
  inquiries_.push_back(std::move(inquiry));
}

void Membership::On(Step step, NodeId from, const HearAsk& message) {
  std::vector<NodeId> nodes;
  Reader in(message.nodes);
  while (in.ok() && !in.done()) nodes.push_back(in.Fixed64());
  if (!in.ok() || !ready()) return;
  Say(step, from, true, HearAnswer{message.request, HeardHere(nodes)});
}

void Membership::On(Step step, NodeId from, const HearAnswer& message) {
  const auto at = std::find_if(inquiries_.begin(), inquiries_.end(), [&](const Inquiry& inquiry) {
    return inquiry.request == message.request;
  });
  if (at == inquiries_.end()) return;
  std::erase(at->silent, from);
  if (message.heard == 0 && !at->silent.empty()) return;
  Inquiry inquiry = std::move(*at);
  inquiries_.erase(at);
  EndInquiry(step, std::move(inquiry), message.heard, from);
}

void Membership::EndInquiry(Step step, Inquiry inquiry, NodeId heard, NodeId by) {
  if (heard != 0) return Drop(step, inquiry.wish, StillHeard(heard, by));
  AddWish(std::move(inquiry.wish));
  Propose(step);
}

void Membership::ExpireInquiries(Step step) {
  for (size_t i = 0; i < inquiries_.size();) {
    if (step.now.mono_us < inquiries_[i].deadline_us) {
      ++i;
      continue;
    }
    Inquiry inquiry = std::move(inquiries_[i]);
    inquiries_.erase(inquiries_.begin() + static_cast<ptrdiff_t>(i));
    EndInquiry(step, std::move(inquiry), 0, 0);
  }
}

// A majority is gone for good: the rest are a ring of their own from now on. Whoever is away and
// not given up could be in both.
void Membership::Force(Step step, const Wish& wish) {
  for (const NodeId node : down_) {
    if (std::find(wish.nodes.begin(), wish.nodes.end(), node) != wish.nodes.end()) continue;
    return Drop(step, wish,
                {ErrorCode::kInvalid, fmt::format("node {} does not answer either: name it as well",
                                                  FormatNodeId(node))});
  }
  uint64_t ring = 0;
  while (ring == 0) ring = random_->Next();
  Result<ClusterState> next = WithForced(state_, wish.nodes, ring, {self(), step.now.wall_ms});
  if (!next) return Drop(step, wish, next.error());
  Log(step, LogLevel::kWarning,
      fmt::format("ring {:016x} is made by force of ring {:016x}", ring, state_.ring_id));
  Adopt(step, *std::move(next));
  for (const Member& member : state_.members) {
    if (member.id != self()) PushState(step, member.id, false, false);
  }
  step.effects->answers.push_back({*wish.client_op_id, 0, Done{}});
}

}  // namespace cartwheel
