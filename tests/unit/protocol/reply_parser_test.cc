#include "protocol/reply_parser.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/random.h"
#include "protocol/reply_writer.h"

namespace cartwheel {
namespace {

using Type = Reply::Type;

struct Said {
  std::vector<Reply> replies;
  std::string error;
  friend bool operator==(const Said&, const Said&) = default;
};

bool Drain(ReplyParser* parser, Said* said) {
  for (;;) {
    Reply reply;
    switch (parser->Next(&reply)) {
      case ReplyParser::Outcome::kReply: said->replies.push_back(std::move(reply)); break;
      case ReplyParser::Outcome::kNeedMore: return true;
      case ReplyParser::Outcome::kError: said->error = parser->error(); return false;
    }
  }
}

Said Parse(std::string_view bytes, size_t read_bytes) {
  ReplyParser parser;
  Said said;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(read_bytes, bytes.size()))) {
    parser.Feed(bytes.substr(0, read_bytes));
    if (!Drain(&parser, &said)) break;
  }
  return said;
}

Said Parse(std::string_view bytes) { return Parse(bytes, bytes.size()); }

Reply One(std::string_view bytes) {
  const Said said = Parse(bytes);
  EXPECT_EQ(said.replies.size(), 1u) << bytes << ' ' << said.error;
  return said.replies.size() == 1 ? said.replies[0] : Reply{};
}

Reply Text(Type type, std::string text) { return {type, 0, 0, std::move(text), {}}; }
Reply Number(Type type, int64_t integer) { return {type, integer, 0, "", {}}; }

TEST(ReplyParserTest, Scalars) {
  EXPECT_EQ(One("+OK\r\n"), Text(Type::kSimple, "OK"));
  EXPECT_EQ(One("+\r\n"), Text(Type::kSimple, ""));
  EXPECT_EQ(One("-ERR no\r\n"), Text(Type::kError, "ERR no"));
  EXPECT_EQ(One("!6\r\nERR no\r\n"), Text(Type::kError, "ERR no"));
  EXPECT_EQ(One(":-42\r\n"), Number(Type::kInteger, -42));
  EXPECT_EQ(One(":+42\r\n"), Number(Type::kInteger, 42));
  EXPECT_EQ(One("$4\r\n\r\n\r\n\r\n"), Text(Type::kBulk, "\r\n\r\n"));
  EXPECT_EQ(One("$-1\r\n"), Reply{});
  EXPECT_EQ(One("*-1\r\n"), Reply{});
  EXPECT_EQ(One("_\r\n"), Reply{});
  EXPECT_EQ(One("#t\r\n"), Number(Type::kBoolean, 1));
  EXPECT_EQ(One("#f\r\n"), Number(Type::kBoolean, 0));
  EXPECT_EQ(One("=6\r\ntxt:hi\r\n"), Text(Type::kVerbatim, "txt:hi"));
  EXPECT_EQ(One("(123456789012345678901\r\n"), Text(Type::kBigNumber, "123456789012345678901"));
  EXPECT_EQ(One(",-1.5\r\n"), (Reply{Type::kDouble, 0, -1.5, "-1.5", {}}));
  EXPECT_EQ(One(",inf\r\n").number, std::numeric_limits<double>::infinity());
}

TEST(ReplyParserTest, Aggregates) {
  EXPECT_EQ(One("*0\r\n"), (Reply{Type::kArray, 0, 0, "", {}}));
  EXPECT_EQ(One("*2\r\n:1\r\n*1\r\n*0\r\n"),
            (Reply{Type::kArray,
                   0,
                   0,
                   "",
                   {Number(Type::kInteger, 1),
                    {Type::kArray, 0, 0, "", {{Type::kArray, 0, 0, "", {}}}}}}));
  EXPECT_EQ(One("%1\r\n+a\r\n:1\r\n"),
            (Reply{Type::kMap, 0, 0, "", {Text(Type::kSimple, "a"), Number(Type::kInteger, 1)}}));
  EXPECT_EQ(One("~1\r\n_\r\n"), (Reply{Type::kSet, 0, 0, "", {Reply{}}}));
  EXPECT_EQ(One(">1\r\n+x\r\n"), (Reply{Type::kPush, 0, 0, "", {Text(Type::kSimple, "x")}}));
}

