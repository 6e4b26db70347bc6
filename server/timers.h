// Timers: what the server wants done later, on the loop's thread: CLIENT PAUSE's end, WAIT's next
// look. The driver runs what is due (it asks NextDue when it arms its own timer).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace cartwheel {

class Timers {
 public:
  void Add(int64_t due_us, std::function<void()> run) { timers_.emplace(due_us, std::move(run)); }
  // In mono_us; INT64_MAX when there is none.
  int64_t NextDue() const { return timers_.empty() ? INT64_MAX : timers_.begin()->first; }
  void RunDue(int64_t now_us) {
    while (NextDue() <= now_us) timers_.extract(timers_.begin()).mapped()();
  }

 private:
  std::multimap<int64_t, std::function<void()>> timers_;
};

}  // namespace cartwheel
