// CatchUp: with whom this node has compared what it holds since it was started. Until that is
// enough it leaves to others what needs a copy that is up to date:
//   - It does not mint plain writes. While it was away others did, and what it mints would not
//     cover theirs: it passes them on to the next of the preference list until it has compared with
//     the other replicas that live.
//   - After a start that may have lost writes which it had acknowledged, and when a damaged record
//     was set aside, its answers do not count towards R for a key, until it has compared with
//     N - W + 1 of the other replicas: every quorum that a write had beside this node has one of
//     them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "cluster/liveness.h"
#include "cluster/types.h"

namespace cartwheel {

class CatchUp {
 public:
  CatchUp(NodeId self, bool may_have_lost) : self_(self), may_have_lost_(may_have_lost) {}

  // Nothing that the peer had is missing here.
  void OnCompared(NodeId peer) {
    if (HasCompared(peer)) return;
    compared_.push_back(peer);
    has_news_ = true;
  }
  bool HasCompared(NodeId peer) const {
    return std::find(compared_.begin(), compared_.end(), peer) != compared_.end();
  }
  // Whether there was a first comparison with somebody since the last call.
  bool TakeNews() { return std::exchange(has_news_, false); }

  // Something that was here is gone: what was compared before counts no more.
  void Lose() {
    may_have_lost_ = true;
    compared_.clear();
  }
  bool may_have_lost() const { return may_have_lost_; }
  // Nothing is missing any more, of any key.
  void SetComplete() { may_have_lost_ = false; }

  bool IsBehind(std::span<const NodeId> replicas, size_t w) const {
    return may_have_lost_ && !HasComparedEnough(replicas, w);
  }
  bool MintsPlain(std::span<const NodeId> replicas, size_t w, const Liveness& liveness) const {
    const auto missed = [&](NodeId node) {
      return node != self_ && liveness.IsAlive(node) && !HasCompared(node);
    };
    return std::none_of(replicas.begin(), replicas.end(), missed) || HasComparedEnough(replicas, w);
  }

 private:
  bool HasComparedEnough(std::span<const NodeId> replicas, size_t w) const {
    const auto compared =
        static_cast<size_t>(std::count_if(replicas.begin(), replicas.end(), [this](NodeId node) {
          return node != self_ && HasCompared(node);
        }));
    return compared >= std::min(replicas.size() - 1, replicas.size() - w + 1);
  }

  NodeId self_;
  bool may_have_lost_;
  bool has_news_ = false;
  std::vector<NodeId> compared_;
};

}  // namespace cartwheel
