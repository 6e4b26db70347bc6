#include "cluster/messages.h"

#include <gtest/gtest.h>

#include <optional>
#include <variant>

#include "base/random.h"
#include "tests/unit/cluster/frame_reader.h"

namespace cartwheel {
namespace {

using AnyMessage =
    std::variant<ReadRequest, ReadResponse, CompareRequest, MintRequest, MintResponse, MergeRequest,
                 MergeResponse, UpdateRequest, UpdateResponse, ScanRequest, ScanResponse,
                 CountRequest, CountResponse, Ping, Pong, HoldsRequest, HoldsResponse,
                 LeavesRequest, LeavesResponse, ReapRequest, ReapResponse, ReapCommit, TreeRequest,
                 TreeResponse, FetchRequest, TransferRequest, TransferResponse, MotionReport,
                 Publish>;

std::string FrameOf(const AnyMessage& message) {
  std::string frame;
  std::visit([&](const auto& m) { Encode(m, &frame); }, message);
  return frame;
}

// What was read from the fields, written again; nothing when they are refused.
std::optional<std::string> ReadAndWrite(Fields fields) {
  std::string frame;
  const Decoding decoding =
      DecodeData(fields, [&](const auto& message) { Encode(message, &frame); });
  if (decoding != Decoding::kDone) return std::nullopt;
  return frame;
}

std::vector<AnyMessage> Samples() {
  UpdateRequest update;
  update.request = 8;
  update.r = 2;
  update.w = 3;
  update.db = 4;
  update.stamp = {5, 6};
  update.update = {UpdateKind::kIncrement, kIfAbsent | kKeepTtl, "bytes", -7, 1'700'000'000'000};
  update.key = "key";
  UpdateResponse updated;
  updated.request = 9;
  updated.status = UpdateStatus::kNoQuorum;
  updated.which = 'W';
  updated.needed = 2;
  updated.answered = 1;
  updated.sloppy = true;
  updated.placement = 303;
  updated.result = {UpdateResult::Type::kInteger, INT64_MIN, "text", true};
  ScanResponse scanned;
  scanned.request = 11;
  scanned.next = kCursorEnd;
  scanned.placement = 304;
  scanned.entries = {{"a", "object"}, {std::string_view("\0b", 2), ""}};
  return {
      Publish{4, true, "channel", std::string_view("\0m", 2)},
      ReadRequest{1, 2, UINT64_MAX, true, 15, "key"},
      ReadResponse{1, ReadStatus::kObject, true, 300, "object"},
      ReadResponse{1, ReadStatus::kSame, false, 0, {}},
      CompareRequest{2, 3, 0xffffffffffffffffULL, 1, std::string_view("\r\n\0", 3)},
      MintRequest{3,
                  4,
                  5,
                  true,
                  false,
                  255,
                  Kind::kTombstone,
                  -1,
                  250'000,
                  UINT64_MAX,
                  6,
                  {7, -8},
                  "key",
                  "context",
                  "12345678",
                  ""},
      MintResponse{6, MintStatus::kTooMany, false, 301, "", "why"},
      MergeRequest{7, 8, true, false, true, 3, {4, 5}, 9, "key", std::string_view("\0\1\2", 3)},
      MergeRequest{7, 8, false, true, false, 0, {4, 5}, 9, "key", ""},
      MergeResponse{8, true, 302},
      update,
      updated,
      ScanRequest{10, 1, 2, kCursorEnd - 1, 16383, 10},
      scanned,
      CountRequest{12, 13, 14, "partitions"},
      CountResponse{15, 305, "\x10\x01"},
      Ping{17, 18, {19, 20}},
      Pong{19},
      HoldsRequest{20, 21, 22, "key", "context"},
      HoldsResponse{23, true, 306},
      LeavesRequest{31, 32, "leaves"},
      LeavesResponse{33, 34, std::string_view("\0\1", 2)},
      ReapRequest{24, 25, "entries"},
      ReapResponse{26, std::string_view("\0\1", 2)},
      ReapCommit{28, {29, 30}, "entries"},
      TreeRequest{21, 22, TreeLevel::kLeaf, true, 307, {kSlotCount - 1, UINT64_MAX, 3}, "entries"},
      TreeResponse{23, TreeStatus::kHere, true, {1, 2, 3}, "groups"},
      TreeResponse{23, TreeStatus::kBusy, false, {}, {}},
      FetchRequest{24, 25, 308, "positions"},
      TransferRequest{26, 27, 28, {5, 6, 7}, 29, "slots"},
      TransferResponse{29, TransferStatus::kGiven, true, true, {5, 6, 7}, "objects"},
      TransferResponse{29, TransferStatus::kLater, false, false, {}, {}},
      MotionReport{30, 31},
  };
}

TEST(MessagesTest, EveryMessageReadsBackAsItWasWritten) {
  for (const AnyMessage& message : Samples()) {
    const std::string frame = FrameOf(message);
    const FrameReader reader(frame);
    EXPECT_EQ(ReadAndWrite(reader.fields()), frame) << message.index();
  }
}

TEST(MessagesTest, TrailingFieldsAndNumbersAreIgnored) {
  for (const AnyMessage& message : Samples()) {
    const std::string frame = FrameOf(message);
    const FrameReader reader(frame);
    const std::string head = std::string(reader.fields()[0]) + '\x05';
    std::vector<std::string_view> longer(reader.fields().begin(), reader.fields().end());
    longer[0] = head;
    longer.push_back("from a later version");
    EXPECT_EQ(ReadAndWrite(longer), frame) << message.index();
  }
}

TEST(MessagesTest, ShortFramesAreRefused) {
  for (const AnyMessage& message : Samples()) {
    const std::string frame = FrameOf(message);
    const FrameReader reader(frame);
    for (size_t length = 0; length < reader.fields()[0].size(); ++length) {
      std::vector<std::string_view> cut(reader.fields().begin(), reader.fields().end());
      cut[0] = cut[0].substr(0, length);
      EXPECT_FALSE(ReadAndWrite(cut).has_value()) << message.index() << " at " << length;
    }
    if (reader.fields().size() > 1) {
      EXPECT_FALSE(ReadAndWrite(reader.fields().first(reader.fields().size() - 1)).has_value());
    }
  }
}

TEST(MessagesTest, RandomDamageIsRefusedOrReadButNeverMore) {
  Random random(1);
  for (int round = 0; round < 20000; ++round) {
    const auto samples = Samples();
    const std::string frame = FrameOf(samples[random.Below(samples.size())]);
    const FrameReader reader(frame);
    std::vector<std::string> damaged(reader.fields().begin(), reader.fields().end());
    std::string& field = damaged[random.Below(damaged.size())];
    if (!field.empty()) field[random.Below(field.size())] = static_cast<char>(random.Next());
    const std::vector<std::string_view> views(damaged.begin(), damaged.end());
    EXPECT_NE(ReadAndWrite(views), "");
  }
}

TEST(MessagesTest, AnUnknownTypeIsSaidToBe) {
  const std::string_view head("\x7f\x01", 2);
  const std::string_view fields[] = {head};
  EXPECT_EQ(FrameType(fields), 0x7f);
  EXPECT_FALSE(ReadAndWrite(fields).has_value());
  EXPECT_EQ(FrameType({}), 0);
}

}  // namespace
}  // namespace cartwheel
