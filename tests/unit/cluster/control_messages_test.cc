#include "cluster/control_messages.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/cluster/frame_reader.h"

namespace cartwheel {
namespace {

// One of each, with something in every field.
std::vector<ControlMessage> OneOfEach() {
  SeedProbe probe;
  probe.asked = "seed:1";
  probe.node = 5;
  probe.bus_port = 17001;
  probe.host = "10.0.0.5";
  probe.ring = UINT64_MAX;
  probe.members = 3;
  probe.has_data = probe.joining = true;
  probe.replaces = 77;
  SeedAnswer answer;
  answer.asked = "seed:1";
  answer.ring = 6;
  answer.epoch = 300;
  answer.members = 4;
  answer.has_data = answer.joining = answer.candidate = true;
  answer.settings = {5, 4, 3, 1024, PlacementStrategy::kEqual, Partitioner::kMd5, 99};
  answer.refusal = "no";
  JoinRequest request;
  request.ring = 7;
  request.member.id = 8;
  request.member.host = "::1";
  request.member.zone = "rack";
  request.member.weight_thousandths = 1500;
  request.replaces = 78;
  return {Digest{1, 2, 3, true, 4},
          StatePush{true, true, "state"},
          StateAsk{true},
          Prepare{1, 2, {3, 4}},
          Promise{1, 2, {3, 4}, true, {5, 6}, {7, 8}, 9, "value"},
          Accept{1, 2, {3, 4}, "value"},
          Accepted{1, 2, {3, 4}, true, {5, 6}},
          probe,
          answer,
          request,
          JoinAnswer{JoinStatus::kOtherRing, "text", "state"},
          HearAsk{9, "nodes"},
          HearAnswer{10, UINT64_MAX}};
}

TEST(ControlMessages, SurviveTheWire) {
  uint8_t type = 30;
  for (const ControlMessage& message : OneOfEach()) {
    const std::string frame = EncodeControl(message);
    const FrameReader reader(frame);
    EXPECT_EQ(reader.fields()[0][0], static_cast<char>(type++));
    const Result<ControlMessage> decoded = DecodeControl(reader.fields());
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(decoded->index(), message.index());
    EXPECT_EQ(EncodeControl(*decoded), frame);
  }
}

TEST(ControlMessages, WhatALaterVersionAddsIsIgnored) {
  for (const ControlMessage& message : OneOfEach()) {
    const std::string frame = EncodeControl(message);
    const FrameReader reader(frame);
    std::vector<std::string_view> fields(reader.fields().begin(), reader.fields().end());
    const std::string head = std::string(fields[0]) + "\x05\x06";
    fields[0] = head;
    fields.push_back("new");
    const Result<ControlMessage> decoded = DecodeControl(fields);
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(EncodeControl(*decoded), frame);
  }
}

TEST(ControlMessages, WhatIsCutOrUnknownIsRefused) {
  for (const ControlMessage& message : OneOfEach()) {
    const std::string frame = EncodeControl(message);
    const FrameReader reader(frame);
    const std::vector<std::string_view> fields(reader.fields().begin(), reader.fields().end());
    for (size_t length = 0; length < fields[0].size(); ++length) {
      std::vector<std::string_view> cut = fields;
      cut[0] = fields[0].substr(0, length);
      EXPECT_FALSE(DecodeControl(cut).has_value());
    }
    for (size_t count = 0; count < fields.size(); ++count) {
      EXPECT_FALSE(DecodeControl(std::span(fields).first(count)).has_value());
    }
  }
  const std::vector<std::string_view> unknown = {"\x7e\x01"};
  EXPECT_FALSE(DecodeControl(unknown).has_value());
}

}  // namespace
}  // namespace cartwheel
