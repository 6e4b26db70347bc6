#include "protocol/request_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "base/random.h"
#include "protocol/reply_writer.h"

namespace cartwheel {
namespace {

using namespace std::string_literals;
using Command = std::vector<std::string>;

// What a parser said about some bytes: commands and skipped ones in order, and how it ended.
struct Said {
  std::vector<Command> commands;  // a skipped one is {"<too large>", error}
  std::string error;              // of the kError that ended it
  friend bool operator==(const Said&, const Said&) = default;
};

std::ostream& operator<<(std::ostream& out, const Said& said) {
  for (const Command& command : said.commands) {
    out << '[';
    for (const std::string& argument : command) out << testing::PrintToString(argument) << ' ';
    out << "] ";
  }
  return out << "error " << said.error;
}

void Feed(std::string_view bytes, RequestParser* parser) {
  while (!bytes.empty()) {
    const std::span<char> space = parser->Prepare();
    const size_t count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    parser->Commit(count);
    bytes.remove_prefix(count);
  }
}

// False once the parser has failed.
bool Drain(RequestParser* parser, Said* said) {
  for (;;) {
    switch (parser->Next()) {
      case RequestParser::Outcome::kCommand:
        said->commands.emplace_back(parser->arguments().begin(), parser->arguments().end());
        break;
      case RequestParser::Outcome::kTooLarge:
        said->commands.push_back({"<too large>", parser->error()});
        break;
      case RequestParser::Outcome::kNeedMore: return true;
      case RequestParser::Outcome::kError: said->error = parser->error(); return false;
    }
  }
}

Said Parse(const std::vector<std::string_view>& reads, ParserLimits limits = {}) {
  RequestParser parser(limits);
  Said said;
  for (const std::string_view read : reads) {
    Feed(read, &parser);
    if (!Drain(&parser, &said)) break;
  }
  return said;
}

Said ParseWhole(std::string_view bytes, ParserLimits limits = {}) { return Parse({bytes}, limits); }

Said ParseByteByByte(std::string_view bytes, ParserLimits limits = {}) {
  std::vector<std::string_view> reads;
  for (size_t i = 0; i < bytes.size(); ++i) reads.push_back(bytes.substr(i, 1));
  return Parse(reads, limits);
}

std::string Encode(const std::vector<std::string_view>& arguments) {
  std::string out;
  WriteCommand(arguments, &out);
  return out;
}

ParserLimits SmallLimits() {
  ParserLimits limits;
  limits.max_bulk_bytes = 8;
  limits.max_command_bytes = 20;
  limits.max_inline_bytes = 64;
  return limits;
}

ParserLimits Unauthenticated() {
  ParserLimits limits;
  limits.authenticated = false;
  return limits;
}

TEST(RequestParserTest, ReadsArraysOfBulks) {
  EXPECT_EQ(ParseWhole("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n"),
            (Said{{{"SET", "k", ""}, {"PING"}}, ""}));
}

TEST(RequestParserTest, BulksMayHoldAnyByte) {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  EXPECT_EQ(ParseWhole(Encode({"SET", all, "\r\n$1\r\n"})),
            (Said{{{"SET", all, "\r\n$1\r\n"}}, ""}));
}

TEST(RequestParserTest, SkipsEmptyCommands) {
  EXPECT_EQ(ParseWhole("\r\n\n  \r\n*0\r\n*-1\r\n*-10\r\n*1\r\n$4\r\nPING\r\n\r\n"),
            (Said{{{"PING"}}, ""}));
}

TEST(RequestParserTest, DoesNotLookAtWhatEndsABulk) {
  EXPECT_EQ(ParseWhole("*2\r\n$3\r\nGETxx$1\r\nkyy*1\r\n$1\r\na\r\n"),
            (Said{{{"GET", "k"}, {"a"}}, ""}));
}

TEST(RequestParserTest, InlineCommands) {
  const std::vector<std::pair<std::string, Command>> cases = {
      {"PING\r\n", {"PING"}},
      {"PING\n", {"PING"}},
      {"  SET\tk   v  \r\n", {"SET", "k", "v"}},
      {"SET k \"\"\r\n", {"SET", "k", ""}},
      {"SET k \"a b\"\r\n", {"SET", "k", "a b"}},
      {R"(SET k "\x00\xfF\n\r\t\b\a\q\"\\")"s + "\n", {"SET", "k", "\0\xff\n\r\t\b\aq\"\\"s}},
      {R"(SET k "\xzz")"s + "\n", {"SET", "k", "xzz"}},
      {R"(SET k '\x00 \' "')"s + "\n", {"SET", "k", R"(\x00 ' ")"}},
      {"SET foo\"bar\" v\n", {"SET", "foobar", "v"}},
      {"SET back\\slash v\n", {"SET", "back\\slash", "v"}},
      {"a\vb \v c\n", {"a\vb", "c"}},
      {"$not a bulk\n", {"$not", "a", "bulk"}},
      {"nul\0byte x\n"s, {"nul\0byte"s, "x"}},
  };
  for (const auto& [line, command] : cases) {
    EXPECT_EQ(ParseWhole(line), (Said{{command}, ""})) << line;
  }
}

