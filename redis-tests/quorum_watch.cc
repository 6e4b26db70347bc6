#include "redis-tests/quorum_watch.h"

#include <algorithm>
#include <limits>

namespace cartwheel::chaos {

void QuorumWatch::Add(size_t node, const StatusPoll& poll) {
  const std::lock_guard lock(mutex_);
  Node& state = nodes_[node];
  const auto extend = [&](std::vector<Span>* spans, uint64_t StatusPoll::*count) {
    const bool same = state.last && state.last->connection == poll.connection &&
                      (*state.last).*count == poll.*count;
    if (!same) {
      spans->push_back({poll.ended_us, poll.began_us});
    } else {
      spans->back().until_us = poll.began_us;
    }
  };
  extend(&state.strict_reads, &StatusPoll::sloppy_reads);
  extend(&state.strict_writes, &StatusPoll::sloppy_writes);
  if (poll.hints_pending == 0) state.drained.push_back({poll.began_us, poll.ended_us});
  state.last = poll;
}

std::optional<int64_t> QuorumWatch::DrainedAfter(int64_t us) const {
  const std::lock_guard lock(mutex_);
  return DrainedLocked(us);
}

std::optional<int64_t> QuorumWatch::DrainedLocked(int64_t us) const {
  int64_t all_us = us;
  for (const Node& node : nodes_) {
    const auto first =
        std::upper_bound(node.drained.begin(), node.drained.end(), us,
                         [](int64_t time_us, const Span& poll) { return time_us < poll.from_us; });
    if (first == node.drained.end()) return std::nullopt;
    all_us = std::max(all_us, first->until_us);
  }
  return all_us;
}

bool QuorumWatch::Within(const std::vector<Span>& spans, int64_t began_us, int64_t ended_us) {
  const auto after =
      std::upper_bound(spans.begin(), spans.end(), began_us,
                       [](int64_t time_us, const Span& span) { return time_us < span.from_us; });
  return after != spans.begin() && ended_us < std::prev(after)->until_us;
}

void QuorumWatch::Judge(KeyHistory* history) const {
  const std::lock_guard lock(mutex_);
  for (Write& write : history->writes) {
    const Node& node = nodes_[static_cast<size_t>(write.node)];
    write.saw_all = Within(node.strict_reads, write.began_us, write.ended_us);
    write.visible_us =
        Within(node.strict_writes, write.began_us, write.ended_us)
            ? write.ended_us
            : DrainedLocked(write.ended_us).value_or(std::numeric_limits<int64_t>::max());
  }
  for (Read& read : history->reads) {
    const Node& node = nodes_[static_cast<size_t>(read.node)];
    read.certain = Within(node.strict_reads, read.began_us, read.ended_us);
  }
}

}  // namespace cartwheel::chaos
