#include "protocol/reply_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "base/random.h"
#include "protocol/reply_parser.h"

namespace cartwheel {
namespace {

std::string Written(Resp version, const std::function<void(ReplyWriter*)>& write) {
  std::string out;
  ReplyWriter writer(&out, version);
  write(&writer);
  return out;
}

TEST(ReplyWriterTest, BothVersions) {
  struct Case {
    std::function<void(ReplyWriter*)> write;
    std::string resp2;
    std::string resp3;
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::vector<Case> cases = {
      {[](ReplyWriter* w) { w->Ok(); }, "+OK\r\n", "+OK\r\n"},
      {[](ReplyWriter* w) { w->Error("ERR a\r\nb"); }, "-ERR a  b\r\n", "-ERR a  b\r\n"},
      {[](ReplyWriter* w) { w->Integer(INT64_MIN); }, ":-9223372036854775808\r\n",
       ":-9223372036854775808\r\n"},
      {[](ReplyWriter* w) { w->Bulk("a\r\nb"); }, "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n"},
      {[](ReplyWriter* w) { w->Bulk(""); }, "$0\r\n\r\n", "$0\r\n\r\n"},
      {[](ReplyWriter* w) { w->Verbatim("txt", "hi"); }, "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"},
      {[](ReplyWriter* w) { w->Null(); }, "$-1\r\n", "_\r\n"},
      {[](ReplyWriter* w) { w->NullArray(); }, "*-1\r\n", "_\r\n"},
      {[](ReplyWriter* w) { w->Boolean(true); }, ":1\r\n", "#t\r\n"},
      {[](ReplyWriter* w) { w->Boolean(false); }, ":0\r\n", "#f\r\n"},
      {[](ReplyWriter* w) { w->Double(0.1); }, "$3\r\n0.1\r\n", ",0.1\r\n"},
      {[](ReplyWriter* w) { w->Double(100000); }, "$6\r\n100000\r\n", ",100000\r\n"},
      {[](ReplyWriter* w) { w->Double(-0.0); }, "$2\r\n-0\r\n", ",-0\r\n"},
      {[](ReplyWriter* w) { w->Double(1e300); }, "$6\r\n1e+300\r\n", ",1e+300\r\n"},
      {[](ReplyWriter* w) { w->Double(kInfinity); }, "$3\r\ninf\r\n", ",inf\r\n"},
      {[](ReplyWriter* w) { w->Double(-kInfinity); }, "$4\r\n-inf\r\n", ",-inf\r\n"},
      {[](ReplyWriter* w) { w->Double(std::nan("")); }, "$3\r\nnan\r\n", ",nan\r\n"},
      {[](ReplyWriter* w) { w->Array(3); }, "*3\r\n", "*3\r\n"},
      {[](ReplyWriter* w) { w->Map(2); }, "*4\r\n", "%2\r\n"},
      {[](ReplyWriter* w) { w->Set(2); }, "*2\r\n", "~2\r\n"},
      {[](ReplyWriter* w) { w->Push(2); }, "*2\r\n", ">2\r\n"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Written(Resp::k2, c.write), c.resp2);
    EXPECT_EQ(Written(Resp::k3, c.write), c.resp3);
  }
}

TEST(ReplyWriterTest, AppendsToWhatIsThere) {
  std::string out = "+first\r\n";
  ReplyWriter(&out, Resp::k2).Integer(2);
  EXPECT_EQ(out, "+first\r\n:2\r\n");
}

TEST(ReplyWriterTest, EveryDoubleReadsBackTheSame) {
  Random random(3);
  for (int i = 0; i < 20000; ++i) {
    const uint64_t bits = random.Next();
    double value;
    static_assert(sizeof(value) == sizeof(bits));
    std::memcpy(&value, &bits, sizeof(value));
    if (!std::isfinite(value)) continue;
    if (i % 2 == 0) value = std::fmod(value, 1e6);
    ReplyParser parser;
    parser.Feed(Written(Resp::k3, [&](ReplyWriter* w) { w->Double(value); }));
    Reply reply;
    ASSERT_EQ(parser.Next(&reply), ReplyParser::Outcome::kReply);
    ASSERT_EQ(reply.number, value);
  }
}

TEST(ReplyWriterTest, WritesCommands) {
  std::string out;
  const std::string_view arguments[] = {"SET", "k", ""};
  WriteCommand(arguments, &out);
  EXPECT_EQ(out, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
}

}  // namespace
}  // namespace cartwheel
