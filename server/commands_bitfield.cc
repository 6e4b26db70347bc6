// BITFIELD and BITFIELD_RO: integers of any width at any bit of a value. What only reads is a read;
// with a SET or INCRBY all steps together are one update.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/bit_offset.h"
#include "server/command.h"
#include "server/commands.h"
#include "server/replies.h"
#include "server/text.h"
#include "values/bitfield.h"

namespace cartwheel {
namespace {

tl::unexpected<Status> Line(std::string_view line) {
  return Error(ErrorCode::kInvalid, std::string(line));
}

std::optional<FieldOverflow> ParseOverflow(std::string_view word) {
  if (EqualsIgnoreCase(word, "WRAP")) return FieldOverflow::kWrap;
  if (EqualsIgnoreCase(word, "SAT")) return FieldOverflow::kSaturate;
  if (EqualsIgnoreCase(word, "FAIL")) return FieldOverflow::kFail;
  return std::nullopt;
}

std::optional<FieldVerb> ParseVerb(std::string_view word, size_t words_behind) {
  if (EqualsIgnoreCase(word, "GET") && words_behind >= 2) return FieldVerb::kGet;
  if (EqualsIgnoreCase(word, "SET") && words_behind >= 3) return FieldVerb::kSet;
  if (EqualsIgnoreCase(word, "INCRBY") && words_behind >= 3) return FieldVerb::kIncrement;
  return std::nullopt;
}

// { GET type offset | [OVERFLOW WRAP | SAT | FAIL] SET type offset n | INCRBY type offset n }
Result<std::vector<FieldStep>> ParseSteps(std::span<const std::string_view> words,
                                          uint64_t max_value_bytes) {
  std::vector<FieldStep> steps;
  FieldOverflow overflow = FieldOverflow::kWrap;
  for (size_t index = 0; index < words.size();) {
    const size_t words_behind = words.size() - index - 1;
    if (EqualsIgnoreCase(words[index], "OVERFLOW") && words_behind >= 1) {
      const auto wanted = ParseOverflow(words[index + 1]);
      if (!wanted) return Line("ERR Invalid OVERFLOW type specified");
      overflow = *wanted;
      index += 2;
      continue;
    }
    const auto verb = ParseVerb(words[index], words_behind);
    if (!verb) return Line("ERR syntax error");
    const auto type = ParseFieldType(words[index + 1]);
    if (!type) {
      return Line(
          "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported "
          "but i64 is.");
    }
    const auto offset = ParseBitOffset(words[index + 2], max_value_bytes, type->bits);
    if (!offset) return Line(kBadBitOffset);
    FieldStep step{*verb, overflow, *type, *offset, 0};
    index += 3;
    if (*verb != FieldVerb::kGet) {
      const auto value = ParseInteger(words[index++]);
      if (!value) return Line("ERR value is not an integer or out of range");
      step.value = *value;
    }
    steps.push_back(step);
  }
  return steps;
}

struct StepsAsked : CallState {
  std::vector<FieldStep> steps;
};

void ReplyFields(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  const Sibling* newest = NewestOf(call, *read);
  const std::string_view bytes = newest != nullptr ? newest->bytes : std::string_view();
  const auto& steps = call.StateAs<StepsAsked>().steps;
  ReplyWriter reply = call.Reply();
  reply.Array(steps.size());
  for (const FieldStep& step : steps) reply.Integer(ReadField(bytes, step.type, step.offset));
}

void RunSteps(Call& call, bool may_write) {
  auto steps = ParseSteps(call.args().subspan(2), call.server().options.proto_max_bulk_bytes);
  if (!steps) return call.Error(steps.error().message);
  if (ReachOf(*steps) > 0) {
    if (!may_write) return call.Error("ERR BITFIELD_RO only supports the GET subcommand");
    return StartUpdate(call, Update{UpdateKind::kBitfield, 0, EncodeSteps(*steps), 0, 0});
  }
  auto asked = std::make_unique<StepsAsked>();
  asked->steps = std::move(*steps);
  call.state = std::move(asked);
  call.Start(ReadOperation{call.KeyAt(1), call.r(), false}, ReplyFields);
}

void BitFieldCommand(Call& call) { RunSteps(call, true); }
void BitFieldRoCommand(Call& call) { RunSteps(call, false); }

constexpr CommandRow kRows[] = {
    {"bitfield", -2, kValueWrite, OneKey(kChangesKey | kKeyVariable), BitFieldCommand, "3.2.0",
     "Reads and writes integers of any width in a value.", "", kConcurrentUpdates},
    {"bitfield_ro", -2, kFastRead, OneKey(kReadsKey), BitFieldRoCommand, "6.0.0",
     "Reads integers of any width in a value."},
};

}  // namespace

CommandFamily BitfieldCommands() { return {"bitmap", kRows}; }

}  // namespace cartwheel
