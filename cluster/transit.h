// Transit: how long a peer's request was on its way, without clocks that agree. Every sender names
// its own monotonic time; the least difference between that and our own, over the last seconds, is
// the clocks' offset and the fastest way there was. What a request took beyond that it spent
// waiting: in a queue, in a cut link, or here, while this process stood still. A link that is slow
// for longer than that memory looks fast again, so the memory is long; clocks that drift apart in
// it are allowed for.
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
  // run of the sender that is over. The first message of a run sets what is fast: the opening of
  // its first connection (Node::Opening).
  static constexpr int64_t kTooOld = INT64_MAX;
  int64_t Waited(NodeId from, const Stamp& stamp, int64_t now_us) {
    Sender& sender = senders_[from];
    // A peer that was made anew with a clock that is behind is heard again after a while.
    const int64_t silent_us = now_us - sender.heard_us;
    if (stamp.run < sender.run && silent_us < kQuietUs) return kTooOld;
    const int64_t took = now_us - stamp.sent_us;
    if (stamp.run != sender.run) sender = {stamp.run, now_us, now_us, took, now_us, took, now_us};
    sender.heard_us = now_us;
    if (now_us - sender.window_us >= kWindowUs) {
      sender.window_us = now_us;
      sender.least_before = sender.least;
      sender.least_before_us = sender.least_us;
      sender.least = took;
      sender.least_us = now_us;
    }
    const auto by_now = [now_us](int64_t least, int64_t at_us) {
      return least + (now_us - at_us) * kDriftUsPerSecond / 1'000'000;
    };
    if (took <= by_now(sender.least, sender.least_us)) {
      sender.least = took;
      sender.least_us = now_us;
    }
    return took - std::min({took, by_now(sender.least, sender.least_us),
                            by_now(sender.least_before, sender.least_before_us)});
  }

 private:
  // What was least is forgotten after two of these: a sender's clock stands still with its machine.
  static constexpr int64_t kWindowUs = 60'000'000;
  static constexpr int64_t kQuietUs = 10'000'000;
  // Clocks drift apart by half a millisecond a second at most: more, nobody slews them.
  static constexpr int64_t kDriftUsPerSecond = 500;

  struct Sender {
    uint64_t run = 0;
    int64_t heard_us = 0;
    int64_t window_us = 0;  // since when `least` is
    int64_t least = 0;
    int64_t least_us = 0;      // when that was
    int64_t least_before = 0;  // of the window before
    int64_t least_before_us = 0;
  };
  absl::flat_hash_map<NodeId, Sender> senders_;
};

}  // namespace cartwheel
