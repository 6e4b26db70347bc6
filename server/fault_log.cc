#include "server/fault_log.h"

#include <fmt/format.h>

namespace cartwheel {
namespace {

struct Fault {
  std::string_view counter;
  std::string_view what;
};

constexpr Fault kFaults[] = {
    {"busy-refusals", "commands got -BUSY: what waits here stays older than 50 ms"},
    {"timeouts-widened", "deadlines put off, because this node was late itself"},
    {"links-lost", "links to and from other nodes ended that had been up"},
    {"clock-skew-refused", "versions of a peer whose clock is past max-clock-skew: not followed"},
    {"clock-amnesia", "copies of which others knew more of this node's writes than its own disk"},
    {"hints-refused", "writes for other nodes refused: hints-max-bytes is reached"},
    {"hints-given-up", "hints given up, too old or too many: W replicas hold them"},
    {"mints-too-late", "writes refused that had waited too long on their way here"},
    {"updates-too-late", "updates refused that had waited too long on their way here"},
    {"merges-too-late", "copies refused that had waited too long on their way here"},
    {"updates-refused", "updates of peers refused: too many are in flight here"},
    {"frames-dropped",
     "messages to peers dropped: there is no link, or the disk of this node is late"},
    {"messages-bad", "messages of peers that make no sense"},
    {"no-quorum", "operations that too few nodes answered"},
    {"reads-behind", "reads answered by nodes that may have lost something, for want of others"},
};

}  // namespace

std::vector<std::string> FaultLog::Note(int64_t now_us, const std::vector<Counter>& counters) {
  std::vector<std::string> lines;
  for (const auto& [name, count] : counters) {
    for (const Fault& fault : kFaults) {
      if (fault.counter != name) continue;
      Told& told = told_[fault.counter];
      if (count == told.count || now_us - told.at_us < kPauseUs) continue;
      lines.push_back(fmt::format("{} {} ({})", count - told.count, fault.what, fault.counter));
      told = {count, now_us};
    }
  }
  return lines;
}

}  // namespace cartwheel
