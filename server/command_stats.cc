#include "server/command_stats.h"

#include "server/server.h"

namespace cartwheel {

void NoteFinished(Server* server, const Finished&) { ++server->counters.commands_processed; }

void NoteRejected(Server*, const Command&) {}

void NoteError(Server* server, std::string_view) { ++server->counters.errors_replied; }

}  // namespace cartwheel
