// SAVE, BGSAVE, LASTSAVE. Every write is in the log as it is made, and synced as `fsync` says;
// there is no snapshot to be written. What is left for SAVE is the sync: when it answers, all that
// this node had applied is on its disk, whatever the policy.
#include <string>

#include "server/command.h"
#include "server/commands.h"
#include "server/text.h"

namespace cartwheel {
namespace {

constexpr int64_t kMsPerSecond = 1000;

// The memory engine has nothing that could be saved.
bool KeepsData(Call& call) {
  if (call.server().options.engine == EngineKind::kLmdb) return true;
  call.Error("ERR the memory engine keeps nothing on a disk");
  return false;
}

void NoteSaved(Server* server) {
  SaveProgress& save = server->save;
  if (!save.running || server->engine->sequences().synced < save.sequence) return;
  save.running = false;
  save.last_ms = save.began_ms;
}

void ReplySaved(Call& call, Answer&) {
  SaveProgress& save = call.server().save;
  save.last_ms = std::max(save.last_ms, call.counter);
  call.Reply().Ok();
}

void SaveCommand(Call& call) {
  if (!KeepsData(call)) return;
  call.counter = call.now().wall_ms;
  call.AwaitSync(ReplySaved);
}

// BGSAVE [SCHEDULE]
void BgSaveCommand(Call& call) {
  const bool schedules = call.arg_count() == 2 && EqualsIgnoreCase(call.arg(1), "SCHEDULE");
  if (call.arg_count() > 1 && !schedules) return call.Error("ERR syntax error");
  if (!KeepsData(call)) return;
  Server& server = call.server();
  NoteSaved(&server);
  if (server.save.running) return call.Error("ERR Background save already in progress");
  const uint64_t applied = server.engine->sequences().applied;
  server.engine->SyncSoon(applied);
  server.save = {true, applied, server.now.wall_ms, server.save.last_ms};
  call.Reply().Simple("Background saving started");
}

void LastSaveCommand(Call& call) {
  Server& server = call.server();
  NoteSaved(&server);
  const int64_t last_ms = std::max(server.save.last_ms, server.started.wall_ms);
  call.Reply().Integer(last_ms / kMsPerSecond);
}

constexpr std::string_view kOfThisNode =
    "a sync of this node's log, as there is no snapshot; an error with the memory engine";

constexpr CommandRow kRows[] = {
    {"bgsave", -1, kAdmin | kNoScript | kNoAsyncLoading, kNoKeys, BgSaveCommand, "1.0.0",
     "Has all that this node holds synced soon.", "", kOfThisNode},
    {"lastsave", 1, kFast | kAnytime | kDangerous, kNoKeys, LastSaveCommand, "1.0.0",
     "When SAVE or BGSAVE last was done, at first the start of this node.", "",
     "of SAVE and BGSAVE of this node, at first its start"},
    {"save", 1, kAdmin | kNoScript | kNoAsyncLoading | kNoMulti | kBarrier, kNoKeys, SaveCommand,
     "1.0.0", "Waits until all that this node holds is on its disk.", "", kOfThisNode},
};

}  // namespace

CommandFamily SaveCommands() { return {"server", kRows}; }

}  // namespace cartwheel
