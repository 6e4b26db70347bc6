// Commands on parts of string values: GETRANGE, SUBSTR, SETRANGE, and LCS, which compares two.
#include <memory>
#include <string>
#include <utility>

#include "server/command.h"
#include "server/commands.h"
#include "server/replies.h"
#include "server/text.h"
#include "values/index_range.h"
#include "values/lcs.h"

namespace cartwheel {
namespace {

constexpr std::string_view kNotAnInteger = "ERR value is not an integer or out of range";
// What a cell of the table takes in Redis, whose bound we keep.
constexpr uint64_t kLcsCellBytes = 4;

struct RangeAsked : CallState {
  int64_t first = 0;
  int64_t last = 0;
};

void ReplyRange(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  const auto& asked = call.StateAs<RangeAsked>();
  const Sibling* newest = NewestOf(call, *read);
  if (newest == nullptr || IsReversed(asked.first, asked.last)) return call.Reply().Bulk("");
  const IndexRange range = CutRange(asked.first, asked.last, newest->bytes.size());
  call.Reply().Bulk(std::string_view(newest->bytes).substr(range.begin, range.end - range.begin));
}

void GetRangeCommand(Call& call) {
  const auto first = ParseInteger(call.arg(2));
  const auto last = ParseInteger(call.arg(3));
  if (!first || !last) return call.Error(kNotAnInteger);
  auto asked = std::make_unique<RangeAsked>();
  asked->first = *first;
  asked->last = *last;
  call.state = std::move(asked);
  call.Start(ReadOperation{call.KeyAt(1), call.r(), false}, ReplyRange);
}

void SetRangeCommand(Call& call) {
  const auto offset = ParseInteger(call.arg(2));
  if (!offset) return call.Error(kNotAnInteger);
  if (*offset < 0) return call.Error("ERR offset is out of range");
  StartUpdate(call, Update{UpdateKind::kSetRange, 0, call.CopyOf(3), *offset, 0});
}

struct LcsAsked : CallState {
  bool length = false;
  bool indexes = false;
  bool lengths_of_matches = false;
  uint64_t least_match = 0;
};

// [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN]; the failure's message is the error line.
Result<void> ParseLcs(std::span<const std::string_view> words, LcsAsked* asked) {
  for (size_t index = 0; index < words.size(); ++index) {
    const std::string_view word = words[index];
    if (EqualsIgnoreCase(word, "IDX")) {
      asked->indexes = true;
    } else if (EqualsIgnoreCase(word, "LEN")) {
      asked->length = true;
    } else if (EqualsIgnoreCase(word, "WITHMATCHLEN")) {
      asked->lengths_of_matches = true;
    } else if (EqualsIgnoreCase(word, "MINMATCHLEN") && index + 1 < words.size()) {
      const auto least = ParseInteger(words[++index]);
      if (!least) return Error(ErrorCode::kInvalid, std::string(kNotAnInteger));
      asked->least_match = static_cast<uint64_t>(std::max<int64_t>(*least, 0));
    } else {
      return Error(ErrorCode::kInvalid, "ERR syntax error");
    }
  }
  if (asked->indexes && asked->length) {
    return Error(ErrorCode::kInvalid,
                 "ERR If you want both the length and indexes, please just use IDX.");
  }
  return {};
}

void WriteSpan(ReplyWriter* reply, uint64_t first, uint64_t length) {
  reply->Array(2);
  reply->Integer(static_cast<int64_t>(first));
  reply->Integer(static_cast<int64_t>(first + length - 1));
}

void ReplyMatches(Call& call, const CommonSubsequence& common, const LcsAsked& asked) {
  std::vector<CommonRun> runs = common.runs;
  std::erase_if(runs, [&](const CommonRun& run) { return run.length < asked.least_match; });
  ReplyWriter reply = call.Reply();
  reply.Map(2);
  reply.Bulk("matches");
  reply.Array(runs.size());
  for (const CommonRun& run : runs) {
    reply.Array(asked.lengths_of_matches ? 3 : 2);
    WriteSpan(&reply, run.a_first, run.length);
    WriteSpan(&reply, run.b_first, run.length);
    if (asked.lengths_of_matches) reply.Integer(static_cast<int64_t>(run.length));
  }
  reply.Bulk("len");
  reply.Integer(static_cast<int64_t>(common.length));
}

void ReplyLcs(Call& call) {
  if (!call.ExpectAll<ReadAnswer>()) return;
  std::string_view values[2];
  for (size_t i = 0; i < 2; ++i) {
    const Sibling* newest = NewestOf(call, std::get<ReadAnswer>(call.answers()[i].result));
    if (newest != nullptr) values[i] = newest->bytes;
  }
  const auto& asked = call.StateAs<LcsAsked>();
  const uint64_t cells = (values[0].size() + 1) * (values[1].size() + 1);
  if (cells > call.server().options.proto_max_bulk_bytes / kLcsCellBytes) {
    return call.Error(
        "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  if (asked.length) {
    const uint64_t length = LongestCommonLength(values[0], values[1]);
    return call.Reply().Integer(static_cast<int64_t>(length));
  }
  const CommonSubsequence common = LongestCommonSubsequence(values[0], values[1]);
  if (asked.indexes) return ReplyMatches(call, common, asked);
  std::string text;
  for (auto run = common.runs.rbegin(); run != common.runs.rend(); ++run) {
    text.append(values[0].substr(run->a_first, run->length));
  }
  call.Reply().Bulk(text);
}

void LcsCommand(Call& call) {
  auto asked = std::make_unique<LcsAsked>();
  const auto parsed = ParseLcs(call.args().subspan(3), asked.get());
  if (!parsed) return call.Error(parsed.error().message);
  call.state = std::move(asked);
  for (const size_t index : {1, 2}) {
    call.Join(ReadOperation{call.KeyAt(index), call.r(), false}, ReplyLcs);
  }
}

constexpr CommandRow kRows[] = {
    {"getrange", 4, kReadonly, OneKey(kReadsKey), GetRangeCommand, "2.4.0",
     "Reads a part of a value."},
    {"lcs", -3, kReadonly, KeyRange{1, 2, 1, kReadsKey}, LcsCommand, "7.0.0",
     "Finds the longest subsequence that two values have in common."},
    {"setrange", 4, kValueWrite, OneKey(kKeyReadWrite | kKeyUpdate), SetRangeCommand, "2.2.0",
     "Writes over a part of a value.", "", kConcurrentUpdates},
    {"substr", 4, kReadonly, OneKey(kReadsKey), GetRangeCommand, "1.0.0",
     "The old name of GETRANGE."},
};

}  // namespace

CommandFamily RangeCommands() { return {"string", kRows}; }

}  // namespace cartwheel
