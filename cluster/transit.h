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
    Sender& sender = senders_[from];
    // A peer that was made anew with a clock that is behind is heard again after a while.
    const bool quiet = now_us - sender.heard_us >= kWindowUs;
    if (stamp.run < sender.run && !quiet) return kTooOld;
    const int64_t took = now_us - stamp.sent_us;
    if (stamp.run != sender.run) sender = {stamp.run, now_us, now_us, took, took};
    sender.heard_us = now_us;
    if (now_us - sender.window_us >= kWindowUs) {
      sender.window_us = now_us;
      sender.least_before = sender.least;
      sender.least = took;
    }
    sender.least = std::min(sender.least, took);
    return took - std::min(sender.least, sender.least_before);
  }

 private:
  // Clocks drift apart, by some tenths of a millisecond a second: what was least is forgotten after
  // two of these.
  static constexpr int64_t kWindowUs = 10'000'000;

  struct Sender {
    uint64_t run = 0;
    int64_t heard_us = 0;
    int64_t window_us = 0;  // since when `least` is
    int64_t least = 0;
    int64_t least_before = 0;  // of the window before
  };
  absl::flat_hash_map<NodeId, Sender> senders_;
};

}  // namespace cartwheel
