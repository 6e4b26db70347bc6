// SlowLog: the last commands that took longer than slowlog-log-slower-than, for SLOWLOG.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace cartwheel {

struct SlowCommand {
  int64_t id = 0;  // grows, over RESET too
  int64_t wall_s = 0;
  int64_t duration_us = 0;
  std::vector<std::string> words;  // cut (server/shown_words.h), and secrets hidden
  std::string address;             // of the client
  std::string name;
};

class SlowLog {
 public:
  // Numbers the entry; the oldest go while there are more than `most`.
  void Add(SlowCommand command, uint64_t most) {
    command.id = next_id_++;
    commands_.push_front(std::move(command));
    while (commands_.size() > most) commands_.pop_back();
  }
  void Clear() { commands_.clear(); }
  // The newest first.
  const std::deque<SlowCommand>& commands() const { return commands_; }

 private:
  std::deque<SlowCommand> commands_;
  int64_t next_id_ = 0;
};

}  // namespace cartwheel
