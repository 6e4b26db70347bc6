// StatusPoller: asks every node for DYN.STATUS all the while, each in a thread of its own, and
// tells a QuorumWatch.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "redis-tests/quorum_watch.h"

namespace cartwheel::chaos {

class StatusPoller {
 public:
  StatusPoller(const std::vector<int>& ports, QuorumWatch* watch);
  ~StatusPoller();
  StatusPoller(const StatusPoller&) = delete;
  StatusPoller& operator=(const StatusPoller&) = delete;

 private:
  void Poll(size_t node, int port);

  QuorumWatch* watch_;
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace cartwheel::chaos
