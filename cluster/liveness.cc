#include "cluster/liveness.h"

#include <algorithm>
#include <utility>

namespace cartwheel {

void Liveness::SetMembers(const std::vector<Member>& members, int64_t mono_us) {
  std::vector<Peer> peers;
  for (const Member& member : members) {
    if (member.id == self_) continue;
    const Peer* known = Find(member.id);
    peers.push_back(known != nullptr ? *known : Peer{member.id, mono_us, 0, false, false, true});
  }
  peers_ = std::move(peers);
}

void Liveness::Heard(NodeId peer, int64_t mono_us) {
  Peer* known = Find(peer);
  if (known == nullptr) return;
  known->heard_us = mono_us;
  known->silent = false;
}

void Liveness::Answered(NodeId peer, int64_t mono_us) {
  Peer* known = Find(peer);
  if (known == nullptr) return;
  known->heard_us = mono_us;
  known->silent = false;
  known->suspect = false;
}

void Liveness::Suspect(NodeId peer) {
  Peer* known = Find(peer);
  if (known != nullptr) known->suspect = true;
}

bool Liveness::IsAlive(NodeId peer) const {
  if (peer == self_) return true;
  const Peer* known = Find(peer);
  return known != nullptr && !known->suspect && !known->silent;
}

void Liveness::Expire(int64_t mono_us) {
  for (Peer& peer : peers_) {
    if (mono_us - peer.heard_us > node_timeout_us_) peer.silent = true;
  }
}

std::vector<Liveness::Transition> Liveness::TakeTransitions() {
  std::vector<Transition> transitions;
  for (Peer& peer : peers_) {
    const bool alive = !peer.suspect && !peer.silent;
    if (alive == peer.reported_alive) continue;
    peer.reported_alive = alive;
    transitions.push_back({peer.id, alive});
  }
  return transitions;
}

void Liveness::Forgive(int64_t us) {
  for (Peer& peer : peers_) peer.heard_us += us;
}

std::vector<NodeId> Liveness::ToProbe(int64_t mono_us) {
  std::vector<NodeId> due;
  for (Peer& peer : peers_) {
    const bool wanted = peer.suspect || mono_us - peer.heard_us >= node_timeout_us_ / 3;
    if (!wanted || mono_us - peer.probed_us < node_timeout_us_ / 6) continue;
    peer.probed_us = mono_us;
    due.push_back(peer.id);
  }
  return due;
}

const Liveness::Peer* Liveness::Find(NodeId id) const {
  const auto it = std::lower_bound(peers_.begin(), peers_.end(), id,
                                   [](const Peer& peer, NodeId key) { return peer.id < key; });
  return it != peers_.end() && it->id == id ? &*it : nullptr;
}

Liveness::Peer* Liveness::Find(NodeId id) {
  return const_cast<Peer*>(std::as_const(*this).Find(id));
}

}  // namespace cartwheel
