// The subcommands of CLIENT that act on connections: KILL, PAUSE, REPLY, UNBLOCK. Their rows are in
// commands_client.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "server/command.h"

namespace cartwheel {

enum class ClientType : uint8_t { kNormal, kMaster, kReplica, kPubSub };
std::optional<ClientType> ParseClientType(std::string_view word);
ClientType TypeOf(const Session& session);
void ReplyUnknownType(Call& call, std::string_view type);

void ClientKillCommand(Call& call);
void ClientPauseCommand(Call& call);
void ClientUnpauseCommand(Call& call);
void ClientReplyCommand(Call& call);
void ClientUnblockCommand(Call& call);

}  // namespace cartwheel
