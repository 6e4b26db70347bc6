// Every command's arguments: a client's bytes through a Pipeline and a ring of one. Each command
// must get exactly one reply, well-formed in the protocol version in force, whether the commands
// come one by one or all at once; and nothing is left behind when the client goes.
//
// The first byte of an input holds the flags below, the second the length of reads. The rest is
// what the client sends, or with kListed numbers: of a command (two bytes, of all that the table
// has, subcommands included), of how many arguments, and of each argument a word of kWords or how
// many bytes it takes from the input.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "protocol/reply_parser.h"
#include "protocol/request_parser.h"
#include "server/command_table.h"
#include "server/text.h"
#include "tests/fuzz/one_node.h"

namespace {

using namespace cartwheel;

enum Flag : uint8_t { kResp3 = 1, kListed = 2, kGoesAway = 4, kLittleMemory = 8 };

constexpr size_t kMaxCommands = 64;  // of one input
constexpr size_t kMaxListedArguments = 8;
constexpr size_t kMostWordsBeforeAuth = 10;  // in an array: protocol/request_parser.cc
constexpr uint64_t kLittleMemoryBytes = 2048;

// What commands read as something, and keys. The first ones are plain: keys, small numbers.
constexpr size_t kPlainWords = 6;
constexpr std::string_view kWordList =
    "a b 0 1 3 -1 2 7 8 10 16383 -0 +1 1.5 -2.25 1e400 nan inf -inf 0x10 4294967295 4294967296 "
    "4294967304 536870911 536870912 9223372036854775807 -9223372036854775808 9223372036854775808 "
    "1700000000 1700000100000 value {a}c * [a- a*b?c\\ *a*b*c*d*e* EX PX EXAT PXAT NX XX GT LT GET "
    "SET KEEPTTL PERSIST MATCH COUNT TYPE string ASYNC SYNC LEN IDX MINMATCHLEN WITHMATCHLEN u8 "
    "i64 "
    "u63 u64 i5 #1 OVERFLOW WRAP SAT FAIL INCRBY AND OR XOR NOT BIT BYTE REPLACE DB ABSTTL "
    "IDLETIME "
    "FREQ LIMIT BY ASC DESC ALPHA STORE ID ADDR LADDR USER SKIPME yes no ON OFF SKIP WRITE normal "
    "pubsub default AUTH SETNAME R W N ALL NOSAVE SAVE ABORT NOW FORCE maxmemory timeout "
    "requirepass "
    "databases loglevel debug server everything FILTERBY PATTERN ACLCAT MODULE 127.0.0.1 "
    "127.0.0.1:7001 lib-name lib-ver KEA TIMEOUT ERROR SAMPLES";
constexpr uint8_t kWordLimit = 192;  // from it on an argument's bytes are in the input

std::vector<std::string> MakeWords() {
  std::vector<std::string> words;
  for (std::string_view rest = kWordList; !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    words.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  for (const char* const odd : {"", " 1", "\r\n", "a b"}) words.emplace_back(odd);
  words.emplace_back("n\0l", 3);
  words.emplace_back(300, 'x');
  words.emplace_back(66000, 'k');  // too long for a key
  CHECK(words.size() <= kWordLimit);
  return words;
}
const std::vector<std::string> kWords = MakeWords();

std::vector<const Command*> AllCommands() {
  std::vector<const Command*> all;
  for (const Command& command : CommandTable()) {
    all.push_back(&command);
    for (const Command& subcommand : command.subcommands) all.push_back(&subcommand);
  }
  return all;
}

std::string Encode(const std::vector<std::string_view>& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words) {
    bytes += "$" + std::to_string(word.size()) + "\r\n";
    bytes += word;
    bytes += "\r\n";
  }
  return bytes;
}

// The bytes that an input of numbers stands for.
std::string Listed(std::string_view in) {
  const std::vector<const Command*> all = AllCommands();
  const auto take = [&in](size_t count) {
    const std::string_view taken = in.substr(0, count);
    in.remove_prefix(taken.size());
    return taken;
  };
  const auto number = [&take] {
    const std::string_view byte = take(1);
    return byte.empty() ? size_t{0} : static_cast<uint8_t>(byte[0]);
  };
  std::string bytes;
  for (size_t commands = 0; commands < kMaxCommands && !in.empty(); ++commands) {
    const size_t high = number();
    const Command* const command = all[(high << 8 | number()) % all.size()];
    std::vector<std::string_view> words;
    if (command->container != nullptr) words.push_back(command->container->name);
    words.push_back(command->short_name());
    for (size_t left = number() % (kMaxListedArguments + 1); left > 0; --left) {
      const size_t kind = number();
      words.push_back(kind < kWordLimit ? std::string_view(kWords[kind % kWords.size()])
                                        : take(kind - kWordLimit));
    }
    bytes += Encode(words);
  }
  return bytes;
}

// Takes one reply in RESP2 from the front: no other type, null arrays and bulks as they are there.
bool TakeResp2(std::string_view* bytes) {
  const size_t end = bytes->find("\r\n");
  if (end == std::string_view::npos) return false;
  const char type = (*bytes)[0];
  const std::string_view line = bytes->substr(1, end - 1);
  bytes->remove_prefix(end + 2);
  if (type == '+' || type == '-') return true;
  const auto count = ParseInteger(line);
  if (!count || (type != ':' && *count < -1)) return false;
  if (type == ':' || ((type == '$' || type == '*') && *count == -1)) return true;
  const size_t size = static_cast<size_t>(*count);
  if (type == '$') {
    if (bytes->size() < size + 2 || bytes->substr(size, 2) != "\r\n") return false;
    bytes->remove_prefix(size + 2);
    return true;
  }
  if (type != '*') return false;
  for (size_t i = 0; i < size; ++i) {
    if (!TakeResp2(bytes)) return false;
  }
  return true;
}

// How many replies they are, pushes left out. They must be well-formed and whole.
size_t CountReplies(std::string_view bytes, Resp resp) {
  ReplyParser parser;
  parser.Feed(bytes);
  size_t count = 0;
  size_t all = 0;
  for (;; ++all) {
    Reply reply;
    const ReplyParser::Outcome outcome = parser.Next(&reply);
    CHECK(outcome != ReplyParser::Outcome::kError);
    if (outcome == ReplyParser::Outcome::kNeedMore) break;
    count += reply.type != Reply::Type::kPush;
  }
  // Nothing is left over: one more reply would be read as a whole one.
  parser.Feed("+\r\n");
  Reply last;
  CHECK(parser.Next(&last) == ReplyParser::Outcome::kReply);
  CHECK(last.type == Reply::Type::kSimple && last.text.empty());
  if (resp == Resp::k2) {
    for (size_t i = 0; i < all; ++i) CHECK(TakeResp2(&bytes));
    CHECK(bytes.empty());
  }
  return count;
}

enum class Answers {
  kOne,
  kAny,        // but later commands have one
  kUncounted,  // nor have later commands: they may be silent, held up or mixed with other lines
};

Answers AnswersTo(std::span<const std::string_view> words, bool in_transaction) {
  const Command* const command = FindCommand(words);
  if (command == nullptr) return Answers::kOne;
  if (command->name.ends_with("subscribe")) {
    return in_transaction ? Answers::kUncounted : Answers::kAny;
  }
  const bool odd = command->name == "wait" || command->name == "client|reply" ||
                   command->name == "client|pause" || command->name == "monitor";
  return odd ? Answers::kUncounted : Answers::kOne;
}

bool ChangesVersion(std::string_view name) {
  return EqualsIgnoreCase(name, "hello") || EqualsIgnoreCase(name, "reset");
}

bool ClosesSilently(std::string_view name) {
  return EqualsIgnoreCase(name, "shutdown") || EqualsIgnoreCase(name, "post") ||
         EqualsIgnoreCase(name, "host:");
}

// One by one: each has its reply before the next is sent. How many replies these were; nothing when
// they cannot be counted.
std::optional<size_t> RunOneByOne(std::string_view bytes, uint64_t engine_max_bytes, Resp resp) {
  OneNode node(engine_max_bytes);
  FuzzClient client(&node, resp);
  ParserLimits limits;
  limits.max_bulk_bytes = OneNode::kMaxBulkBytes;
  RequestParser parser(limits);
  size_t replies = 0;
  bool versions_mix = false;  // in the reply to EXEC
  while (!bytes.empty()) {
    const std::span<char> space = parser.Prepare();
    const size_t count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    parser.Commit(count);
    bytes.remove_prefix(count);
    for (;;) {
      const RequestParser::Outcome next = parser.Next();
      if (next == RequestParser::Outcome::kNeedMore) break;
      if (next == RequestParser::Outcome::kError) return replies + 1;
      if (next == RequestParser::Outcome::kTooLarge) {
        ++replies;
        continue;
      }
      const std::vector<std::string_view> words(parser.arguments().begin(),
                                                parser.arguments().end());
      // Before AUTH an inline command may be longer than the array that it is sent as here.
      if (client.NeedsAuth() && words.size() > kMostWordsBeforeAuth) return std::nullopt;
      const bool queued = client.session().transaction.open;
      const Answers answers = AnswersTo(words, queued);
      versions_mix = versions_mix || (queued && ChangesVersion(words[0]));
      const std::string answer = client.Send(Encode(words));
      if (answers == Answers::kUncounted) return std::nullopt;
      const size_t came = CountReplies(answer, versions_mix ? Resp::k3 : client.session().resp);
      versions_mix = versions_mix && client.session().transaction.open;
      const bool silent = client.closing() && ClosesSilently(words[0]) && came == 0;
      CHECK(came == 1 || silent || answers == Answers::kAny);
      CHECK(node.server()->calls.in_flight() == 0);
      replies += came;
      if (client.closing()) return replies;
      parser.set_authenticated(!client.NeedsAuth());
    }
  }
  return replies;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint8_t flags = data[0];
  const size_t read_bytes = size_t{data[1]} + 1;
  const uint64_t engine_max_bytes = (flags & kLittleMemory) != 0 ? kLittleMemoryBytes : 0;
  const Resp resp = (flags & kResp3) != 0 ? Resp::k3 : Resp::k2;
  std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  if ((flags & kListed) != 0) bytes = Listed(bytes);

  const std::optional<size_t> expected = RunOneByOne(bytes, engine_max_bytes, resp);
  OneNode node(engine_max_bytes);
  {
    FuzzClient client(&node, resp);
    if ((flags & kGoesAway) != 0) {
      client.Push(bytes, read_bytes);
    } else {
      const std::string answer = client.Send(bytes, read_bytes);
      // HELLO may change the version midway: RESP3 is the more general one.
      if (expected) CHECK(CountReplies(answer, Resp::k3) == *expected);
    }
  }
  // What the client left is let go when its operations are answered.
  for (int i = 0; i < 100 && node.server()->calls.in_flight() > 0; ++i) {
    node.Deliver();
    node.Wait();
  }
  CHECK(node.server()->calls.in_flight() == 0);
  return 0;
}

// Each command of the table with up to kSweptArguments arguments, each word of kWords as the last
// of them and as the one before: an option that lacks its value is where a parser reads too far.
extern "C" size_t FuzzSeed(size_t number, uint8_t* out, size_t room) {
  constexpr size_t kRounds = 2;
  constexpr size_t kSweptArguments = 5;
  constexpr size_t kWordsOfOne = kMaxCommands / 2;
  const size_t kParts = (kWords.size() + kWordsOfOne - 1) / kWordsOfOne;
  Random random(number);
  const size_t first = number % kParts * kWordsOfOne;
  const size_t count = number / kParts % (kSweptArguments + 1);
  const size_t command = number / kParts / (kSweptArguments + 1) / kRounds;
  if (command >= AllCommands().size()) return 0;
  std::vector<uint8_t> input = {static_cast<uint8_t>(kListed | random.Below(2)), 255};
  const auto add = [&](size_t word, size_t place) {
    input.push_back(static_cast<uint8_t>(command >> 8));
    input.push_back(static_cast<uint8_t>(command & 0xff));
    input.push_back(static_cast<uint8_t>(count));
    for (size_t i = 0; i < count; ++i) {
      const size_t plain = random.Below(kPlainWords);
      input.push_back(static_cast<uint8_t>(i == place ? word : plain));
    }
  };
  for (size_t word = first; word < std::min(first + kWordsOfOne, kWords.size()); ++word) {
    add(word, count - 1);
    add(word, count - 2);
  }
  CHECK(input.size() <= room);
  std::copy(input.begin(), input.end(), out);
  return input.size();
}