TEST(RequestParserTest, ProtocolErrorsAreWordedAsInRedis) {
  const std::string long_line(64 * 1024 + 1, '1');
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"*x\r\n", "invalid multibulk length"},
      {"*\r\n", "invalid multibulk length"},
      {"*01\r\n", "invalid multibulk length"},
      {"*+1\r\n", "invalid multibulk length"},
      {"* 1\r\n", "invalid multibulk length"},
      {"*16777217\r\n", "invalid multibulk length"},
      {"*3000000000\r\n", "invalid multibulk length"},
      {"*99999999999999999999\r\n", "invalid multibulk length"},
      {"*1\r\nfoo\r\n", "expected '$', got 'f'"},
      {"*1\r\n:1\r\n", "expected '$', got ':'"},
      {"*1\r\n\r\n", "expected '$', got '\r'"},
      {"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$-10\r\n", "invalid bulk length"},
      {"*1\r\n$-1\r\n", "invalid bulk length"},
      {"*1\r\n$\r\n", "invalid bulk length"},
      {"*1\r\n$007\r\n", "invalid bulk length"},
      {"*1\r\n$blabla\r\n", "invalid bulk length"},
      {"*1\r\n$2000000000\r\n", "invalid bulk length"},
      {"*1\r\n$9223372036854775807\r\n", "invalid bulk length"},
      {"*1\r\n$9223372036854775808\r\n", "invalid bulk length"},
      {"set \"\"\"test-key\"\"\" test-value\n", "unbalanced quotes in request"},
      {"set \"open\n", "unbalanced quotes in request"},
      {"set 'open\n", "unbalanced quotes in request"},
      {"set 'a'b\n", "unbalanced quotes in request"},
      {"set \"a\\\n", "unbalanced quotes in request"},
      {long_line, "too big inline request"},
      {"*" + long_line, "too big mbulk count string"},
      {"*1\r\n$" + long_line, "too big bulk count string"},
  };
  for (const auto& [bytes, error] : cases) {
    const Said said = ParseWhole("*1\r\n$4\r\nPING\r\n" + bytes);
    EXPECT_EQ(said, (Said{{{"PING"}}, "Protocol error: " + error})) << bytes.substr(0, 50);
  }
}

TEST(RequestParserTest, LongLinesFailAtTheSameByteHoweverTheyCome) {
  const ParserLimits limits = SmallLimits();
  const std::string fits(limits.max_inline_bytes, 'a');
  EXPECT_EQ(ParseWhole(fits + "\n", limits), (Said{{{fits}}, ""}));
  EXPECT_EQ(ParseByteByByte(fits + "\n", limits), (Said{{{fits}}, ""}));
  const Said too_big{{}, "Protocol error: too big inline request"};
  EXPECT_EQ(ParseWhole(fits + "a\n", limits), too_big);
  EXPECT_EQ(ParseByteByByte(fits + "a\n", limits), too_big);
}

TEST(RequestParserTest, StaysFailed) {
  RequestParser parser(ParserLimits{});
  Said said;
  Feed("*x\r\n", &parser);
  EXPECT_FALSE(Drain(&parser, &said));
  Feed("*1\r\n$4\r\nPING\r\n", &parser);
  EXPECT_FALSE(Drain(&parser, &said));
  EXPECT_TRUE(said.commands.empty());
}

