// Commands on string values: GET, SET.
#include "server/command.h"
#include "server/commands.h"

namespace cartwheel {
namespace {

void ReplyNewest(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  const View view = call.server().node->ViewOf(call.db(), call.now());
  const Sibling* newest = read->object.Newest(view);
  if (newest == nullptr) {
    ++call.server().counters.keyspace_misses;
    return call.Reply().Null();
  }
  ++call.server().counters.keyspace_hits;
  call.Reply().Bulk(newest->bytes);
}

void ReplyOk(Call& call, Answer& answer) {
  if (call.Expect<PutAnswer>(answer) != nullptr) call.Reply().Ok();
}

}  // namespace

void GetCommand(Call& call) {
  call.Start(ReadOperation{call.KeyAt(1), call.r(), false}, ReplyNewest);
}

void SetCommand(Call& call) {
  if (call.arg_count() != 3) return call.Error("ERR syntax error");
  call.Start(PutOperation{call.KeyAt(1), std::nullopt, Kind::kValue, call.CopyOf(2), 0, call.w()},
             ReplyOk);
}

}  // namespace cartwheel
