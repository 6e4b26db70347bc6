#include "redis-tests/status_poller.h"

#include <chrono>

#include "redis-tests/chaos_worker.h"
#include "redis-tests/redis_client.h"
#include "redis-tests/replies.h"

namespace cartwheel::chaos {
namespace {

constexpr int64_t kTimeoutMs = 1000;
constexpr auto kGap = std::chrono::milliseconds(50);

}  // namespace

StatusPoller::StatusPoller(const std::vector<int>& ports, QuorumWatch* watch) : watch_(watch) {
  for (size_t i = 0; i < ports.size(); ++i) {
    threads_.emplace_back([this, i, port = ports[i]] { Poll(i, port); });
  }
}

StatusPoller::~StatusPoller() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
}

void StatusPoller::Poll(size_t node, int port) {
  RedisClient client(port, kTimeoutMs);
  for (uint64_t connection = 0; !stopping_; std::this_thread::sleep_for(kGap)) {
    StatusPoll poll;
    poll.connection = connection;
    poll.began_us = NowUs();
    const Reply reply = client.Call({"DYN.STATUS"});
    poll.ended_us = NowUs();
    if (reply == nullptr) ++connection;
    if (reply != nullptr && ParseStatus(*reply, &poll)) watch_->Add(node, poll);
  }
}

}  // namespace cartwheel::chaos
