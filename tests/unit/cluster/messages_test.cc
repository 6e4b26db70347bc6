#include "cluster/messages.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/random.h"
#include "protocol/request_parser.h"

namespace cartwheel {
namespace {

// The fields of a frame as the driver would hand them over.
class Fields {
 public:
  explicit Fields(std::string_view frame) {
    while (!frame.empty()) {
      const auto space = parser_.Prepare();
      const size_t bytes = std::min(space.size(), frame.size());
      std::memcpy(space.data(), frame.data(), bytes);
      parser_.Commit(bytes);
      frame.remove_prefix(bytes);
    }
    EXPECT_EQ(parser_.Next(), RequestParser::Outcome::kCommand);
  }
  std::span<const std::string_view> get() const { return parser_.arguments(); }

 private:
  RequestParser parser_{ParserLimits{}};
};

std::vector<DataMessage> Samples() {
  UpdateRequest update;
  update.request = 8;
  update.r = 2;
  update.w = 3;
  update.db = 4;
  update.update = {UpdateKind::kIncrement, kIfAbsent | kKeepTtl, "bytes", -7, 1'700'000'000'000};
  update.key = "key";
  UpdateResponse updated;
  updated.request = 9;
  updated.status = UpdateStatus::kNoQuorum;
  updated.which = 'W';
  updated.needed = 2;
  updated.answered = 1;
  updated.result = {UpdateResult::Type::kInteger, INT64_MIN, "text"};
  ScanResponse scanned;
  scanned.request = 11;
  scanned.next = kCursorEnd;
  scanned.entries = {{"a", "object"}, {std::string_view("\0b", 2), ""}};
  return {
      ReadRequest{1, 2, UINT64_MAX, 15, "key"},
      ReadResponse{1, ReadStatus::kObject, "object"},
      ReadResponse{1, ReadStatus::kSame, {}},
      CompareRequest{2, 3, 0xffffffffffffffffULL, 1, std::string_view("\r\n\0", 3)},
      MintRequest{3, 4, 5, true, Kind::kTombstone, -1, 6, "key", "context", ""},
      MintResponse{6, MintStatus::kTooMany, "", "why"},
      MergeRequest{7, 8, true, 9, "key", std::string_view("\0\1\2", 3)},
      MergeResponse{8, true},
      update,
      updated,
      ScanRequest{10, 1, 2, kCursorEnd - 1, 16383, 10},
      scanned,
      CountRequest{12, 13, 14, "partitions"},
      CountResponse{15, 16},
      Ping{17, 18},
      Pong{19},
  };
}

TEST(MessagesTest, EveryMessageReadsBackAsItWasWritten) {
  for (const DataMessage& message : Samples()) {
    const std::string frame = Encode(message);
    const Fields fields(frame);
    const auto decoded = DecodeData(fields.get());
    ASSERT_TRUE(decoded.has_value()) << message.index();
    EXPECT_EQ(decoded->index(), message.index());
    EXPECT_EQ(Encode(*decoded), frame) << message.index();
  }
}

TEST(MessagesTest, TrailingFieldsAndNumbersAreIgnored) {
  for (const DataMessage& message : Samples()) {
    const std::string frame = Encode(message);
    const Fields fields(frame);
    const std::string head = std::string(fields.get()[0]) + '\x05';
    std::vector<std::string_view> longer(fields.get().begin(), fields.get().end());
    longer[0] = head;
    longer.push_back("from a later version");
    const auto decoded = DecodeData(longer);
    ASSERT_TRUE(decoded.has_value()) << message.index();
    EXPECT_EQ(Encode(*decoded), frame) << message.index();
  }
}

TEST(MessagesTest, ShortFramesAreRefused) {
  for (const DataMessage& message : Samples()) {
    const std::string frame = Encode(message);
    const Fields fields(frame);
    for (size_t length = 0; length < fields.get()[0].size(); ++length) {
      std::vector<std::string_view> cut(fields.get().begin(), fields.get().end());
      cut[0] = cut[0].substr(0, length);
      EXPECT_FALSE(DecodeData(cut).has_value()) << message.index() << " at " << length;
    }
    if (fields.get().size() > 1) {
      EXPECT_FALSE(DecodeData(fields.get().first(fields.get().size() - 1)).has_value());
    }
  }
}

TEST(MessagesTest, RandomDamageIsRefusedOrReadButNeverMore) {
  Random random(1);
  for (int round = 0; round < 20000; ++round) {
    const auto samples = Samples();
    const std::string frame = Encode(samples[random.Below(samples.size())]);
    const Fields fields(frame);
    std::vector<std::string> damaged(fields.get().begin(), fields.get().end());
    std::string& field = damaged[random.Below(damaged.size())];
    if (!field.empty()) field[random.Below(field.size())] = static_cast<char>(random.Next());
    const std::vector<std::string_view> views(damaged.begin(), damaged.end());
    const auto decoded = DecodeData(views);
    EXPECT_TRUE(!decoded || !Encode(*decoded).empty());
  }
}

TEST(MessagesTest, AnUnknownTypeIsSaidToBe) {
  const std::string_view head("\x7f\x01", 2);
  const std::string_view fields[] = {head};
  EXPECT_EQ(FrameType(fields), 0x7f);
  EXPECT_FALSE(DecodeData(fields).has_value());
  EXPECT_EQ(FrameType({}), 0);
}

}  // namespace
}  // namespace cartwheel
