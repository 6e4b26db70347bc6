// RequestParser: any bytes, fed whole and fed in small reads, must give the same commands and the
// same error. The first byte chooses the limits, the second the length of the reads.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "protocol/request_parser.h"

namespace {

using cartwheel::ParserLimits;
using cartwheel::RequestParser;

// Each outcome as a list of strings: its name, then the arguments or the error.
using Outcomes = std::vector<std::vector<std::string>>;

Outcomes Parse(std::string_view bytes, size_t read_bytes, const ParserLimits& limits) {
  RequestParser parser(limits);
  Outcomes outcomes;
  while (!bytes.empty()) {
    const std::span<char> space = parser.Prepare();
    const size_t count = std::min({space.size(), bytes.size(), read_bytes});
    std::memcpy(space.data(), bytes.data(), count);
    parser.Commit(count);
    bytes.remove_prefix(count);
    for (;;) {
      const RequestParser::Outcome outcome = parser.Next();
      if (outcome == RequestParser::Outcome::kNeedMore) break;
      if (outcome == RequestParser::Outcome::kError) {
        outcomes.push_back({"error", parser.error()});
        return outcomes;
      }
      outcomes.push_back({outcome == RequestParser::Outcome::kCommand ? "command" : "too large"});
      outcomes.back().insert(outcomes.back().end(), parser.arguments().begin(),
                             parser.arguments().end());
    }
    CHECK(parser.pending_bytes() <= parser.allocated_bytes());
  }
  return outcomes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  ParserLimits limits;
  if (data[0] & 1) {
    limits.max_bulk_bytes = 16;
    limits.max_command_bytes = 40;
    limits.max_inline_bytes = 64;
    limits.max_arguments = 6;
  }
  limits.authenticated = (data[0] & 2) == 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Outcomes whole = Parse(bytes, bytes.size(), limits);
  CHECK(Parse(bytes, 1, limits) == whole);
  CHECK(Parse(bytes, size_t{data[1]} + 2, limits) == whole);
  return 0;
}
