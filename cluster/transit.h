// Transit: how long a peer's request was on its way, without clocks that agree. Every sender names
// its own monotonic time; the least difference between that and our own, over the last seconds, is
// the clocks' offset and the fastest way there was. What a request took beyond that it spent
// waiting: in a queue, in a cut link, or here, while this process stood still.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cstdint>

#include "cluster/types.h"

namespace cartwheel {

// What a request says of when it was sent.
struct Stamp {
  uint64_t run = 0;     // of the sender: grows from start to start
  int64_t sent_us = 0;  // by its clock, which counts on through the run
};

class Transit {
 public:
  // How much longer than the fastest the message took, in microseconds; kTooOld when it is from a
  // run of the sender that is over. The first message of a run sets what is fast.
  static constexpr int64_t kTooOld = INT64_MAX;
  int64_t Waited(NodeId from, const Stamp& stamp, int64_t now_us) {
    Peer& peer = peers_[from];
    // A peer that was made anew with a clock that is behind is heard again after a while.
    const bool quiet = now_us - peer.heard_us >= kWindowUs;
    if (stamp.run < peer.run && !quiet) return kTooOld;
    const int64_t took = now_us - stamp.sent_us;
    if (stamp.run != peer.run) peer = {stamp.run, now_us, now_us, took, took};
    peer.heard_us = now_us;
    if (now_us - peer.window_us >= kWindowUs) {
      peer.window_us = now_us;
      peer.least_before = peer.least;
      peer.least = took;
    }
    peer.least = std::min(peer.least, took);
    return took - std::min(peer.least, peer.least_before);
  }

 private:
  // Clocks drift apart, by some tenths of a millisecond a second: what was least is forgotten after
  // two of these.
  static constexpr int64_t kWindowUs = 10'000'000;

  struct Peer {
    uint64_t run = 0;
    int64_t heard_us = 0;
    int64_t window_us = 0;  // since when `least` is
    int64_t least = 0;
    int64_t least_before = 0;  // of the window before
  };
  absl::flat_hash_map<NodeId, Peer> peers_;
};

}  // namespace cartwheel
