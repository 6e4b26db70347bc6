#include "server/keyspace_events.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <variant>

#include "server/notifications.h"
#include "server/server.h"

namespace cartwheel {
namespace {

struct Name {
  std::string_view command;
  std::string_view event;
  uint32_t event_class;
};

// What a command's value is told as, in alphabetical order; those that are not here tell nothing.
constexpr Name kWritten[] = {
    {"append", "append", kNotifyString},
    {"bitfield", "setbit", kNotifyString},
    {"bitop", "set", kNotifyString},
    {"copy", "copy_to", kNotifyGeneric},
    {"decr", "incrby", kNotifyString},
    {"decrby", "incrby", kNotifyString},
    {"dyn.put", "set", kNotifyString},
    {"getset", "set", kNotifyString},
    {"incr", "incrby", kNotifyString},
    {"incrby", "incrby", kNotifyString},
    {"incrbyfloat", "incrbyfloat", kNotifyString},
    {"move", "move_to", kNotifyGeneric},
    {"mset", "set", kNotifyString},
    {"msetnx", "set", kNotifyString},
    {"pfadd", "pfadd", kNotifyString},
    {"pfmerge", "pfadd", kNotifyString},
    {"psetex", "set", kNotifyString},
    {"rename", "rename_to", kNotifyGeneric},
    {"renamenx", "rename_to", kNotifyGeneric},
    {"restore", "restore", kNotifyGeneric},
    {"set", "set", kNotifyString},
    {"setbit", "setbit", kNotifyString},
    {"setex", "set", kNotifyString},
    {"setnx", "set", kNotifyString},
    {"setrange", "setrange", kNotifyString},
};

KeyspaceEvent Written(const Key& key, std::string_view command, bool expires) {
  const auto* const found = std::lower_bound(
      std::begin(kWritten), std::end(kWritten), command,
      [](const Name& name, std::string_view wanted) { return name.command < wanted; });
  if (found == std::end(kWritten) || found->command != command) return {};
  return {key, found->event, found->event_class, expires};
}

KeyspaceEvent Generic(const Key& key, std::string_view name) {
  return {key, name, kNotifyGeneric, false};
}

KeyspaceEvent Deleted(const Key& key, std::string_view command) {
  if (command.starts_with("rename")) return Generic(key, "rename_from");
  return Generic(key, command == "move" ? "move_from" : "del");
}

KeyspaceEvent OfUpdate(const UpdateOperation& operation, std::string_view command,
                       int64_t wall_ms) {
  const Update& update = operation.update;
  switch (update.kind) {
    case UpdateKind::kGetDelete: return Generic(operation.key, "del");
    case UpdateKind::kPersist: return Generic(operation.key, "persist");
    case UpdateKind::kExpire:
    case UpdateKind::kGetExpire:
      if ((update.flags & kPersistTtl) != 0) return Generic(operation.key, "persist");
      return Generic(operation.key, update.expires_at_ms <= wall_ms ? "del" : "expire");
    default:
      return Written(operation.key, command,
                     update.kind == UpdateKind::kSet && update.expires_at_ms != 0);
  }
}

void Publish(Server* server, const Key& key, std::string_view name, uint32_t event_class) {
  const uint32_t wanted = server->options.notifications;
  if ((wanted & event_class) == 0) return;
  if ((wanted & kNotifyKeyspace) != 0) {
    server->pubsub.Publish(false, fmt::format("__keyspace@{}__:{}", key.db, key.bytes), name);
  }
  if ((wanted & kNotifyKeyevent) != 0) {
    server->pubsub.Publish(false, fmt::format("__keyevent@{}__:{}", key.db, name), key.bytes);
  }
}

// Whether what was asked for has happened; for a read, that nothing was there.
bool CameTrue(const Server& server, const KeyspaceEvent& event, const Answer& answer) {
  if (const auto* update = std::get_if<UpdateAnswer>(&answer.result)) return update->result.changed;
  if (const auto* gone = std::get_if<DeleteAnswer>(&answer.result)) return gone->deleted;
  if (const auto* read = std::get_if<ReadAnswer>(&answer.result)) {
    return read->object.Newest(server.node->ViewOf(event.key.db, server.now)) == nullptr;
  }
  return std::holds_alternative<PutAnswer>(answer.result);
}

bool MadeKey(const KeyspaceEvent& event, const Answer& answer) {
  if (event.name == "del" || event.name.ends_with("_from")) return false;
  if (const auto* update = std::get_if<UpdateAnswer>(&answer.result)) return update->result.fresh;
  const auto* put = std::get_if<PutAnswer>(&answer.result);
  return put != nullptr && put->fresh;
}

}  // namespace

bool KeyspaceEventsWanted(const Server& server) {
  return (server.options.notifications & (kNotifyKeyspace | kNotifyKeyevent)) != 0;
}

KeyspaceEvent EventOf(const Server& server, const Command& command, const Operation& operation) {
  const bool writes = (command.flags & kWrite) != 0;
  if (const auto* read = std::get_if<ReadOperation>(&operation)) {
    // WATCH, EXEC and WAIT look at keys, they do not read them; nor do OBJECT and MEMORY.
    const bool reads = (command.flags & kReadonly) != 0 && command.container == nullptr;
    return reads ? KeyspaceEvent{read->key, "keymiss", kNotifyMiss, false} : KeyspaceEvent{};
  }
  if (!writes) return {};
  if (const auto* put = std::get_if<PutOperation>(&operation)) {
    if (put->kind == Kind::kTombstone) return Deleted(put->key, command.name);
    return Written(put->key, command.name, put->expires_at_ms != 0);
  }
  if (const auto* gone = std::get_if<DeleteOperation>(&operation)) {
    return Deleted(gone->key, command.name);
  }
  if (const auto* update = std::get_if<UpdateOperation>(&operation)) {
    return OfUpdate(*update, command.name, server.now.wall_ms);
  }
  return {};
}

void NoteAnswer(Server* server, const KeyspaceEvent& event, const Answer& answer) {
  if (event.name.empty() || !CameTrue(*server, event, answer)) return;
  if (MadeKey(event, answer)) Publish(server, event.key, "new", kNotifyNew);
  Publish(server, event.key, event.name, event.event_class);
  if (event.expires) Publish(server, event.key, "expire", kNotifyGeneric);
}

void NoteExpired(Server* server, const Key& key) {
  ++server->counters.expired_keys;
  if (KeyspaceEventsWanted(*server)) Publish(server, key, "expired", kNotifyExpired);
}

}  // namespace cartwheel
