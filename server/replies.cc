#include "server/replies.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/hash.h"
#include "server/text.h"

namespace cartwheel {
namespace {

void ReplyIntegers(Call& call, std::string_view encoded) {
  const auto integers = DecodeIntegers(encoded);
  ReplyWriter reply = call.Reply();
  reply.Array(integers.size());
  for (const std::optional<int64_t>& integer : integers) {
    if (integer) {
      reply.Integer(*integer);
    } else {
      reply.Null();
    }
  }
}

}  // namespace

void ReplyUpdate(Call& call, Answer& answer) {
  const UpdateAnswer* update = call.Expect<UpdateAnswer>(answer);
  if (update == nullptr) return;
  const UpdateResult& result = update->result;
  switch (result.type) {
    case UpdateResult::Type::kOk: return call.Reply().Ok();
    case UpdateResult::Type::kNull: return call.Reply().Null();
    case UpdateResult::Type::kInteger: return call.Reply().Integer(result.integer);
    case UpdateResult::Type::kBulk: return call.Reply().Bulk(result.text);
    case UpdateResult::Type::kError: return call.Error(result.text);
    case UpdateResult::Type::kIntegers: return ReplyIntegers(call, result.text);
  }
}

void StartUpdate(Call& call, Update update, Continuation then) {
  call.Start(UpdateOperation{call.KeyAt(1), std::move(update), call.r(), call.w()}, then);
}

void ReplyPutOk(Call& call, Answer& answer) {
  if (call.Expect<PutAnswer>(answer) != nullptr) call.Reply().Ok();
}

void ReplyDone(Call& call, Answer& answer) {
  if (call.Expect<Done>(answer) != nullptr) call.Reply().Ok();
}

void ReplyDecided(Call& call, Answer& answer) {
  if (const auto* quorum = std::get_if<NoQuorum>(&answer.result)) {
    return call.Error(fmt::format(
        "NOQUORUM a change of the ring needs {} members, {} answered (it may still be decided)",
        quorum->needed, quorum->answered));
  }
  ReplyDone(call, answer);
}

View ViewOf(const Call& call) { return call.server().node->ViewOf(call.db(), call.now()); }

const Sibling* NewestOf(Call& call, const ReadAnswer& read) {
  const Sibling* newest = read.object.Newest(ViewOf(call));
  ServerCounters& counters = call.server().counters;
  ++(newest != nullptr ? counters.keyspace_hits : counters.keyspace_misses);
  return newest;
}

uint64_t LiveVersion(const Object& object, const View& view) {
  uint64_t hash = 0;
  for (const Sibling& sibling : object.siblings) {
    if (!sibling.LiveAt(view)) continue;
    const uint64_t dot[] = {sibling.dot.actor.node, sibling.dot.actor.birth, sibling.dot.counter};
    hash = Hash64({reinterpret_cast<const char*>(dot), sizeof(dot)}, hash + 1);
  }
  return hash;
}

void ReplyWrongWords(Call& call) {
  call.Error("ERR unknown subcommand or wrong number of arguments for '" +
             std::string(Shown(call.arg(1))) + "'. Try " +
             UpperCase(call.command().container->name) + " HELP.");
}

bool RingKnown(Call& call) {
  if (call.server().node->serves()) return true;
  Answer answer;
  answer.result = Loading{};
  call.ReplyFailure(answer);
  return false;
}

}  // namespace cartwheel
