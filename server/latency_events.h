// LatencyEvents: what took longer than latency-monitor-threshold, by kind, for LATENCY. The kinds
// are Redis's "command" and "fast-command" (one that should take constant time).
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

namespace cartwheel {

struct LatencyEvent {
  struct Sample {
    int64_t wall_s = 0;
    int64_t ms = 0;
  };
  static constexpr size_t kMostSamples = 160;

  std::deque<Sample> samples;  // the oldest first, never empty
  int64_t most_ms = 0;         // of all there ever were
};

class LatencyEvents {
 public:
  // Of one second the longest is kept.
  void Add(std::string_view kind, int64_t wall_s, int64_t ms) {
    auto found = events_.find(kind);
    if (found == events_.end()) found = events_.emplace(kind, LatencyEvent()).first;
    LatencyEvent& event = found->second;
    event.most_ms = std::max(event.most_ms, ms);
    if (!event.samples.empty() && event.samples.back().wall_s == wall_s) {
      event.samples.back().ms = std::max(event.samples.back().ms, ms);
      return;
    }
    event.samples.push_back({wall_s, ms});
    if (event.samples.size() > LatencyEvent::kMostSamples) event.samples.pop_front();
  }
  // How many kinds went.
  size_t Clear() {
    const size_t count = events_.size();
    events_.clear();
    return count;
  }
  size_t Clear(std::string_view kind) {
    const auto found = events_.find(kind);
    if (found == events_.end()) return 0;
    events_.erase(found);
    return 1;
  }
  const LatencyEvent* Find(std::string_view kind) const {
    const auto found = events_.find(kind);
    return found == events_.end() ? nullptr : &found->second;
  }
  const std::map<std::string, LatencyEvent, std::less<>>& events() const { return events_; }

 private:
  std::map<std::string, LatencyEvent, std::less<>> events_;
};

}  // namespace cartwheel
