// Liveness: this node's opinion of who is alive. Local, never gossiped (Dynamo, section 4.8.3). Any
// word from a peer is life; none for node-timeout, a lost link, or a request of ours that was not
// answered in time is not. After the last two only an answer to our own request or probe counts as
// life again, so that a link that is cut one way does not flap.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/cluster_state.h"
#include "cluster/types.h"

namespace cartwheel {

class Liveness {
 public:
  Liveness(NodeId self, int64_t node_timeout_us) : self_(self), node_timeout_us_(node_timeout_us) {}

  // New members are taken for alive until node-timeout has passed.
  void SetMembers(const std::vector<Member>& members, int64_t mono_us);

  void Heard(NodeId peer, int64_t mono_us);     // any word
  void Answered(NodeId peer, int64_t mono_us);  // an answer to our own request or probe
  void Suspect(NodeId peer);                    // a request timed out, or its link was lost

  bool IsAlive(NodeId peer) const;
  // Silence ends a life: to be called now and then.
  void Expire(int64_t mono_us);
  // We were stopped ourselves for `us`: nobody else was silent in that time.
  void Forgive(int64_t us);

  // Who is alive now and was not at the last call, or the other way round.
  struct Transition {
    NodeId id;
    bool alive;
  };
  std::vector<Transition> TakeTransitions();

  // Peers that want a probe: not heard of for a third of node-timeout, or suspect.
  std::vector<NodeId> ToProbe(int64_t mono_us);

 private:
  struct Peer {
    NodeId id;
    int64_t heard_us;
    int64_t probed_us;
    bool suspect;
    bool silent;
    bool reported_alive;
  };

  Peer* Find(NodeId id);
  const Peer* Find(NodeId id) const;

  NodeId self_;
  int64_t node_timeout_us_;
  std::vector<Peer> peers_;  // by id
};

}  // namespace cartwheel