TEST(RequestParserTest, LittleIsAllowedBeforeAuth) {
  const std::string allowed(16 * 1024, 'x');
  std::vector<std::string_view> ten(10, "a");
  ten[9] = allowed;
  EXPECT_EQ(ParseWhole(Encode(ten), Unauthenticated()).commands.size(), 1u);
  EXPECT_EQ(ParseWhole("*11\r\n", Unauthenticated()).error,
            "Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(ParseWhole("*2147483647\r\n", Unauthenticated()).error,
            "Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(ParseWhole("*2147483648\r\n", Unauthenticated()).error,
            "Protocol error: invalid multibulk length");
  EXPECT_EQ(ParseWhole("*1\r\n$16385\r\n", Unauthenticated()).error,
            "Protocol error: unauthenticated bulk length");
  // Over the bulk limit nobody waits for the bytes of a stranger.
  EXPECT_EQ(ParseWhole("*1\r\n$536870913\r\n", Unauthenticated()).error,
            "Protocol error: invalid bulk length");
}

TEST(RequestParserTest, AuthLiftsItsLimits) {
  RequestParser parser(Unauthenticated());
  parser.set_authenticated(true);
  Said said;
  Feed("*11\r\n$20000\r\n", &parser);
  EXPECT_TRUE(Drain(&parser, &said));
}

const char kTooLargeText[] = "string exceeds maximum allowed size (proto-max-bulk-len)";

TEST(RequestParserTest, ACommandOverTheLimitPassesAndTheConnectionGoesOn) {
  const std::string bytes = Encode({"SET", "k", "123456789"}) + Encode({"SET", "k", "12345678"}) +
                            Encode({"SET", "123456789", "v", "more"}) + "PING\r\n" +
                            Encode({"a", "1234567", "1234567", "123456", "x"}) + Encode({"GET"});
  const Command too_large = {"<too large>", kTooLargeText};
  const Said expected{
      {too_large, {"SET", "k", "12345678"}, too_large, {"PING"}, too_large, {"GET"}}, ""};
  EXPECT_EQ(ParseWhole(bytes, SmallLimits()), expected);
  EXPECT_EQ(ParseByteByByte(bytes, SmallLimits()), expected);
}

TEST(RequestParserTest, ASkippedCommandMustBeWellFormedToo) {
  EXPECT_EQ(ParseWhole("*3\r\n$9\r\n123456789\r\nxx\r\n", SmallLimits()).error,
            "Protocol error: expected '$', got 'x'");
}

TEST(RequestParserTest, ASkippedBulkIsNotHeld) {
  RequestParser parser(ParserLimits{});
  Said said;
  constexpr size_t kBytes = 600u << 20;
  Feed("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$" + std::to_string(kBytes) + "\r\n", &parser);
  const std::string chunk(1 << 20, 'x');
  for (size_t fed = 0; fed < kBytes; fed += chunk.size()) {
    ASSERT_TRUE(Drain(&parser, &said));
    for (size_t at = 0; at < chunk.size(); at += 16384) {
      Feed(std::string_view(chunk).substr(at, 16384), &parser);
      ASSERT_TRUE(Drain(&parser, &said));
      ASSERT_LT(parser.allocated_bytes(), 1u << 20);
    }
  }
  EXPECT_TRUE(said.commands.empty());
  Feed("\r\n*1\r\n$4\r\nPING\r\n", &parser);
  ASSERT_TRUE(Drain(&parser, &said));
  EXPECT_EQ(said, (Said{{{"<too large>", kTooLargeText}, {"PING"}}, ""}));
}

TEST(RequestParserTest, AnAnnouncedBulkReservesOnlyWhatHasCome) {
  RequestParser parser(ParserLimits{});
  Said said;
  Feed("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n", &parser);
  ASSERT_TRUE(Drain(&parser, &said));
  parser.Prepare();
  EXPECT_LE(parser.allocated_bytes(), 64u * 1024);
  const std::string chunk(16 * 1024, 'x');
  for (int i = 0; i < 640; ++i) {  // 10 MiB
    Feed(chunk, &parser);
    ASSERT_TRUE(Drain(&parser, &said));
    ASSERT_LE(parser.allocated_bytes(), 2 * parser.pending_bytes() + 512 * 1024);
  }
  EXPECT_TRUE(said.commands.empty());
}

