#include "server/client_control.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/pipeline.h"
#include "server/replies.h"
#include "server/text.h"

namespace cartwheel {
namespace {

// What CLIENT KILL's words ask for; nothing given fits all.
struct KillFilter {
  std::optional<uint64_t> id;
  std::optional<ClientType> type;
  std::optional<std::string> address;
  std::optional<std::string> local_address;
  bool skip_me = true;

  bool Fits(const Session& session, const Session& me) const {
    return (!id || *id == session.id) && (!type || *type == TypeOf(session)) &&
           (!address || *address == session.address) &&
           (!local_address || *local_address == session.local_address) &&
           !(skip_me && &session == &me);
  }
};

// Closes all that fit; how many.
int64_t Kill(Call& call, const KillFilter& filter) {
  std::vector<uint64_t> ids;
  for (const auto& [id, session] : call.server().sessions) {
    if (filter.Fits(*session, call.session())) ids.push_back(id);
  }
  for (const uint64_t id : ids) {
    if (id == call.session().id) {
      call.session().close_after_reply = true;
    } else {
      call.server().close_client(id);
    }
  }
  return static_cast<int64_t>(ids.size());
}

// One pair of words; the error line, or nothing when it is right.
std::string TakePair(std::string_view word, std::string_view value, KillFilter* filter) {
  if (EqualsIgnoreCase(word, "ID")) {
    const auto id = ParseInteger(value);
    if (!id || *id < 1) return "ERR client-id should be greater than 0";
    filter->id = static_cast<uint64_t>(*id);
  } else if (EqualsIgnoreCase(word, "TYPE")) {
    filter->type = ParseClientType(value);
    if (!filter->type) return fmt::format("ERR Unknown client type '{}'", Shown(value));
  } else if (EqualsIgnoreCase(word, "ADDR")) {
    filter->address = value;
  } else if (EqualsIgnoreCase(word, "LADDR")) {
    filter->local_address = value;
  } else if (EqualsIgnoreCase(word, "USER")) {
    if (value != "default") return fmt::format("ERR No such user '{}'", Shown(value));
  } else if (EqualsIgnoreCase(word, "SKIPME") && EqualsIgnoreCase(value, "yes")) {
    filter->skip_me = true;
  } else if (EqualsIgnoreCase(word, "SKIPME") && EqualsIgnoreCase(value, "no")) {
    filter->skip_me = false;
  } else {
    return "ERR syntax error";
  }
  return {};
}

void EndPause(Server* server) {
  server->pause.until_us = 0;
  server->timers.Cancel(std::exchange(server->pause.timer, 0));
  for (Pipeline* const waiting : std::exchange(server->pause.waiting, {})) waiting->Wake();
}

}  // namespace

std::optional<ClientType> ParseClientType(std::string_view word) {
  if (EqualsIgnoreCase(word, "normal")) return ClientType::kNormal;
  if (EqualsIgnoreCase(word, "master")) return ClientType::kMaster;
  if (EqualsIgnoreCase(word, "replica") || EqualsIgnoreCase(word, "slave")) {
    return ClientType::kReplica;
  }
  if (EqualsIgnoreCase(word, "pubsub")) return ClientType::kPubSub;
  return std::nullopt;
}

ClientType TypeOf(const Session& session) {
  return session.Subscriptions() > 0 ? ClientType::kPubSub : ClientType::kNormal;
}

void ReplyUnknownType(Call& call, std::string_view type) {
  call.Error(fmt::format("ERR Unknown client type '{}'", Shown(type)));
}

void ClientKillCommand(Call& call) {
  KillFilter filter;
  if (call.arg_count() == 3) {  // the old form
    filter.address = call.CopyOf(2);
    filter.skip_me = false;
    if (Kill(call, filter) == 0) return call.Error("ERR No such client");
    return call.Reply().Ok();
  }
  if (call.arg_count() % 2 != 0) return call.Error("ERR syntax error");
  for (size_t index = 2; index < call.arg_count(); index += 2) {
    const std::string error = TakePair(call.arg(index), call.arg(index + 1), &filter);
    if (!error.empty()) return call.Error(error);
  }
  call.Reply().Integer(Kill(call, filter));
}

// A second PAUSE does not shorten the first, nor let pass what that holds up.
void ClientPauseCommand(Call& call) {
  const auto timeout_ms = ParseInteger(call.arg(2));
  if (!timeout_ms || *timeout_ms > INT64_MAX / 2000) {
    return call.Error("ERR timeout is not an integer or out of range");
  }
  if (*timeout_ms < 0) return call.Error("ERR timeout is negative");
  bool writes_only = false;
  if (call.arg_count() > 4) return ReplyWrongWords(call);
  if (call.arg_count() == 4) {
    writes_only = EqualsIgnoreCase(call.arg(3), "WRITE");
    if (!writes_only && !EqualsIgnoreCase(call.arg(3), "ALL")) {
      return call.Error("ERR CLIENT PAUSE mode must be WRITE or ALL");
    }
  }
  Server& server = call.server();
  Pause& pause = server.pause;
  const bool running = pause.until_us != 0;
  const int64_t until_us = call.now().mono_us + *timeout_ms * 1000;
  pause.writes_only = writes_only && (!running || pause.writes_only);
  pause.until_us = std::max(pause.until_us, until_us);
  server.timers.Cancel(pause.timer);
  pause.timer = server.timers.Add(pause.until_us, [&server] { EndPause(&server); });
  call.Reply().Ok();
}

void ClientUnpauseCommand(Call& call) {
  EndPause(&call.server());
  call.Reply().Ok();
}

void ClientReplyCommand(Call& call) {
  Session& session = call.session();
  if (EqualsIgnoreCase(call.arg(2), "ON")) {
    session.reply_off = false;
    call.Mute(false);
    return call.Reply().Ok();
  }
  const bool off = EqualsIgnoreCase(call.arg(2), "OFF");
  if (!off && !EqualsIgnoreCase(call.arg(2), "SKIP")) return call.Error("ERR syntax error");
  if (off) {
    session.reply_off = true;
  } else {
    session.skip_next_reply = !session.reply_off;
  }
}

// It is only WAIT that waits.
void ClientUnblockCommand(Call& call) {
  const auto id = ParseInteger(call.arg(2));
  if (!id) return call.Error("ERR value is not an integer or out of range");
  bool error = false;
  if (call.arg_count() > 4) return ReplyWrongWords(call);
  if (call.arg_count() == 4) {
    error = EqualsIgnoreCase(call.arg(3), "ERROR");
    if (!error && !EqualsIgnoreCase(call.arg(3), "TIMEOUT")) {
      return call.Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    }
  }
  const auto found = call.server().sessions.find(static_cast<uint64_t>(*id));
  if (found == call.server().sessions.end() || !found->second->blocked) {
    return call.Reply().Integer(0);
  }
  found->second->unblocked = error ? Session::Unblocked::kError : Session::Unblocked::kTimeout;
  call.Reply().Integer(1);
}

}  // namespace cartwheel
