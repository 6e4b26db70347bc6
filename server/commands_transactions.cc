// MULTI, EXEC, DISCARD, WATCH, UNWATCH. What they mean here is told in server/transaction.h; the
// queueing is server/pipeline.h's.
#include <utility>

#include "server/command.h"
#include "server/commands.h"
#include "server/pipeline.h"
#include "server/replies.h"

namespace cartwheel {
namespace {

void MultiCommand(Call& call) {
  Transaction& transaction = call.session().transaction;
  if (transaction.open) return call.Error("ERR MULTI calls can not be nested");
  transaction.open = true;
  transaction.aborted = false;
  call.Reply().Ok();
}

void Run(Call& call) {
  call.Reply().Array(call.session().transaction.queue.size());
  call.pipeline().RunQueued();
}

// Whether a key that was read again is another one than WATCH saw.
bool Changed(Call& call, const WatchedKeys::value_type& watched, const Answer& now) {
  const View view = call.server().node->ViewOf(watched.first.first, call.now());
  return watched.second != LiveVersion(std::get<ReadAnswer>(now.result).object, view);
}

void RunUnlessChanged(Call& call) {
  Transaction& transaction = call.session().transaction;
  if (!call.ExpectAll<ReadAnswer>()) {
    transaction = {};
    return;
  }
  size_t index = 0;
  for (const auto& watched : transaction.watched) {
    if (!Changed(call, watched, call.answers()[index++])) continue;
    transaction = {};
    return call.Reply().NullArray();
  }
  Run(call);
}

void ExecCommand(Call& call) {
  Transaction& transaction = call.session().transaction;
  if (!transaction.open) return call.Error("ERR EXEC without MULTI");
  if (transaction.aborted) {
    transaction = {};
    return call.Error("EXECABORT Transaction discarded because of previous errors.");
  }
  if (transaction.watched.empty()) return Run(call);
  for (const auto& [place, version] : transaction.watched) {
    call.JoinHead(ReadOperation{Key{place.first, place.second}, call.r(), false}, RunUnlessChanged);
  }
}

void DiscardCommand(Call& call) {
  if (!call.session().transaction.open) return call.Error("ERR DISCARD without MULTI");
  call.session().transaction = {};
  call.Reply().Ok();
}

// The keys that a WATCH is reading.
struct WatchState : CallState {
  std::vector<Key> keys;
};

void NoteWatched(Call& call) {
  if (!call.ExpectAll<ReadAnswer>()) return;
  WatchedKeys& watched = call.session().transaction.watched;
  std::vector<Key>& keys = call.StateAs<WatchState>().keys;
  for (size_t i = 0; i < keys.size(); ++i) {
    const View view = call.server().node->ViewOf(keys[i].db, call.now());
    const auto& read = std::get<ReadAnswer>(call.answers()[i].result);
    // Who watches a key twice is told of what changed since the first time.
    watched.emplace(std::pair(keys[i].db, std::move(keys[i].bytes)),
                    LiveVersion(read.object, view));
  }
  call.Reply().Ok();
}

void WatchCommand(Call& call) {
  if (call.session().transaction.open) {
    return call.Error("ERR WATCH inside MULTI is not allowed");
  }
  auto state = std::make_unique<WatchState>();
  for (size_t index = 1; index < call.arg_count(); ++index) {
    state->keys.push_back(call.KeyAt(index));
    call.JoinHead(ReadOperation{call.KeyAt(index), call.r(), false}, NoteWatched);
  }
  call.state = std::move(state);
}

void UnwatchCommand(Call& call) {
  call.session().transaction.watched.clear();
  call.Reply().Ok();
}

constexpr uint32_t kTransaction = kNoScript | kAnytime | kFast | kAllowBusy;

constexpr CommandRow kRows[] = {
    {"discard", 1, kTransaction | kEndsMulti, kNoKeys, DiscardCommand, "2.0.0",
     "Forgets the queued commands and the watched keys."},
    {"exec", 1, kNoScript | kAnytime | kSkipSlowlog | kEndsMulti | kBarrier, kNoKeys, ExecCommand,
     "1.2.0", "Runs the queued commands.", "",
     "in order, but not isolated from other clients; a command that fails undoes nothing"},
    {"multi", 1, kTransaction | kEndsMulti, kNoKeys, MultiCommand, "1.2.0",
     "Begins to queue commands."},
    {"unwatch", 1, kTransaction, kNoKeys, UnwatchCommand, "2.2.0", "Forgets the watched keys."},
    {"watch", -2, kTransaction | kEndsMulti, AllKeys(kKeyRead), WatchCommand, "2.2.0",
     "Lets EXEC run only if these keys have not changed.", "",
     "compares versions when EXEC is called; a write that comes between this and the first queued "
     "command is not noticed"},
};

}  // namespace

CommandFamily TransactionCommands() { return {"transactions", kRows}; }

}  // namespace cartwheel
