// CLIENT: what connections are called, and who is connected.
#include <fmt/format.h>

#include <optional>
#include <string>

#include "server/client_control.h"
#include "server/client_names.h"
#include "server/command.h"
#include "server/commands.h"
#include "server/text.h"

namespace cartwheel {
namespace {

// As Redis's letters: what a connection is up to.
std::string FlagsOf(const Session& session) {
  std::string flags;
  if (session.monitor) flags += 'O';
  if (session.Subscriptions() > 0) flags += 'P';
  if (session.transaction.open) flags += 'x';
  if (session.blocked) flags += 'b';
  if (session.close_after_reply) flags += 'c';
  if (session.unix_socket) flags += 'U';
  if (session.readonly) flags += 'r';
  if (session.no_evict) flags += 'e';
  return flags.empty() ? "N" : flags;
}

// One line of CLIENT LIST, in Redis's fields. Fields of what does not exist here (tracking) have
// the values of a client that uses none of it.
std::string Describe(const Session& session, const Server& server) {
  const int64_t now_us = server.now.mono_us;
  const size_t free_bytes = session.input_allocated_bytes > session.input_bytes
                                ? session.input_allocated_bytes - session.input_bytes
                                : 0;
  const Transaction& transaction = session.transaction;
  const size_t total = session.input_allocated_bytes + session.output_bytes + session.kept_bytes +
                       transaction.bytes + sizeof(Session);
  const int64_t queued = transaction.open ? static_cast<int64_t>(transaction.queue.size()) : -1;
  return fmt::format(
      "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} "
      "multi={} qbuf={} qbuf-free={} argv-mem=0 multi-mem={} rbs=0 rbp=0 obl={} oll={} omem={} "
      "tot-mem={} events={} cmd={} user=default redir=-1 resp={} lib-name={} lib-ver={}",
      session.id, session.address, session.local_address, session.fd, session.name,
      (now_us - session.connected_at_us) / 1'000'000,
      (now_us - session.last_command_at_us) / 1'000'000, FlagsOf(session), session.db,
      session.subscriptions[0].size(), session.subscriptions[1].size(),
      session.subscriptions[2].size(), queued, session.input_bytes, free_bytes, transaction.bytes,
      session.output_bytes, session.kept_bytes > 0 ? 1 : 0, session.kept_bytes, total,
      session.kept_bytes > 0 ? "rw" : "r",
      session.last_command.empty() ? "NULL" : session.last_command,
      session.resp == Resp::k3 ? 3 : 2, session.library_name, session.library_version);
}

void ClientId(Call& call) { call.Reply().Integer(static_cast<int64_t>(call.session().id)); }

void ClientGetName(Call& call) {
  if (call.session().name.empty()) return call.Reply().Null();
  call.Reply().Bulk(call.session().name);
}

void ClientSetName(Call& call) {
  if (!IsClientName(call.arg(2))) return call.Error(kBadClientName);
  call.session().name = call.arg(2);
  call.Reply().Ok();
}

// As of Redis 7.2; today's clients send it unasked.
void ClientSetInfo(Call& call) {
  const bool name = EqualsIgnoreCase(call.arg(2), "LIB-NAME");
  if (!name && !EqualsIgnoreCase(call.arg(2), "LIB-VER")) {
    return call.Error(fmt::format("ERR Unrecognized option '{}'", Shown(call.arg(2))));
  }
  if (!IsClientName(call.arg(3))) {
    return call.Error(fmt::format("ERR {} cannot contain spaces, newlines or special characters.",
                                  name ? "lib-name" : "lib-ver"));
  }
  (name ? call.session().library_name : call.session().library_version) = call.arg(3);
  call.Reply().Ok();
}

void ClientInfo(Call& call) {
  call.Reply().Verbatim("txt", Describe(call.session(), call.server()) + "\n");
}

void ReplyClients(Call& call, std::optional<ClientType> type) {
  std::string text;
  for (const auto& [id, session] : call.server().sessions) {
    if (type && TypeOf(*session) != *type) continue;
    text += Describe(*session, call.server());
    text += '\n';
  }
  call.Reply().Verbatim("txt", text);
}

void ReplyClientsById(Call& call) {
  const auto& sessions = call.server().sessions;
  std::string text;
  for (size_t index = 3; index < call.arg_count(); ++index) {
    const auto id = ParseInteger(call.arg(index));
    if (!id) return call.Error("ERR Invalid client ID");
    const auto found = sessions.find(static_cast<uint64_t>(*id));
    if (found == sessions.end()) continue;
    text += Describe(*found->second, call.server());
    text += '\n';
  }
  call.Reply().Verbatim("txt", text);
}

// CLIENT LIST [TYPE normal|master|replica|pubsub] [ID id ...]
void ClientList(Call& call) {
  if (call.arg_count() == 2) return ReplyClients(call, std::nullopt);
  if (call.arg_count() > 3 && EqualsIgnoreCase(call.arg(2), "ID")) return ReplyClientsById(call);
  if (call.arg_count() != 4 || !EqualsIgnoreCase(call.arg(2), "TYPE")) {
    return call.Error("ERR syntax error");
  }
  const auto type = ParseClientType(call.arg(3));
  if (!type) return ReplyUnknownType(call, call.arg(3));
  ReplyClients(call, type);
}

void SetSwitch(Call& call, bool* value) {
  if (EqualsIgnoreCase(call.arg(2), "ON")) {
    *value = true;
  } else if (EqualsIgnoreCase(call.arg(2), "OFF")) {
    *value = false;
  } else {
    return call.Error("ERR syntax error");
  }
  call.Reply().Ok();
}

void ClientNoEvict(Call& call) { SetSwitch(call, &call.session().no_evict); }
void ClientNoTouch(Call& call) { SetSwitch(call, &call.session().no_touch); }

void ClientGetRedir(Call& call) { call.Reply().Integer(-1); }

void ClientTrackingInfo(Call& call) {
  ReplyWriter reply = call.Reply();
  reply.Map(3);
  reply.Bulk("flags");
  reply.Set(1);
  reply.Bulk("off");
  reply.Bulk("redirect");
  reply.Integer(-1);
  reply.Bulk("prefixes");
  reply.Array(0);
}

constexpr uint32_t kAboutClients = kNoScript | kAnytime;
constexpr uint32_t kOverClients = kAdmin | kAboutClients;

constexpr CommandRow kClientTable[] = {
    {"client|getname", 2, kAboutClients, kNoKeys, ClientGetName, "2.6.9",
     "The name of this connection.", "GETNAME"},
    {"client|getredir", 2, kAboutClients, kNoKeys, ClientGetRedir, "6.0.0",
     "Where invalidations go: nowhere, there is no tracking.", "GETREDIR"},
    {"client|id", 2, kAboutClients, kNoKeys, ClientId, "5.0.0", "The id of this connection.", "ID"},
    {"client|info", 2, kAboutClients, kNoKeys, ClientInfo, "6.2.0",
     "This connection, as a line of LIST.", "INFO"},
    {"client|kill", -3, kOverClients, kNoKeys, ClientKillCommand, "2.4.0", "Closes connections.",
     "KILL (<ip:port> | [ID <id>] [TYPE <type>] [USER <name>] [ADDR <ip:port>] [LADDR <ip:port>] "
     "[SKIPME (YES|NO)])"},
    {"client|list", -2, kOverClients, kNoKeys, ClientList, "2.4.0", "Connections, a line for each.",
     "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <id> ...]"},
    {"client|no-evict", 3, kOverClients, kNoKeys, ClientNoEvict, "7.0.0",
     "Keeps this client from being evicted.", "NO-EVICT (ON|OFF)",
     "accepted; no client is evicted here"},
    {"client|no-touch", 3, kAboutClients, kNoKeys, ClientNoTouch, "7.2.0",
     "Keeps this client's reads from counting as use of a key.", "NO-TOUCH (ON|OFF)",
     "accepted; reads do not count as use here"},
    {"client|pause", -3, kOverClients, kNoKeys, ClientPauseCommand, "3.0.0",
     "Holds up the commands of all clients of this node.", "PAUSE <timeout> [WRITE|ALL]",
     "holds up this node's clients, not those of others"},
    {"client|reply", 3, kAboutClients, kNoKeys, ClientReplyCommand, "3.2.0",
     "Whether replies are sent.", "REPLY (ON|OFF|SKIP)"},
    {"client|setinfo", 4, kAboutClients, kNoKeys, ClientSetInfo, "7.2.0",
     "Says which library speaks here.", "SETINFO (LIB-NAME|LIB-VER) <value>"},
    {"client|setname", 3, kAboutClients, kNoKeys, ClientSetName, "2.6.9", "Names this connection.",
     "SETNAME <name>"},
    {"client|trackinginfo", 2, kAboutClients, kNoKeys, ClientTrackingInfo, "6.2.0",
     "There is no tracking: it is off.", "TRACKINGINFO"},
    {"client|unblock", -3, kOverClients, kNoKeys, ClientUnblockCommand, "5.0.0",
     "Ends the wait of a connection.", "UNBLOCK <id> [TIMEOUT|ERROR]"},
    {"client|unpause", 2, kOverClients, kNoKeys, ClientUnpauseCommand, "6.2.0", "Ends PAUSE.",
     "UNPAUSE"},
};

constexpr CommandRow kRows[] = {
    {"client", -2, 0, kNoKeys, nullptr, "2.4.0", "Names, describes and lists connections.", "", "",
     kClientTable},
};

}  // namespace

CommandFamily ClientCommands() { return {"connection", kRows}; }

}  // namespace cartwheel