TEST(RequestParserTest, AnAnnouncedCountReservesOnlyWhatHasCome) {
  RequestParser parser(ParserLimits{});
  Said said;
  Feed("*1048576\r\n$1\r\na\r\n", &parser);
  ASSERT_TRUE(Drain(&parser, &said));
  EXPECT_LE(parser.allocated_bytes(), 64u * 1024);
}

// Growing by a constant step would move a bulk again and again: count how often the buffer moves.
TEST(RequestParserTest, ALargeBulkIsMovedALogarithmOfTimes) {
  RequestParser parser(ParserLimits{});
  Said said;
  constexpr size_t kBytes = 64u << 20;
  const std::string chunk(16 * 1024, 'x');
  Feed("*2\r\n$3\r\nSET\r\n$" + std::to_string(kBytes) + "\r\n", &parser);
  int resizes = 0;
  size_t allocated = parser.allocated_bytes();
  for (size_t fed = 0; fed < kBytes; fed += chunk.size()) {
    Feed(chunk, &parser);
    ASSERT_TRUE(Drain(&parser, &said));
    resizes += parser.allocated_bytes() != allocated;
    allocated = parser.allocated_bytes();
  }
  EXPECT_LE(resizes, 16);
  EXPECT_LE(allocated, kBytes + (1u << 20));  // the last step does not double past the end
  Feed("\r\n", &parser);
  ASSERT_EQ(parser.Next(), RequestParser::Outcome::kCommand);
  EXPECT_EQ(parser.arguments()[1].size(), kBytes);
}

TEST(RequestParserTest, MemoryIsGivenBackAfterALargeCommand) {
  RequestParser parser(ParserLimits{});
  Said said;
  Feed(Encode({"SET", std::string(8 << 20, 'x')}), &parser);
  ASSERT_TRUE(Drain(&parser, &said));
  Feed(Encode(std::vector<std::string_view>(50000, "a")), &parser);
  ASSERT_TRUE(Drain(&parser, &said));
  for (int i = 0; i < 8; ++i) {
    Feed("PING\r\n", &parser);
    ASSERT_TRUE(Drain(&parser, &said));
  }
  EXPECT_LE(parser.allocated_bytes(), 256u * 1024);
  parser.Release();
  EXPECT_LE(parser.allocated_bytes(), 64u * 1024);
  Feed("PING\r\n", &parser);
  ASSERT_TRUE(Drain(&parser, &said));
  EXPECT_EQ(said.commands.size(), 11u);
}

TEST(RequestParserTest, ReleaseKeepsWhatIsPending) {
  RequestParser parser(ParserLimits{});
  Said said;
  Feed("PI", &parser);
  ASSERT_TRUE(Drain(&parser, &said));
  parser.Release();
  Feed("NG\r\n", &parser);
  ASSERT_TRUE(Drain(&parser, &said));
  EXPECT_EQ(said, (Said{{{"PING"}}, ""}));
}

TEST(RequestParserTest, BytesStayTrueUntilPrepare) {
  RequestParser parser(ParserLimits{});
  Feed(Encode({"SET", "k"}) + "echo \"a\\x62\"\r\n" + Encode({"GET"}), &parser);
  std::vector<std::string_view> seen;
  while (parser.Next() == RequestParser::Outcome::kCommand) {
    seen.insert(seen.end(), parser.arguments().begin(), parser.arguments().end());
  }
  EXPECT_EQ(seen, (std::vector<std::string_view>{"SET", "k", "echo", "ab", "GET"}));
}

TEST(RequestParserTest, ManyArgumentsInManyReads) {
  const std::vector<std::string_view> arguments(200000, "abc");
  const std::string bytes = Encode(arguments);
  std::vector<std::string_view> reads;
  for (size_t at = 0; at < bytes.size(); at += 1000) {
    reads.push_back(std::string_view(bytes).substr(at, 1000));
  }
  const Said said = Parse(reads);
  ASSERT_EQ(said.commands.size(), 1u);
  EXPECT_EQ(said.commands[0], Command(arguments.begin(), arguments.end()));
}

