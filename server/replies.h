// Replies: how the core's answers read as Redis's replies, where several command families need the
// same.
#pragma once

#include "server/command.h"

namespace cartwheel {

// An UpdateAnswer as its result says: OK, null, integer, bulk, error, or an array of integers.
void ReplyUpdate(Call& call, Answer& answer);
// Starts an update of the key that is the first argument.
void StartUpdate(Call& call, Update update, Continuation then = ReplyUpdate);
// +OK for a PutAnswer.
void ReplyPutOk(Call& call, Answer& answer);
// +OK for Done.
void ReplyDone(Call& call, Answer& answer);

// +OK for the Done of a change of the ring; it needs a majority of the members.
void ReplyDecided(Call& call, Answer& answer);

// From where this call judges what is alive.
View ViewOf(const Call& call);
// What GET shows of a read, or nullptr. Counts the keyspace hit or miss.
const Sibling* NewestOf(Call& call, const ReadAnswer& read);

// A hash of the live versions: another one when the value is. 0 when nothing lives.
uint64_t LiveVersion(const Object& object, const View& view);

// What Redis says where a subcommand that takes more words or fewer was given too many.
void ReplyWrongWords(Call& call);

// -LOADING and false while the ring is not known: for commands that show the ring and start no
// operation.
bool RingKnown(Call& call);

}  // namespace cartwheel