TEST(ReplyParserTest, AttributesAreDropped) {
  EXPECT_EQ(One("|1\r\n+ttl\r\n:5\r\n$1\r\na\r\n"), Text(Type::kBulk, "a"));
  EXPECT_EQ(
      One("*2\r\n|1\r\n+ttl\r\n*1\r\n:5\r\n:1\r\n:2\r\n"),
      (Reply{Type::kArray, 0, 0, "", {Number(Type::kInteger, 1), Number(Type::kInteger, 2)}}));
  EXPECT_EQ(One("|0\r\n+OK\r\n"), Text(Type::kSimple, "OK"));
}

TEST(ReplyParserTest, MalformedRepliesFailForGood) {
  for (const std::string_view bytes :
       {"x\r\n", "\r\n", ":\r\n", ":1x\r\n", "$x\r\n", "$-2\r\n", "$1\r\nabc\r\n", "*x\r\n",
        "*-2\r\n", "%-1\r\n", "#x\r\n", "_x\r\n", ",x\r\n", "=-1\r\n", "$?\r\n", "*?\r\n",
        "$99999999999999\r\n", "*99999999999\r\n"}) {
    ReplyParser parser;
    Said said;
    parser.Feed(bytes);
    EXPECT_FALSE(Drain(&parser, &said)) << bytes;
    EXPECT_TRUE(said.error.starts_with("Malformed reply: ")) << bytes;
    parser.Feed("+OK\r\n");
    EXPECT_FALSE(Drain(&parser, &said)) << bytes;
    EXPECT_TRUE(said.replies.empty()) << bytes;
  }
}

TEST(ReplyParserTest, NestingIsBounded) {
  std::string deep;
  for (size_t i = 0; i < ReplyParser::kMaxDepth; ++i) deep += "*1\r\n";
  EXPECT_EQ(Parse(deep + ":1\r\n").replies.size(), 1u);
  EXPECT_EQ(Parse(deep + "*1\r\n:1\r\n").error, "Malformed reply: too deep a nesting");
}

TEST(ReplyParserTest, EverySplitSaysTheSame) {
  const std::string bytes =
      "+OK\r\n*3\r\n$3\r\nabc\r\n%1\r\n+k\r\n,0.5\r\n*0\r\n$-1\r\n:7\r\n|1\r\n+a\r\n+b\r\n#t\r\n"
      "=5\r\ntxt:x\r\n$70000\r\n" +
      std::string(70000, 'v') + "\r\n-ERR x\r\n*x\r\n";
  const Said whole = Parse(bytes);
  EXPECT_EQ(whole.replies.size(), 8u);
  EXPECT_EQ(whole.error, "Malformed reply: a malformed count");
  for (const size_t read_bytes : {1, 2, 3, 5, 7, 11, 100, 4096, 20000}) {
    EXPECT_EQ(Parse(bytes, read_bytes), whole) << read_bytes;
  }
}

TEST(ReplyParserTest, RandomBytesNeverCrashAndDoNotDependOnTheCut) {
  constexpr std::string_view kAlphabet = "+-:$*%~>|!=_#,(\r\n\r\n\r\n0123t";
  Random random(5);
  for (int round = 0; round < 5000; ++round) {
    std::string bytes;
    for (uint64_t i = random.Below(50); i > 0; --i) {
      bytes.push_back(kAlphabet[random.Below(kAlphabet.size())]);
    }
    ASSERT_EQ(Parse(bytes, 1), Parse(bytes)) << bytes;
  }
}

TEST(ReplyParserTest, ReadsWhatTheWriterWrites) {
  std::string out;
  ReplyWriter writer(&out, Resp::k3);
  writer.Map(1);
  writer.Bulk("siblings");
  writer.Set(2);
  writer.Boolean(true);
  writer.Null();
  const Reply reply = One(out);
  ASSERT_EQ(reply.type, Type::kMap);
  ASSERT_EQ(reply.elements.size(), 2u);
  EXPECT_EQ(reply.elements[0], Text(Type::kBulk, "siblings"));
  EXPECT_EQ(reply.elements[1].elements[0], Number(Type::kBoolean, 1));
}

}  // namespace
}  // namespace cartwheel
