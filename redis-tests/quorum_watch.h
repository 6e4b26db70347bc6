// QuorumWatch: what the nodes' counters say about which operations kept the promise of R + W > N,
// that a read meets every write acknowledged before. It holds where both quorums were of the key's
// N; a fallback that takes part in either may break it, and no reply tells. But the node that
// carried the operation out counts it in DYN.STATUS: while sloppy-reads and sloppy-writes stand
// still there, none of its operations was one. And once every node has shown no hints after a write
// was acknowledged, W of the N hold it however it began.
//
// Polls come in from one thread for each node; what they mean is asked by others.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "redis-tests/history.h"

namespace cartwheel::chaos {

// An answered DYN.STATUS.
struct StatusPoll {
  int64_t began_us = 0;
  int64_t ended_us = 0;
  uint64_t connection = 0;  // another one: the node may be another process
  uint64_t sloppy_reads = 0;
  uint64_t sloppy_writes = 0;
  uint64_t hints_pending = 0;
};

class QuorumWatch {
 public:
  explicit QuorumWatch(size_t nodes) : nodes_(nodes) {}

  void Add(size_t node, const StatusPoll& poll);

  // From when on no node keeps a hint that was there at `us`; nothing when that is not known yet.
  std::optional<int64_t> DrainedAfter(int64_t us) const;
  // Sets what the checker wants to know of each read and write.
  void Judge(KeyHistory* history) const;

 private:
  // From the end of one poll to the beginning of another that showed the same count.
  struct Span {
    int64_t from_us;
    int64_t until_us;
  };
  struct Node {
    std::optional<StatusPoll> last;
    std::vector<Span> strict_reads;
    std::vector<Span> strict_writes;
    std::vector<Span> drained;  // polls that showed no hints, from begin to end
  };

  static bool Within(const std::vector<Span>& spans, int64_t began_us, int64_t ended_us);
  std::optional<int64_t> DrainedLocked(int64_t us) const;

  mutable std::mutex mutex_;
  std::vector<Node> nodes_;
};

}  // namespace cartwheel::chaos
