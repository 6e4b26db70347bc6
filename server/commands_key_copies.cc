// Commands that carry what a key holds elsewhere: RENAME, RENAMENX, COPY, MOVE, DUMP, RESTORE. All
// of its live versions go along (storage/sibling_copy.h), not only the one that GET shows. The two
// keys live on different nodes, so none of this is one moment: the source is read, then the
// destination written, and only then what was read of the source is deleted. What fails on the way
// leaves both rather than none.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/command.h"
#include "server/commands.h"
#include "server/key_options.h"
#include "server/replies.h"
#include "server/text.h"
#include "storage/sibling_copy.h"

namespace cartwheel {
namespace {

constexpr std::string_view kSameObject = "ERR source and destination objects are the same";

struct CarryState : CallState {
  Key from;
  Key to;
  bool if_absent = false;
  // What was read of the source.
  CausalContext context;
  std::vector<Replaced> replaces;
};

// --- carrying ---

void StartReplace(Call& call, Key to, std::span<const SiblingCopy> copies, bool if_absent,
                  Continuation then) {
  const uint32_t flags = if_absent ? uint32_t{kIfAbsent} : 0;
  call.Start(UpdateOperation{std::move(to),
                             Update{UpdateKind::kReplace, flags, EncodeCopies(copies), 0, 0},
                             call.r(), call.w()},
             then);
}

// Whether the copies are there now, or something stood in their way; nothing when that failed,
// which is the reply then.
std::optional<bool> TookPlace(Call& call, Answer& answer) {
  const UpdateAnswer* update = call.Expect<UpdateAnswer>(answer);
  if (update == nullptr) return std::nullopt;
  if (update->result.type == UpdateResult::Type::kError) {
    call.Error(update->result.text);
    return std::nullopt;
  }
  return update->result.integer == 1;
}

void StartCarry(Call& call, Key to, bool if_absent, Continuation then) {
  auto state = std::make_unique<CarryState>();
  state->from = call.KeyAt(1);
  state->to = std::move(to);
  state->if_absent = if_absent;
  call.state = std::move(state);
  call.Start(ReadOperation{call.KeyAt(1), call.r(), false}, then);
}

// The copies of a source that was read; nothing when there is no such key or the read failed, and
// then `absent` is the reply to the former.
bool TakeSource(Call& call, Answer& answer, std::vector<SiblingCopy>* copies,
                void (*absent)(Call& call)) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return false;
  if (NewestOf(call, *read) == nullptr) {
    absent(call);
    return false;
  }
  *copies = CopiesOf(read->object, call.server().node->ViewOf(call.db(), call.now()));
  CarryState& state = call.StateAs<CarryState>();
  state.context = read->object.context;
  state.replaces = ReplacedWith(read->object);
  return true;
}

void ReplyZero(Call& call) { call.Reply().Integer(0); }
void ReplyNoSuchKey(Call& call) { call.Error("ERR no such key"); }

// The last step of what moves: deletes what was read of the source, and nothing newer.
void StartDropSource(Call& call, Continuation then) {
  CarryState& state = call.StateAs<CarryState>();
  call.Start(PutOperation{std::move(state.from),
                          std::move(state.context),
                          Kind::kTombstone,
                          {},
                          0,
                          call.w(),
                          std::move(state.replaces)},
             then);
}

void ReplyPutOne(Call& call, Answer& answer) {
  if (call.Expect<PutAnswer>(answer) != nullptr) call.Reply().Integer(1);
}

// --- RENAME, RENAMENX, MOVE ---

bool RepliesOk(const Call& call) { return call.command().name == "rename"; }

void DropRenamed(Call& call, Answer& answer) {
  const auto took_place = TookPlace(call, answer);
  if (!took_place) return;
  if (!*took_place) return call.Reply().Integer(0);
  StartDropSource(call, RepliesOk(call) ? ReplyPutOk : ReplyPutOne);
}

void RenameSource(Call& call, Answer& answer) {
  std::vector<SiblingCopy> copies;
  if (!TakeSource(call, answer, &copies, ReplyNoSuchKey)) return;
  CarryState& state = call.StateAs<CarryState>();
  if (state.from == state.to) {
    if (RepliesOk(call)) return call.Reply().Ok();
    return call.Reply().Integer(0);
  }
  StartReplace(call, std::move(state.to), copies, state.if_absent, DropRenamed);
}

void RenameCommand(Call& call) { StartCarry(call, call.KeyAt(2), false, RenameSource); }
void RenameNxCommand(Call& call) { StartCarry(call, call.KeyAt(2), true, RenameSource); }

void MoveSource(Call& call, Answer& answer) {
  std::vector<SiblingCopy> copies;
  if (!TakeSource(call, answer, &copies, ReplyZero)) return;
  StartReplace(call, std::move(call.StateAs<CarryState>().to), copies, true, DropRenamed);
}

void MoveCommand(Call& call) {
  const auto db = ParseDatabase(call.arg(2), call.server().options.databases);
  if (!db) return call.Error(db.error().message);
  if (*db == call.db()) return call.Error(kSameObject);
  StartCarry(call, Key{*db, call.CopyOf(1)}, true, MoveSource);
}

// --- COPY ---

void ReplyCopied(Call& call, Answer& answer) {
  if (const auto took_place = TookPlace(call, answer)) call.Reply().Integer(*took_place ? 1 : 0);
}

void CopySource(Call& call, Answer& answer) {
  std::vector<SiblingCopy> copies;
  if (!TakeSource(call, answer, &copies, ReplyZero)) return;
  CarryState& state = call.StateAs<CarryState>();
  StartReplace(call, std::move(state.to), copies, state.if_absent, ReplyCopied);
}

// COPY source destination [DB db] [REPLACE]
void CopyCommand(Call& call) {
  uint32_t db = call.db();
  bool replace = false;
  for (size_t index = 3; index < call.arg_count(); ++index) {
    if (EqualsIgnoreCase(call.arg(index), "REPLACE")) {
      replace = true;
    } else if (EqualsIgnoreCase(call.arg(index), "DB") && index + 1 < call.arg_count()) {
      const auto given = ParseDatabase(call.arg(++index), call.server().options.databases);
      if (!given) return call.Error(given.error().message);
      db = *given;
    } else {
      return call.Error("ERR syntax error");
    }
  }
  if (db == call.db() && call.arg(1) == call.arg(2)) return call.Error(kSameObject);
  StartCarry(call, Key{db, call.CopyOf(2)}, !replace, CopySource);
}

// --- DUMP, RESTORE ---

void ReplyDump(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  if (NewestOf(call, *read) == nullptr) return call.Reply().Null();
  const View view = call.server().node->ViewOf(call.db(), call.now());
  call.Reply().Bulk(EncodeDump(CopiesOf(read->object, view)));
}

void DumpCommand(Call& call) {
  call.Start(ReadOperation{call.KeyAt(1), call.r(), false}, ReplyDump);
}

// The versions that a RESTORE asks for, or the error line.
Result<std::vector<SiblingCopy>> RestoredCopies(Call& call, const RestoreOptions& options) {
  const auto expires_at_ms = RestoreTime(call.arg(2), options.absolute_ttl, call.now().wall_ms);
  if (!expires_at_ms) return tl::unexpected(expires_at_ms.error());
  auto copies = DecodeDump(call.arg(3), call.server().options.siblings_max);
  if (!copies && copies.error().code == ErrorCode::kTooMany) {
    return Error(ErrorCode::kInvalid, "TOOMANYSIBLINGS " + copies.error().message);
  }
  if (!copies) {
    return Error(ErrorCode::kInvalid, copies.error().code == ErrorCode::kCorrupt
                                          ? "ERR DUMP payload version or checksum are wrong"
                                          : "ERR Bad data format");
  }
  for (SiblingCopy& copy : *copies) copy.expires_at_ms = *expires_at_ms;
  return copies;
}

constexpr std::string_view kBusyKey = "BUSYKEY Target key name already exists.";

void ReplyRestored(Call& call, Answer& answer) {
  const auto took_place = TookPlace(call, answer);
  if (!took_place) return;
  if (!*took_place) return call.Error(kBusyKey);
  call.Reply().Ok();
}

// Redis looks for the key before it reads what is to be restored.
void ReplyBusyOrScratchError(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  call.Error(NewestOf(call, *read) != nullptr ? kBusyKey : std::string_view(call.scratch));
}

// RESTORE key ttl dump [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]: of the last two
// nothing is kept.
void RestoreCommand(Call& call) {
  const auto options = ParseRestoreOptions(call.args().subspan(4));
  if (!options) return call.Error(options.error().message);
  const auto copies = RestoredCopies(call, *options);
  if (copies) {
    return StartReplace(call, call.KeyAt(1), *copies, !options->replace, ReplyRestored);
  }
  if (options->replace) return call.Error(copies.error().message);
  call.scratch = copies.error().message;
  call.Start(ReadOperation{call.KeyAt(1), call.r(), false}, ReplyBusyOrScratchError);
}

// --- SWAPDB ---

// Where a key is stored follows from its database: another number is another place for every key.
void SwapDbCommand(Call& call) {
  uint32_t databases[2] = {};
  const char* const names[] = {"first", "second"};
  for (size_t i = 0; i < 2; ++i) {
    const auto number = ParseInteger(call.arg(i + 1));
    if (!number || *number < INT32_MIN || *number > INT32_MAX) {
      return call.Error(std::string("ERR invalid ") + names[i] + " DB index");
    }
  }
  for (size_t i = 0; i < 2; ++i) {
    const auto db = ParseDatabase(call.arg(i + 1), call.server().options.databases);
    if (!db) return call.Error(db.error().message);
    databases[i] = *db;
  }
  if (databases[0] == databases[1]) return call.Reply().Ok();
  call.Error("ERR SWAPDB is not supported: a key's place on the ring follows from its database");
}

constexpr KeyRange SecondKey(uint32_t flags) { return {2, 2, 1, flags}; }

constexpr CommandRow kRows[] = {
    // The other database's key is not among the arguments.
    {"copy", -3, kValueWrite | kAllKeys,
     KeyRanges(OneKey(kReadsKey), SecondKey(kKeyOverwrite | kKeyUpdate)), CopyCommand, "6.2.0",
     "Copies every version of a key.", "",
     "not one moment: the source is read, then the destination is written"},
    {"dump", 2, kReadonly, OneKey(kReadsKey), DumpCommand, "2.6.0",
     "Every version of a key as bytes for RESTORE.", "",
     "a format of its own, with all versions: Redis cannot restore it"},
    {"move", 3, kFastWrite | kAllKeys, OneKey(kChangesKey), MoveCommand, "1.0.0",
     "Moves every version of a key to another database.", "",
     "not one moment: a failure in between leaves both keys"},
    {"rename", 3, kWrite,
     KeyRanges(OneKey(kKeyReadWrite | kKeyAccess | kKeyDelete),
               SecondKey(kKeyOverwrite | kKeyUpdate)),
     RenameCommand, "1.0.0", "Gives every version of a key another name.", "",
     "not one moment: a failure in between leaves both keys"},
    {"renamenx", 3, kFastWrite,
     KeyRanges(OneKey(kKeyReadWrite | kKeyAccess | kKeyDelete),
               SecondKey(kKeyOverwrite | kKeyInsert)),
     RenameNxCommand, "1.0.0", "Gives every version of a key another name, where that is free.", "",
     "not one moment: a failure in between leaves both keys"},
    {"restore", -4, kValueWrite | kDangerous, OneKey(kKeyOverwrite | kKeyUpdate), RestoreCommand,
     "2.6.0", "Makes a key of what DUMP gave.", "",
     "takes Cartwheel's own dumps; IDLETIME and FREQ are read and not kept"},
    {"swapdb", 3, kFastWrite | kDangerous, kNoKeys, SwapDbCommand, "4.0.0",
     "Refused: databases cannot be exchanged.", "",
     "an error: a key's place on the ring follows from its database"},
};

}  // namespace

CommandFamily KeyCopyCommands() { return {"generic", kRows}; }

}  // namespace cartwheel
