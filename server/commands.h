// The handlers of all commands, by the file they are in. The table that names them is
// server/command_table.cc.
#pragma once

namespace cartwheel {

class Call;

// commands_connection.cc
void PingCommand(Call& call);
void EchoCommand(Call& call);
void HelloCommand(Call& call);
void AuthCommand(Call& call);
void SelectCommand(Call& call);
void QuitCommand(Call& call);
void ResetCommand(Call& call);

// commands_client.cc
void ClientCommand(Call& call);

// commands_command.cc
void CommandCommand(Call& call);

// commands_server.cc
void ConfigCommand(Call& call);
void InfoCommand(Call& call);
void TimeCommand(Call& call);
void ShutdownCommand(Call& call);
void DbSizeCommand(Call& call);
void FlushAllCommand(Call& call);
void FlushDbCommand(Call& call);

// commands_strings.cc
void GetCommand(Call& call);
void SetCommand(Call& call);
void SetNxCommand(Call& call);
void SetExCommand(Call& call);
void PSetExCommand(Call& call);
void GetSetCommand(Call& call);
void GetDelCommand(Call& call);
void GetExCommand(Call& call);
void MGetCommand(Call& call);
void MSetCommand(Call& call);
void AppendCommand(Call& call);
void StrLenCommand(Call& call);
void IncrCommand(Call& call);
void DecrCommand(Call& call);
void IncrByCommand(Call& call);
void DecrByCommand(Call& call);

// commands_keys.cc
void DelCommand(Call& call);
void ExistsCommand(Call& call);
void TypeCommand(Call& call);
void ExpireCommand(Call& call);
void PExpireCommand(Call& call);
void ExpireAtCommand(Call& call);
void PExpireAtCommand(Call& call);
void TtlCommand(Call& call);
void PersistCommand(Call& call);
void ScanCommand(Call& call);
void KeysCommand(Call& call);

// commands_dyn.cc
void DynGetCommand(Call& call);
void DynPutCommand(Call& call);
void DynDelCommand(Call& call);
void DynSiblingsCommand(Call& call);
void DynQuorumCommand(Call& call);
void DynExplainCommand(Call& call);

// commands_ring.cc
void DynPreflistCommand(Call& call);
void DynNodesCommand(Call& call);
void DynRingCommand(Call& call);
void DynStatusCommand(Call& call);
void DynRepairCommand(Call& call);
void DynJoinCommand(Call& call);
void DynHistoryCommand(Call& call);

// commands_cluster.cc
void ClusterCommand(Call& call);
void ReadonlyCommand(Call& call);
void ReadwriteCommand(Call& call);
void AskingCommand(Call& call);

}  // namespace cartwheel
