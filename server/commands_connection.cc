// Commands about the connection: PING, ECHO, HELLO, AUTH, SELECT, QUIT, RESET. CLIENT is in
// commands_client.cc.
#include <fmt/format.h>
#include <openssl/crypto.h>

#include <string>

#include "base/hash.h"
#include "server/client_names.h"
#include "server/command.h"
#include "server/commands.h"
#include "server/key_options.h"
#include "server/pipeline.h"
#include "server/text.h"
#include "server/version.h"

namespace cartwheel {
namespace {

constexpr std::string_view kWrongPassword =
    "WRONGPASS invalid username-password pair or user is disabled.";

// Takes the same time whatever the guess: digests are compared, not the passwords.
bool SamePassword(std::string_view a, std::string_view b) {
  const auto digest_a = HmacSha256("cartwheel", a);
  const auto digest_b = HmacSha256("cartwheel", b);
  return CRYPTO_memcmp(digest_a.data(), digest_b.data(), digest_a.size()) == 0;
}

// There is one user, "default"; without `requirepass` any password fits it.
bool Authenticate(Call& call, std::string_view user, std::string_view password) {
  const std::string& wanted = call.server().options.requirepass;
  const bool fits = user == "default" && (wanted.empty() || SamePassword(password, wanted));
  if (fits) call.session().authenticated = true;
  return fits;
}

void ReplyHello(Call& call) {
  const Session& session = call.session();
  ReplyWriter reply = call.Reply();
  reply.Map(8);
  reply.Bulk("server");
  reply.Bulk("redis");
  reply.Bulk("version");
  reply.Bulk(kRedisVersion);
  reply.Bulk("proto");
  reply.Integer(session.resp == Resp::k3 ? 3 : 2);
  reply.Bulk("id");
  reply.Integer(static_cast<int64_t>(session.id));
  reply.Bulk("mode");
  reply.Bulk("cluster");
  reply.Bulk("role");
  reply.Bulk("master");
  reply.Bulk("modules");
  reply.Array(0);
  reply.Bulk("cartwheel_version");
  reply.Bulk(Version());
}

void PingCommand(Call& call) {
  if (call.arg_count() > 2) {
    return call.Error("ERR wrong number of arguments for 'ping' command");
  }
  const bool subscribed = call.session().resp == Resp::k2 && call.session().Subscriptions() > 0;
  if (subscribed) {  // what comes on such a connection are arrays alone
    ReplyWriter reply = call.Reply();
    reply.Array(2);
    reply.Bulk("pong");
    reply.Bulk(call.arg_count() == 2 ? call.arg(1) : "");
  } else if (call.arg_count() == 2) {
    call.Reply().Bulk(call.arg(1));
  } else {
    call.Reply().Simple("PONG");
  }
}

void EchoCommand(Call& call) { call.Reply().Bulk(call.arg(1)); }

// HELLO [protover [AUTH user password] [SETNAME name]]: all or nothing.
void HelloCommand(Call& call) {
  Resp version = call.session().resp;
  if (call.arg_count() >= 2) {
    const auto number = ParseInteger(call.arg(1));
    if (!number) return call.Error("ERR Protocol version is not an integer or out of range");
    if (*number != 2 && *number != 3) {
      return call.Error("NOPROTO unsupported protocol version");
    }
    version = *number == 3 ? Resp::k3 : Resp::k2;
  }
  const std::string_view* name = nullptr;
  size_t auth = 0;  // where AUTH stands
  for (size_t index = 2; index < call.arg_count(); ++index) {
    const std::string_view option = call.arg(index);
    const size_t left = call.arg_count() - index - 1;
    if (EqualsIgnoreCase(option, "AUTH") && left >= 2) {
      auth = index;
      index += 2;
    } else if (EqualsIgnoreCase(option, "SETNAME") && left >= 1) {
      name = &call.args()[++index];
    } else {
      return call.Error(
          fmt::format("ERR Syntax error in HELLO option '{}'", Shown(option, option.size())));
    }
  }
  if (auth != 0 && !Authenticate(call, call.arg(auth + 1), call.arg(auth + 2))) {
    return call.Error(kWrongPassword);
  }
  if (call.server().NeedsAuth(call.session())) {
    return call.Error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "AUTH <user> <pass> option can be used to authenticate the client and select the RESP "
        "protocol version at the same time");
  }
  if (name != nullptr) {
    if (!IsClientName(*name)) return call.Error(kBadClientName);
    call.session().name = *name;
  }
  call.SwitchTo(version);
  ReplyHello(call);
}

void AuthCommand(Call& call) {
  if (call.arg_count() > 3) return call.Error("ERR syntax error");
  if (call.arg_count() == 2 && call.server().options.requirepass.empty()) {
    return call.Error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  }
  const bool named = call.arg_count() == 3;
  const std::string_view user = named ? call.arg(1) : "default";
  if (!Authenticate(call, user, call.arg(named ? 2 : 1))) return call.Error(kWrongPassword);
  call.Reply().Ok();
}

void SelectCommand(Call& call) {
  const auto db = ParseDatabase(call.arg(1), call.server().options.databases);
  if (!db) return call.Error(db.error().message);
  call.session().db = *db;
  call.Reply().Ok();
}

void QuitCommand(Call& call) {
  call.session().close_after_reply = true;
  call.Reply().Ok();
}

// The connection as it was when it came.
void ResetCommand(Call& call) {
  Session& session = call.session();
  session.db = 0;
  session.authenticated = call.server().options.requirepass.empty();
  session.readonly = false;
  session.asked_for_map = false;
  session.no_evict = false;
  session.no_touch = false;
  session.r = 0;
  session.w = 0;
  session.name.clear();
  session.reply_off = session.skip_next_reply = false;
  call.Mute(false);
  session.transaction = {};
  session.monitor = false;
  call.server().monitors.erase(&call.pipeline());
  call.server().pubsub.UnsubscribeAll(&call.pipeline());
  call.SwitchTo(Resp::k2);
  call.Reply().Simple("RESET");
}

constexpr CommandRow kRows[] = {
    {"auth", -2, kOpening, kNoKeys, AuthCommand, "1.0.0", "Authenticates the connection."},
    {"echo", 2, kFast | kAnytime, kNoKeys, EchoCommand, "1.0.0", "Answers with its argument."},
    {"hello", -1, kOpening, kNoKeys, HelloCommand, "6.0.0",
     "Greets the server and chooses the protocol version."},
    {"ping", -1, kFast | kWhileSubscribed, kNoKeys, PingCommand, "1.0.0", "Answers PONG."},
    {"quit", -1, kOpening | kWhileSubscribed | kEndsMulti, kNoKeys, QuitCommand, "1.0.0",
     "Closes the connection."},
    {"reset", 1, kOpening | kWhileSubscribed | kEndsMulti | kBarrier, kNoKeys, ResetCommand,
     "6.2.0", "Puts the connection back to how it began."},
    {"select", 2, kFast | kAnytime, kNoKeys, SelectCommand, "1.0.0", "Chooses the database."},
};

}  // namespace

CommandFamily ConnectionCommands() { return {"connection", kRows}; }

}  // namespace cartwheel
