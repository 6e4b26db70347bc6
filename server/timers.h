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
  // Names a timer until it has run; 0 is none.
  using Id = uint64_t;

  Id Add(int64_t due_us, std::function<void()> run) {
    timers_.emplace(std::pair(due_us, ++last_), std::move(run));
    due_.emplace(last_, due_us);
    return last_;
  }
  // Nothing when it has run or was cancelled.
  void Cancel(Id id) {
    const auto found = due_.find(id);
    if (found == due_.end()) return;
    timers_.erase({found->second, id});
    due_.erase(found);
  }
  // In mono_us; INT64_MAX when there is none.
  int64_t NextDue() const { return timers_.empty() ? INT64_MAX : timers_.begin()->first.first; }
  void RunDue(int64_t now_us) {
    while (NextDue() <= now_us) {
      auto timer = timers_.extract(timers_.begin());
      due_.erase(timer.key().second);
      timer.mapped()();
    }
  }
  size_t size() const { return timers_.size(); }

 private:
  std::map<std::pair<int64_t, Id>, std::function<void()>> timers_;
  std::map<Id, int64_t> due_;
  Id last_ = 0;
};

}  // namespace cartwheel
