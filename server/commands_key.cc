// Commands on keys whatever they hold: DEL.
#include "server/command.h"
#include "server/commands.h"

namespace cartwheel {
namespace {

void ReplyDeletedCount(Call& call) {
  if (!call.ExpectAll<DeleteAnswer>()) return;
  int64_t deleted = 0;
  for (const Answer& answer : call.answers()) {
    if (std::get<DeleteAnswer>(answer.result).deleted) ++deleted;
  }
  call.Reply().Integer(deleted);
}

}  // namespace

void DelCommand(Call& call) {
  for (size_t index = 1; index < call.arg_count(); ++index) {
    call.Join(DeleteOperation{call.KeyAt(index), call.r(), call.w()}, ReplyDeletedCount);
  }
}

}  // namespace cartwheel
