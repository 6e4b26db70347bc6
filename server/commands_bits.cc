// Commands on the bits of string values: SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/bit_offset.h"
#include "server/command.h"
#include "server/commands.h"
#include "server/replies.h"
#include "server/text.h"
#include "values/bits.h"
#include "values/index_range.h"

namespace cartwheel {
namespace {

tl::unexpected<Status> Line(std::string line) {
  return Error(ErrorCode::kInvalid, std::move(line));
}
tl::unexpected<Status> SyntaxError() { return Line("ERR syntax error"); }
tl::unexpected<Status> NoInteger() { return Line("ERR value is not an integer or out of range"); }

// The part of a value that BITCOUNT and BITPOS look at.
struct BitSpan {
  int64_t first = 0;
  int64_t last = -1;
  bool last_given = false;
  bool in_bits = false;  // first and last; else in bytes
  bool nothing = false;
};

Result<bool> ParseUnit(std::string_view word) {
  if (EqualsIgnoreCase(word, "BIT")) return true;
  if (EqualsIgnoreCase(word, "BYTE")) return false;
  return SyntaxError();
}

// [start end [BYTE | BIT]] of BITCOUNT.
Result<BitSpan> ParseCountSpan(std::span<const std::string_view> words) {
  BitSpan span;
  if (words.empty()) return span;
  if (words.size() != 2 && words.size() != 3) return SyntaxError();
  const auto first = ParseInteger(words[0]);
  const auto last = ParseInteger(words[1]);
  if (!first || !last) return NoInteger();
  span.first = *first;
  span.last = *last;
  // Before the unit is looked at, as in Redis.
  span.nothing = IsReversed(*first, *last);
  if (words.size() == 2 || span.nothing) return span;
  const auto unit = ParseUnit(words[2]);
  if (!unit) return tl::unexpected(unit.error());
  span.in_bits = *unit;
  return span;
}

// [start [end [BYTE | BIT]]] of BITPOS, which reads the unit before the end.
Result<BitSpan> ParsePositionSpan(std::span<const std::string_view> words) {
  BitSpan span;
  if (words.empty()) return span;
  if (words.size() > 3) return SyntaxError();
  const auto first = ParseInteger(words[0]);
  if (!first) return NoInteger();
  span.first = *first;
  if (words.size() == 3) {
    const auto unit = ParseUnit(words[2]);
    if (!unit) return tl::unexpected(unit.error());
    span.in_bits = *unit;
  }
  if (words.size() == 1) return span;
  const auto last = ParseInteger(words[1]);
  if (!last) return NoInteger();
  span.last = *last;
  span.last_given = true;
  return span;
}

// In bits.
IndexRange RangeOf(const BitSpan& span, std::string_view bytes) {
  if (span.nothing) return {};
  if (span.in_bits) return CutRange(span.first, span.last, bytes.size() * 8);
  const IndexRange range = CutRange(span.first, span.last, bytes.size());
  return {range.begin * 8, range.end * 8};
}

// A key without a value has its answer whatever the span says.
struct BitsAsked : CallState {
  Result<BitSpan> span;
  bool bit = false;
};

// The value, or nullptr when the reply is written: for no value, it is `otherwise`.
const Sibling* ValueAsked(Call& call, Answer& answer, int64_t otherwise) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return nullptr;
  const Sibling* newest = NewestOf(call, *read);
  if (newest == nullptr) {
    call.Reply().Integer(otherwise);
    return nullptr;
  }
  const auto& asked = call.StateAs<BitsAsked>();
  if (asked.span) return newest;
  call.Error(asked.span.error().message);
  return nullptr;
}

void ReplyCount(Call& call, Answer& answer) {
  const Sibling* value = ValueAsked(call, answer, 0);
  if (value == nullptr) return;
  const IndexRange range = RangeOf(*call.StateAs<BitsAsked>().span, value->bytes);
  call.Reply().Integer(static_cast<int64_t>(CountBits(value->bytes, range.begin, range.end)));
}

void ReplyPosition(Call& call, Answer& answer) {
  const auto& asked = call.StateAs<BitsAsked>();
  const Sibling* value = ValueAsked(call, answer, asked.bit ? -1 : 0);
  if (value == nullptr) return;
  const IndexRange range = RangeOf(*asked.span, value->bytes);
  if (range.empty()) return call.Reply().Integer(-1);
  const auto found = FindBit(value->bytes, asked.bit, range.begin, range.end);
  if (found) return call.Reply().Integer(static_cast<int64_t>(*found));
  // Behind the value all is zero, unless the caller said where to end.
  const bool behind = !asked.bit && !asked.span->last_given;
  call.Reply().Integer(behind ? static_cast<int64_t>(range.end) : -1);
}

void BitCountCommand(Call& call) {
  auto asked = std::make_unique<BitsAsked>();
  asked->span = ParseCountSpan(call.args().subspan(2));
  call.state = std::move(asked);
  call.Start(ReadOperation{call.KeyAt(1), call.r(), false}, ReplyCount);
}

void BitPosCommand(Call& call) {
  const auto bit = ParseInteger(call.arg(2));
  if (!bit) return call.Error(NoInteger().value().message);
  if (*bit != 0 && *bit != 1) return call.Error("ERR The bit argument must be 1 or 0.");
  auto asked = std::make_unique<BitsAsked>();
  asked->span = ParsePositionSpan(call.args().subspan(3));
  asked->bit = *bit == 1;
  call.state = std::move(asked);
  call.Start(ReadOperation{call.KeyAt(1), call.r(), false}, ReplyPosition);
}

void ReplyBit(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  const Sibling* newest = NewestOf(call, *read);
  const bool bit = newest != nullptr && BitAt(newest->bytes, static_cast<uint64_t>(call.counter));
  call.Reply().Integer(bit ? 1 : 0);
}

void GetBitCommand(Call& call) {
  const auto offset = ParseBitOffset(call.arg(2), call.server().options.proto_max_bulk_bytes);
  if (!offset) return call.Error(kBadBitOffset);
  call.counter = static_cast<int64_t>(*offset);
  call.Start(ReadOperation{call.KeyAt(1), call.r(), false}, ReplyBit);
}

void SetBitCommand(Call& call) {
  const auto offset = ParseBitOffset(call.arg(2), call.server().options.proto_max_bulk_bytes);
  if (!offset) return call.Error(kBadBitOffset);
  if (call.arg(3) != "0" && call.arg(3) != "1") {
    return call.Error("ERR bit is not an integer or out of range");
  }
  StartUpdate(call,
              Update{UpdateKind::kSetBit, 0, call.CopyOf(3), static_cast<int64_t>(*offset), 0});
}

struct BitOpAsked : CallState {
  Key destination;
  Bitwise operation = Bitwise::kAnd;
};

std::optional<Bitwise> ParseBitwise(std::string_view word) {
  constexpr std::pair<std::string_view, Bitwise> kNames[] = {
      {"AND", Bitwise::kAnd}, {"OR", Bitwise::kOr}, {"XOR", Bitwise::kXor}, {"NOT", Bitwise::kNot}};
  for (const auto& [name, operation] : kNames) {
    if (EqualsIgnoreCase(word, name)) return operation;
  }
  return std::nullopt;
}

void ReplyLengthPut(Call& call) {
  if (call.ExpectAll<PutAnswer>()) call.Reply().Integer(call.counter);
}
void ReplyNothingLeft(Call& call) {
  if (call.ExpectAll<DeleteAnswer>()) call.Reply().Integer(0);
}

void PutCombined(Call& call) {
  if (!call.ExpectAll<ReadAnswer>()) return;
  std::vector<std::string_view> sources;
  for (const Answer& answer : call.answers()) {
    const Sibling* newest = NewestOf(call, std::get<ReadAnswer>(answer.result));
    sources.push_back(newest != nullptr ? std::string_view(newest->bytes) : std::string_view());
  }
  auto& asked = call.StateAs<BitOpAsked>();
  std::string result = Combine(asked.operation, sources);
  if (result.empty()) {
    return call.Join(DeleteOperation{asked.destination, call.r(), call.w()}, ReplyNothingLeft);
  }
  call.counter = static_cast<int64_t>(result.size());
  call.Join(
      PutOperation{asked.destination, std::nullopt, Kind::kValue, std::move(result), 0, call.w()},
      ReplyLengthPut);
}

void BitOpCommand(Call& call) {
  const auto operation = ParseBitwise(call.arg(1));
  if (!operation) return call.Error("ERR syntax error");
  if (*operation == Bitwise::kNot && call.arg_count() != 4) {
    return call.Error("ERR BITOP NOT must be called with a single source key.");
  }
  auto asked = std::make_unique<BitOpAsked>();
  asked->destination = call.KeyAt(2);
  asked->operation = *operation;
  call.state = std::move(asked);
  for (size_t index = 3; index < call.arg_count(); ++index) {
    call.Join(ReadOperation{call.KeyAt(index), call.r(), false}, PutCombined);
  }
}

constexpr CommandRow kRows[] = {
    {"bitcount", -2, kReadonly, OneKey(kReadsKey), BitCountCommand, "2.6.0",
     "Counts the bits of a value that are set."},
    {"bitop",
     -4,
     kValueWrite,
     KeyRanges(KeyRange{2, 2, 1, kKeyOverwrite | kKeyUpdate}, KeyRange{3, -1, 1, kReadsKey}),
     BitOpCommand,
     "2.6.0",
     "Combines the bits of values into another key.",
     {},
     "The sources are read first and then the destination is written: it is not one moment."},
    {"bitpos", -3, kReadonly, OneKey(kReadsKey), BitPosCommand, "2.8.7",
     "Finds the first bit of a value that is set, or is not."},
    {"getbit", 3, kFastRead, OneKey(kReadsKey), GetBitCommand, "2.2.0", "Reads a bit of a value."},
    {"setbit", 4, kValueWrite, OneKey(kChangesKey), SetBitCommand, "2.2.0",
     "Writes a bit of a value.", "", kConcurrentUpdates},
};

}  // namespace

CommandFamily BitCommands() { return {"bitmap", kRows}; }

}  // namespace cartwheel
