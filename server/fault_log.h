// FaultLog: lines in the log for faults that are only counted where they are met. Of each kind one
// line when it is first seen, and then at most one every kPauseUs, with how many there were.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/status_list.h"

namespace cartwheel {

class FaultLog {
 public:
  static constexpr int64_t kPauseUs = 10'000'000;

  // The lines that are due, by the counters as they are now.
  std::vector<std::string> Note(int64_t now_us, const std::vector<Counter>& counters);

 private:
  struct Told {
    uint64_t count = 0;
    int64_t at_us = -kPauseUs;
  };

  std::map<std::string_view, Told> told_;
};

}  // namespace cartwheel
