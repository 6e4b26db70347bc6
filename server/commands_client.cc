// CLIENT: what connections are called, and who is connected.
#include <fmt/format.h>

#include <string>

#include "server/client_names.h"
#include "server/command.h"
#include "server/commands.h"
#include "server/text.h"

namespace cartwheel {
namespace {

// One line of CLIENT LIST, in Redis's fields. Fields of what does not exist here (subscriptions,
// MULTI, tracking) have the values of a client that uses none of it.
std::string Describe(const Session& session, const Server& server) {
  const int64_t now_us = server.now.mono_us;
  const size_t free_bytes = session.input_allocated_bytes > session.input_bytes
                                ? session.input_allocated_bytes - session.input_bytes
                                : 0;
  const size_t total =
      session.input_allocated_bytes + session.output_bytes + session.kept_bytes + sizeof(Session);
  return fmt::format(
      "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={}{} db={} sub=0 psub=0 ssub=0 "
      "multi=-1 qbuf={} qbuf-free={} argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl={} oll={} omem={} "
      "tot-mem={} events=r cmd={} user=default redir=-1 resp={} lib-name={} lib-ver={}",
      session.id, session.address, session.local_address, session.fd, session.name,
      (now_us - session.connected_at_us) / 1'000'000,
      (now_us - session.last_command_at_us) / 1'000'000, session.readonly ? "r" : "",
      session.no_evict ? "e" : (session.readonly ? "" : "N"), session.db, session.input_bytes,
      free_bytes, session.output_bytes, session.kept_bytes > 0 ? 1 : 0, session.kept_bytes, total,
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
    return call.Error(fmt::format("ERR Unrecognized option '{}'", call.arg(2).substr(0, 128)));
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

void ReplyAllClients(Call& call) {
  std::string text;
  for (const auto& [id, session] : call.server().sessions) {
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
    if (!id || *id < 0) return call.Error("ERR Invalid client ID");
    const auto found = sessions.find(static_cast<uint64_t>(*id));
    if (found == sessions.end()) continue;
    text += Describe(*found->second, call.server());
    text += '\n';
  }
  call.Reply().Verbatim("txt", text);
}

// CLIENT LIST [TYPE normal|master|replica|pubsub] [ID id ...]
void ClientList(Call& call) {
  if (call.arg_count() == 2) return ReplyAllClients(call);
  if (call.arg_count() > 3 && EqualsIgnoreCase(call.arg(2), "ID")) return ReplyClientsById(call);
  if (call.arg_count() != 4 || !EqualsIgnoreCase(call.arg(2), "TYPE")) {
    return call.Error("ERR syntax error");
  }
  if (EqualsIgnoreCase(call.arg(3), "normal")) return ReplyAllClients(call);
  for (const std::string_view type : {"master", "replica", "slave", "pubsub"}) {
    if (EqualsIgnoreCase(call.arg(3), type)) return call.Reply().Verbatim("txt", "");
  }
  call.Error(fmt::format("ERR Unknown client type '{}'", call.arg(3).substr(0, 128)));
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

constexpr CommandRow kClientTable[] = {
    {"client|getname",
     2,
     kNoScript | kAnytime,
     {},
     ClientGetName,
     "2.6.9",
     "The name of this connection.",
     "GETNAME"},
    {"client|id",
     2,
     kNoScript | kAnytime,
     {},
     ClientId,
     "5.0.0",
     "The id of this connection.",
     "ID"},
    {"client|info",
     2,
     kNoScript | kAnytime,
     {},
     ClientInfo,
     "6.2.0",
     "This connection, as a line of LIST.",
     "INFO"},
    {"client|list",
     -2,
     kAdmin | kNoScript | kAnytime,
     {},
     ClientList,
     "2.4.0",
     "Connections, a line for each.",
     "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <id> ...]"},
    {"client|no-evict",
     3,
     kAdmin | kNoScript | kAnytime,
     {},
     ClientNoEvict,
     "7.0.0",
     "Keeps this client from being evicted.",
     "NO-EVICT (ON|OFF)"},
    {"client|no-touch",
     3,
     kNoScript | kAnytime,
     {},
     ClientNoTouch,
     "7.2.0",
     "Keeps this client's reads from counting as use of a key.",
     "NO-TOUCH (ON|OFF)"},
    {"client|setinfo",
     4,
     kNoScript | kAnytime,
     {},
     ClientSetInfo,
     "7.2.0",
     "Says which library speaks here.",
     "SETINFO (LIB-NAME|LIB-VER) <value>"},
    {"client|setname",
     3,
     kNoScript | kAnytime,
     {},
     ClientSetName,
     "2.6.9",
     "Names this connection.",
     "SETNAME <name>"},
};

constexpr CommandRow kRows[] = {
    {"client",
     -2,
     0,
     {},
     nullptr,
     "2.4.0",
     "Names, describes and lists connections.",
     {},
     {},
     kClientTable},
};

}  // namespace

CommandFamily ClientCommands() { return {"connection", kRows}; }

}  // namespace cartwheel
