// The handlers of all commands, by the file they are in. The table that names them is
// server/command_table.cc.
#pragma once

namespace cartwheel {

class Call;

// commands_connection.cc
void PingCommand(Call& call);
void EchoCommand(Call& call);
void QuitCommand(Call& call);
void CommandCommand(Call& call);

// commands_string.cc
void GetCommand(Call& call);
void SetCommand(Call& call);

// commands_key.cc
void DelCommand(Call& call);

}  // namespace cartwheel
