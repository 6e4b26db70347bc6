// FrameReader: a frame's fields, as the node on the other side reads them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "protocol/request_parser.h"

namespace cartwheel {

class FrameReader {
 public:
  explicit FrameReader(std::string_view frame) : parser_(ParserLimits{}) {
    while (!frame.empty()) {
      const std::span<char> space = parser_.Prepare();
      const size_t bytes = std::min(space.size(), frame.size());
      std::copy_n(frame.begin(), bytes, space.begin());
      parser_.Commit(bytes);
      frame.remove_prefix(bytes);
      const bool whole = parser_.Next() == RequestParser::Outcome::kCommand;
      EXPECT_EQ(whole, frame.empty());
    }
  }
  std::span<const std::string_view> fields() const { return parser_.arguments(); }

 private:
  RequestParser parser_;
};

}  // namespace cartwheel
