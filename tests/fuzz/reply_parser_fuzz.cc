// ReplyParser: any bytes, fed whole and fed in small reads, must give the same replies and the same
// error. The first byte chooses the length of the reads.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "protocol/reply_parser.h"

namespace {

using cartwheel::Reply;
using cartwheel::ReplyParser;

struct Said {
  std::vector<Reply> replies;
  std::string error;
};

Said Parse(std::string_view bytes, size_t read_bytes) {
  ReplyParser parser;
  Said said;
  while (!bytes.empty()) {
    parser.Feed(bytes.substr(0, read_bytes));
    bytes.remove_prefix(std::min(read_bytes, bytes.size()));
    for (;;) {
      Reply reply;
      const ReplyParser::Outcome outcome = parser.Next(&reply);
      if (outcome == ReplyParser::Outcome::kNeedMore) break;
      if (outcome == ReplyParser::Outcome::kError) {
        said.error = parser.error();
        return said;
      }
      said.replies.push_back(std::move(reply));
    }
  }
  return said;
}

// As operator==, but a NaN equals itself.
bool Same(const Reply& a, const Reply& b) {
  const bool numbers = a.number == b.number || (std::isnan(a.number) && std::isnan(b.number));
  return numbers && a.type == b.type && a.integer == b.integer && a.text == b.text &&
         std::equal(a.elements.begin(), a.elements.end(), b.elements.begin(), b.elements.end(),
                    Same);
}

bool Same(const Said& a, const Said& b) {
  return a.error == b.error &&
         std::equal(a.replies.begin(), a.replies.end(), b.replies.begin(), b.replies.end(),
                    [](const Reply& x, const Reply& y) { return Same(x, y); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Said whole = Parse(bytes, bytes.size());
  CHECK(Same(Parse(bytes, 1), whole));
  CHECK(Same(Parse(bytes, size_t{data[0]} + 2), whole));
  return 0;
}
