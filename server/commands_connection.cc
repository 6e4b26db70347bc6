// Commands about the connection: PING, ECHO, QUIT, COMMAND.
#include "server/command.h"
#include "server/commands.h"
#include "server/text.h"

namespace cartwheel {

void PingCommand(Call& call) {
  if (call.arg_count() > 2) {
    return call.Error("ERR wrong number of arguments for 'ping' command");
  }
  if (call.arg_count() == 2) {
    call.Reply().Bulk(call.arg(1));
  } else {
    call.Reply().Simple("PONG");
  }
}

void EchoCommand(Call& call) { call.Reply().Bulk(call.arg(1)); }

void QuitCommand(Call& call) {
  call.session().close_after_reply = true;
  call.Reply().Ok();
}

void CommandCommand(Call& call) {
  if (call.arg_count() == 2 && EqualsIgnoreCase(call.arg(1), "count")) {
    return call.Reply().Integer(static_cast<int64_t>(CommandTable().size()));
  }
  call.Error("ERR syntax error");
}

}  // namespace cartwheel
