// Commands on HyperLogLogs: PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST. All of them take the
// siblings of a key together (cluster/hyperloglog_union.h).
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "cluster/hyperloglog_union.h"
#include "server/command.h"
#include "server/commands.h"
#include "server/replies.h"
#include "server/text.h"
#include "values/hyperloglog_check.h"

namespace cartwheel {
namespace {

int64_t SparseMaxBytes(const Call& call) {
  const uint64_t bytes = call.server().options.hll_sparse_max_bytes;
  return static_cast<int64_t>(std::min<uint64_t>(bytes, INT64_MAX));
}

// Adds what was read to the union. False when that is no HyperLogLog: the error is written.
bool AddTo(Call& call, const ReadAnswer& answer, HyperLogLogUnion* all, HyperLogLogRead* read) {
  NewestOf(call, answer);  // counts the hit or miss
  *read = AddSiblings(answer.object, ViewOf(call), all);
  if (read->error.empty()) return true;
  call.Error(read->error);
  return false;
}

bool AddAll(Call& call, HyperLogLogUnion* all) {
  if (!call.ExpectAll<ReadAnswer>()) return false;
  HyperLogLogRead read;
  return std::all_of(call.answers().begin(), call.answers().end(), [&](const Answer& answer) {
    return AddTo(call, std::get<ReadAnswer>(answer.result), all, &read);
  });
}

void PfAddCommand(Call& call) {
  std::vector<HllMark> marks;
  for (const std::string_view element : call.args().subspan(2)) marks.push_back(MarkOf(element));
  StartUpdate(call, Update{UpdateKind::kPfAdd, 0, EncodeMarks(marks), SparseMaxBytes(call), 0});
}

// The count is true whether it could be kept or not.
void ReplyCountKept(Call& call, Answer& answer) {
  const auto* update = std::get_if<UpdateAnswer>(&answer.result);
  const bool kept = update != nullptr && update->result.type == UpdateResult::Type::kInteger;
  call.Reply().Integer(kept ? update->result.integer : call.counter);
}

// The key is in scratch.
void ReplyCount(Call& call, Answer& answer) {
  const ReadAnswer* found = call.Expect<ReadAnswer>(answer);
  if (found == nullptr) return;
  if (NewestOf(call, *found) == nullptr) return call.Reply().Integer(0);
  const auto kept = KeptCountOf(found->object, ViewOf(call));
  if (kept) return call.Reply().Integer(static_cast<int64_t>(*kept));
  HyperLogLogUnion all;
  const HyperLogLogRead read = AddSiblings(found->object, ViewOf(call), &all);
  if (!read.error.empty()) return call.Error(read.error);
  call.counter = static_cast<int64_t>(EstimateCount(all.registers));
  call.Start(UpdateOperation{Key{call.db(), std::move(call.scratch)},
                             Update{UpdateKind::kPfCount, 0, {}, 0, 0}, call.r(), call.w()},
             ReplyCountKept);
}

void ReplyCountOfAll(Call& call) {
  HyperLogLogUnion all;
  if (AddAll(call, &all)) {
    call.Reply().Integer(static_cast<int64_t>(EstimateCount(all.registers)));
  }
}

void PfCountCommand(Call& call) {
  if (call.arg_count() == 2) {
    call.scratch = call.CopyOf(1);
    return call.Start(ReadOperation{call.KeyAt(1), call.r(), false}, ReplyCount);
  }
  for (size_t index = 1; index < call.arg_count(); ++index) {
    call.Join(ReadOperation{call.KeyAt(index), call.r(), false}, ReplyCountOfAll);
  }
}

void ReplyMerged(Call& call) { ReplyUpdate(call, call.answers()[0]); }

// The destination, which is in scratch, adds itself where it is.
void MergeSources(Call& call, const HyperLogLogUnion& all) {
  const int64_t most = SparseMaxBytes(call);
  Update update{UpdateKind::kPfMerge, 0, {}, most, 0};
  update.bytes = EncodeHyperLogLog(all.registers, all.dense, static_cast<uint64_t>(most), 0);
  call.Join(UpdateOperation{Key{call.db(), std::move(call.scratch)}, std::move(update), call.r(),
                            call.w()},
            ReplyMerged);
}

void MergeRead(Call& call) {
  HyperLogLogUnion all;
  if (AddAll(call, &all)) MergeSources(call, all);
}

void PfMergeCommand(Call& call) {
  call.scratch = call.CopyOf(1);
  if (call.arg_count() == 2) return MergeSources(call, {});
  for (size_t index = 2; index < call.arg_count(); ++index) {
    call.Join(ReadOperation{call.KeyAt(index), call.r(), false}, MergeRead);
  }
}

// The subcommand is in scratch.
void ReplyDebug(Call& call, Answer& answer) {
  const ReadAnswer* found = call.Expect<ReadAnswer>(answer);
  if (found == nullptr) return;
  HyperLogLogUnion all;
  HyperLogLogRead read;
  if (!AddTo(call, *found, &all, &read)) return;
  if (read.newest == nullptr) return call.Error("ERR The specified key does not exist");
  const std::string_view value = read.newest->bytes;
  if (EqualsIgnoreCase(call.scratch, "GETREG")) {
    ReplyWriter reply = call.Reply();
    reply.Array(all.registers.size());
    for (const uint8_t rank : all.registers) reply.Integer(rank);
  } else if (EqualsIgnoreCase(call.scratch, "ENCODING")) {
    call.Reply().Simple(IsDense(value) ? "dense" : "sparse");
  } else if (!EqualsIgnoreCase(call.scratch, "DECODE")) {
    call.Error("ERR Unknown PFDEBUG subcommand '" + call.scratch + "'");
  } else if (IsDense(value)) {
    call.Error("ERR HLL encoding is not sparse");
  } else {
    call.Reply().Bulk(DescribeRuns(value));
  }
}

void PfDebugCommand(Call& call) {
  if (EqualsIgnoreCase(call.arg(1), "TODENSE")) {
    return call.Start(UpdateOperation{call.KeyAt(2), Update{UpdateKind::kPfToDense, 0, {}, 0, 0},
                                      call.r(), call.w()},
                      ReplyUpdate);
  }
  call.scratch = call.CopyOf(1);
  call.Start(ReadOperation{call.KeyAt(2), call.r(), false}, ReplyDebug);
}

void PfSelfTestCommand(Call& call) {
  const std::string failure = CheckHyperLogLog();
  if (failure.empty()) return call.Reply().Ok();
  call.Error("ERR TESTFAILED " + failure);
}

constexpr CommandRow kRows[] = {
    {"pfadd", -2, kValueWrite | kFast, OneKey(kKeyReadWrite | kKeyInsert), PfAddCommand, "2.8.9",
     "Adds elements to a HyperLogLog.", "", "takes all concurrent versions together"},
    {"pfcount", -2, kReadonly | kMayReplicate, AllKeys(kKeyReadWrite | kKeyAccess), PfCountCommand,
     "2.8.9", "Estimates how many different elements HyperLogLogs were given.", "",
     "takes all concurrent versions together"},
    {"pfdebug",
     3,
     kValueWrite | kAdmin,
     KeyRange{2, 2, 1, kKeyReadWrite | kKeyAccess},
     PfDebugCommand,
     "2.8.9",
     "Shows what a HyperLogLog is made of.",
     {},
     "GETREG leaves the encoding as it is."},
    {"pfmerge",
     -2,
     kValueWrite,
     KeyRanges(KeyRange{1, 1, 1, kKeyReadWrite | kKeyAccess | kKeyInsert},
               KeyRange{2, -1, 1, kReadsKey}),
     PfMergeCommand,
     "2.8.9",
     "Adds HyperLogLogs to another one.",
     {},
     "The sources are read first and then added to the destination: it is not one moment."},
    {"pfselftest", 1, kAdmin, kNoKeys, PfSelfTestCommand, "2.8.9",
     "Tests the HyperLogLogs of this server."},
};

}  // namespace

CommandFamily HyperLogLogCommands() { return {"hyperloglog", kRows}; }

}  // namespace cartwheel
