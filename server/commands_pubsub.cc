// Pub/Sub. A subscription lives at the node that the client is connected to; what is published at
// any node reaches the subscribers of all, best effort, as in Redis Cluster. Sharded channels are
// channels of another name space: any node takes them, as any node serves any key.
#include <string>
#include <utility>

#include "server/command.h"
#include "server/commands.h"
#include "server/pipeline.h"
#include "server/pubsub.h"
#include "server/replies.h"
#include "server/text.h"

namespace cartwheel {
namespace {

// What CLIENT LIST and the replies count: sharded channels for themselves.
int64_t CountOf(const Session& session, Subscription kind) {
  if (kind == Subscription::kShard) return static_cast<int64_t>(session.subscriptions[2].size());
  return static_cast<int64_t>(session.subscriptions[0].size() + session.subscriptions[1].size());
}

void ReplyChanged(Call& call, std::string_view what, const std::string_view* name,
                  Subscription kind) {
  call.Mute(false);  // as a message it is no reply: CLIENT REPLY does not hold it back
  ReplyWriter reply = call.Reply();
  reply.Push(3);
  reply.Bulk(what);
  if (name != nullptr) {
    reply.Bulk(*name);
  } else {
    reply.Null();
  }
  reply.Integer(CountOf(call.session(), kind));
}

void Subscribe(Call& call, std::string_view what, Subscription kind) {
  for (const std::string_view name : call.args().subspan(1)) {
    call.server().pubsub.Subscribe(&call.pipeline(), kind, name);
    ReplyChanged(call, what, &name, kind);
  }
}

void Unsubscribe(Call& call, std::string_view what, Subscription kind) {
  PubSub& pubsub = call.server().pubsub;
  if (call.arg_count() > 1) {
    for (const std::string_view name : call.args().subspan(1)) {
      pubsub.Unsubscribe(&call.pipeline(), kind, name);
      ReplyChanged(call, what, &name, kind);
    }
    return;
  }
  const auto names = call.session().subscriptions[static_cast<size_t>(kind)];
  if (names.empty()) return ReplyChanged(call, what, nullptr, kind);
  for (const std::string& name : names) {
    const std::string_view view = name;
    pubsub.Unsubscribe(&call.pipeline(), kind, view);
    ReplyChanged(call, what, &view, kind);
  }
}

void SubscribeCommand(Call& call) { Subscribe(call, "subscribe", Subscription::kChannel); }
void PSubscribeCommand(Call& call) { Subscribe(call, "psubscribe", Subscription::kPattern); }
void SSubscribeCommand(Call& call) { Subscribe(call, "ssubscribe", Subscription::kShard); }
void UnsubscribeCommand(Call& call) { Unsubscribe(call, "unsubscribe", Subscription::kChannel); }
void PUnsubscribeCommand(Call& call) { Unsubscribe(call, "punsubscribe", Subscription::kPattern); }
void SUnsubscribeCommand(Call& call) { Unsubscribe(call, "sunsubscribe", Subscription::kShard); }

// A node that knows no ring yet has nobody else to tell.
void ReplyReceivers(Call& call, Answer&) { call.Reply().Integer(call.counter); }

void Publish(Call& call, bool sharded) {
  call.counter = call.server().pubsub.Publish(sharded, call.arg(1), call.arg(2));
  call.Start(PublishOperation{sharded, call.CopyOf(1), call.CopyOf(2)}, ReplyReceivers);
}

void PublishCommand(Call& call) { Publish(call, false); }
void SPublishCommand(Call& call) { Publish(call, true); }

void ReplyNames(Call& call, Subscription kind) {
  if (call.arg_count() > 3) return ReplyWrongWords(call);
  const auto names =
      call.server().pubsub.Names(kind, call.arg_count() == 3 ? call.arg(2) : std::string_view());
  ReplyWriter reply = call.Reply();
  reply.Array(names.size());
  for (const std::string_view name : names) reply.Bulk(name);
}

void ReplyCounts(Call& call, Subscription kind) {
  ReplyWriter reply = call.Reply();
  reply.Array(2 * (call.arg_count() - 2));
  for (const std::string_view name : call.args().subspan(2)) {
    reply.Bulk(name);
    reply.Integer(static_cast<int64_t>(call.server().pubsub.SubscribersOf(kind, name)));
  }
}

void PubSubChannels(Call& call) { ReplyNames(call, Subscription::kChannel); }
void PubSubShardChannels(Call& call) { ReplyNames(call, Subscription::kShard); }
void PubSubNumSub(Call& call) { ReplyCounts(call, Subscription::kChannel); }
void PubSubShardNumSub(Call& call) { ReplyCounts(call, Subscription::kShard); }
void PubSubNumPat(Call& call) {
  call.Reply().Integer(static_cast<int64_t>(call.server().pubsub.Count(Subscription::kPattern)));
}

constexpr uint32_t kListening = kPubSub | kNoScript | kAnytime | kWhileSubscribed | kBarrier;
constexpr uint32_t kPublishing = kPubSub | kAnytime | kFast | kMayReplicate;
constexpr uint32_t kAsking = kPubSub | kAnytime;
constexpr std::string_view kOwnNode = "counts the subscribers of the node that is asked";

constexpr CommandRow kPubSubTable[] = {
    {"pubsub|channels", -2, kAsking, kNoKeys, PubSubChannels, "2.8.0",
     "Channels with subscribers at this node.", "CHANNELS [<pattern>]", kOwnNode},
    {"pubsub|numpat", 2, kAsking, kNoKeys, PubSubNumPat, "2.8.0",
     "How many patterns are subscribed to at this node.", "NUMPAT", kOwnNode},
    {"pubsub|numsub", -2, kAsking, kNoKeys, PubSubNumSub, "2.8.0",
     "How many subscribers channels have at this node.", "NUMSUB [<channel> ...]", kOwnNode},
    {"pubsub|shardchannels", -2, kAsking, kNoKeys, PubSubShardChannels, "7.0.0",
     "Sharded channels with subscribers at this node.", "SHARDCHANNELS [<pattern>]", kOwnNode},
    {"pubsub|shardnumsub", -2, kAsking, kNoKeys, PubSubShardNumSub, "7.0.0",
     "How many subscribers sharded channels have at this node.", "SHARDNUMSUB [<channel> ...]",
     kOwnNode},
};

constexpr CommandRow kRows[] = {
    {"psubscribe", -2, kListening, kNoKeys, PSubscribeCommand, "2.0.0",
     "Listens to the channels that match patterns."},
    {"publish", 3, kPublishing, kNoKeys, PublishCommand, "2.0.0",
     "Sends a message to the subscribers of a channel at every node.", "",
     "answers with the number of subscribers at the node that is asked, as in Redis Cluster; with "
     "RESP3 a message to the publisher itself follows the reply, as since Redis 7.2"},
    {"pubsub", -2, 0, kNoKeys, nullptr, "2.8.0", "Who is subscribed to what.", "", "",
     kPubSubTable},
    {"punsubscribe", -1, kListening, kNoKeys, PUnsubscribeCommand, "2.0.0",
     "Stops listening to patterns."},
    {"spublish", 3, kPublishing, OneKey(kKeyNotKey), SPublishCommand, "7.0.0",
     "Sends a message to the subscribers of a sharded channel at every node.", "",
     "sharded channels are served by every node; answers with the subscribers at this one"},
    {"ssubscribe", -2, kListening, AllKeys(kKeyNotKey), SSubscribeCommand, "7.0.0",
     "Listens to sharded channels.", "", "any node takes any sharded channel"},
    {"subscribe", -2, kListening, kNoKeys, SubscribeCommand, "2.0.0", "Listens to channels."},
    {"sunsubscribe", -1, kListening, AllKeys(kKeyNotKey), SUnsubscribeCommand, "7.0.0",
     "Stops listening to sharded channels."},
    {"unsubscribe", -1, kListening, kNoKeys, UnsubscribeCommand, "2.0.0",
     "Stops listening to channels."},
};

}  // namespace

CommandFamily PubSubCommands() { return {"pubsub", kRows}; }

}  // namespace cartwheel
