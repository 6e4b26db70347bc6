// WAIT: how many replicas hold this connection's last write.
#include <algorithm>

#include "server/command.h"
#include "server/commands.h"
#include "server/replies.h"
#include "server/text.h"

namespace cartwheel {
namespace {

constexpr int64_t kLookAgainUs = 20'000;

struct WaitState : CallState {
  Key key;
  int64_t wanted = 0;
  int64_t until_us = INT64_MAX;  // mono
  int64_t holders = 0;           // besides the first, as of the last look
};

void Look(Call& call);

void Conclude(Call& call) {
  WaitState& state = call.StateAs<WaitState>();
  Session& session = call.session();
  const bool enough = state.holders >= state.wanted;
  const bool over = call.now().mono_us >= state.until_us || call.in_transaction() ||
                    session.unblocked != Session::Unblocked::kNo;
  if (!enough && !over) {
    session.blocked = true;
    return call.Later(kLookAgainUs, Look);
  }
  session.blocked = false;
  if (session.unblocked == Session::Unblocked::kError && !enough) {
    return call.Error("UNBLOCKED client unblocked via CLIENT UNBLOCK");
  }
  call.Reply().Integer(state.holders);
}

// Who holds what all together know holds this connection's last write as well.
void CountHolders(Call& call, Answer& answer) {
  const auto* read = std::get_if<ReadAnswer>(&answer.result);
  if (read != nullptr) {
    const auto holds = [](const ReplicaAnswer& replica) { return replica.same; };
    const int64_t holders = std::count_if(read->replicas.begin(), read->replicas.end(), holds);
    call.StateAs<WaitState>().holders = std::max<int64_t>(0, holders - 1);
  }
  Conclude(call);
}

void Look(Call& call) {
  call.Start(ReadOperation{call.StateAs<WaitState>().key, call.r(), true}, CountHolders);
}

// WAIT numreplicas timeout
void WaitCommand(Call& call) {
  const auto wanted = ParseInteger(call.arg(1));
  const auto timeout_ms = ParseInteger(call.arg(2));
  if (!wanted) return call.Error("ERR value is not an integer or out of range");
  if (!timeout_ms || *timeout_ms > INT64_MAX / 2000) {
    return call.Error("ERR timeout is not an integer or out of range");
  }
  if (*timeout_ms < 0) return call.Error("ERR timeout is negative");
  auto state = std::make_unique<WaitState>();
  state->wanted = *wanted;
  if (*timeout_ms > 0) state->until_us = call.now().mono_us + *timeout_ms * 1000;
  // Who has written nothing asks about a key that nobody holds: all agree.
  if (call.session().last_written) state->key = *call.session().last_written;
  call.session().unblocked = Session::Unblocked::kNo;
  call.state = std::move(state);
  Look(call);
}

constexpr CommandRow kRows[] = {
    {"wait", 3, kNoScript | kBarrier, kNoKeys, WaitCommand, "3.0.0",
     "Waits until so many replicas hold this connection's last write.", "",
     "counts replicas of the last written key besides one; more than N - 1 there never are"},
};

}  // namespace

CommandFamily WaitCommands() { return {"generic", kRows}; }

}  // namespace cartwheel