struct Sample {
  std::string bytes;
  ParserLimits limits;
};

std::vector<Sample> Samples() {
  const std::string value(300, 'v');
  return {
      {Encode({"SET", "key", "value"}) + Encode({"GET", "key"}) + Encode({"PING"}), {}},
      {"PING\r\n" + Encode({"SET", "a", ""}) + "set k \"a\\x00 b\"\n\r\n*0\r\n*-1\r\nGET k\n", {}},
      {Encode({"SET", "k", value}) + Encode({"SET", "k", "123456789"}) + "PING\r\n", SmallLimits()},
      {"*2\r\n$3\r\nGET\r\n$x\r\n", {}},
      {"*2\r\n$3\r\nGET\r\n+1\r\n", {}},
      {"PING\r\n*1x\r\n", {}},
      {"PING\r\nset \"a\"b\r\nPING\r\n", {}},
      {Encode({"a"}) + std::string(80, 'a') + "\n", SmallLimits()},
      {"*" + std::string(80, '1') + "\r\n", SmallLimits()},
      {"*1\r\n$" + std::string(80, '1') + "\r\n", SmallLimits()},
      {Encode({"AUTH", "x"}) + "*11\r\n", Unauthenticated()},
      {Encode({"AUTH", "x"}) + "*1\r\n$16385\r\n", Unauthenticated()},
      {"*3\r\n$9\r\n123456789\r\n$2\r\nab\r\n$9\r\n123456789\r\n*1\r\n$1\r\na\r\n", SmallLimits()},
  };
}

TEST(RequestParserTest, EverySplitSaysTheSame) {
  for (const Sample& sample : Samples()) {
    const std::string_view bytes = sample.bytes;
    const Said whole = ParseWhole(bytes, sample.limits);
    EXPECT_EQ(ParseByteByByte(bytes, sample.limits), whole) << bytes;
    for (size_t first = 0; first <= bytes.size(); ++first) {
      for (size_t second = first; second <= bytes.size(); second += 7) {
        ASSERT_EQ(Parse({bytes.substr(0, first), bytes.substr(first, second - first),
                         bytes.substr(second)},
                        sample.limits),
                  whole)
            << bytes << " split at " << first << " and " << second;
      }
    }
  }
}

TEST(RequestParserTest, RandomCommandsComeBackHoweverTheyAreCut) {
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    std::string bytes;
    Said expected;
    for (uint64_t i = random.Below(20); i > 0; --i) {
      Command command;
      for (uint64_t n = 1 + random.Below(5); n > 0; --n) {
        const uint64_t longest = random.Chance(1, 20) ? 70000 : 40;
        command.emplace_back(random.Below(longest), static_cast<char>(random.Below(256)));
      }
      bytes += Encode({command.begin(), command.end()});
      expected.commands.push_back(std::move(command));
    }
    std::vector<std::string_view> reads;
    for (std::string_view rest = bytes; !rest.empty();) {
      const size_t count = 1 + random.Below(random.Chance(1, 10) ? rest.size() : 200);
      reads.push_back(rest.substr(0, count));
      rest.remove_prefix(std::min(count, rest.size()));
    }
    ASSERT_EQ(Parse(reads), expected) << "round " << round;
  }
}

TEST(RequestParserTest, RandomBytesNeverCrashAndDoNotDependOnTheCut) {
  constexpr std::array<std::string_view, 12> kPieces = {"*",  "$",   "\r\n", "1", "3",    "\r",
                                                        "\n", "SET", "\"",   "'", "\\x4", "-"};
  Random random(11);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes;
    for (uint64_t i = random.Below(60); i > 0; --i) {
      if (random.Chance(1, 8)) {
        bytes.push_back(static_cast<char>(random.Below(256)));
      } else {
        bytes += kPieces[random.Below(kPieces.size())];
      }
    }
    const ParserLimits limits = random.Chance(1, 2) ? SmallLimits() : ParserLimits{};
    ASSERT_EQ(ParseByteByByte(bytes, limits), ParseWhole(bytes, limits)) << bytes;
  }
}

}  // namespace
}  // namespace cartwheel
