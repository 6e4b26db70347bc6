#include "server/file_limit.h"

#include <sys/resource.h>

#include <algorithm>

namespace cartwheel {
namespace {

// Listeners, links to peers, log segments, LMDB, the log file.
constexpr rlim_t kOwnFiles = 128;

}  // namespace

uint32_t RaiseFileLimit(uint32_t clients) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return clients;
  const rlim_t wanted = clients + kOwnFiles;
  if (limit.rlim_cur < wanted) {
    rlimit raised = limit;
    raised.rlim_cur = wanted;
    raised.rlim_max = std::max(limit.rlim_max, wanted);
    // Without privileges the hard limit stays what it is.
    if (setrlimit(RLIMIT_NOFILE, &raised) != 0) {
      raised.rlim_cur = raised.rlim_max = limit.rlim_max;
      setrlimit(RLIMIT_NOFILE, &raised);
    }
    getrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur >= wanted) return clients;
  return limit.rlim_cur > kOwnFiles ? static_cast<uint32_t>(limit.rlim_cur - kOwnFiles) : 1;
}

}  // namespace cartwheel
