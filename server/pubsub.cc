#include "server/pubsub.h"

#include "base/glob.h"
#include "server/pipeline.h"

namespace cartwheel {
namespace {

std::set<std::string, std::less<>>& NamesOf(Pipeline* client, Subscription kind) {
  return client->session().subscriptions[static_cast<size_t>(kind)];
}

}  // namespace

bool PubSub::Subscribe(Pipeline* client, Subscription kind, std::string_view name) {
  if (!NamesOf(client, kind).emplace(name).second) return false;
  Of(kind)[std::string(name)].insert(client);
  return true;
}

bool PubSub::Unsubscribe(Pipeline* client, Subscription kind, std::string_view name) {
  auto& names = NamesOf(client, kind);
  const auto own = names.find(name);
  if (own == names.end()) return false;
  const auto listeners = Of(kind).find(name);
  listeners->second.erase(client);
  if (listeners->second.empty()) Of(kind).erase(listeners);
  names.erase(own);
  return true;
}

void PubSub::UnsubscribeAll(Pipeline* client) {
  for (const Subscription kind :
       {Subscription::kChannel, Subscription::kPattern, Subscription::kShard}) {
    auto& names = NamesOf(client, kind);
    while (!names.empty()) Unsubscribe(client, kind, std::string(*names.begin()));
  }
}

int64_t PubSub::Publish(bool sharded, std::string_view channel, std::string_view message) {
  int64_t receivers = 0;
  const Listeners& named = Of(sharded ? Subscription::kShard : Subscription::kChannel);
  const auto found = named.find(channel);
  if (found != named.end()) {
    const std::string_view words[] = {sharded ? "smessage" : "message", channel, message};
    for (Pipeline* const client : found->second) client->Push(words);
    receivers += static_cast<int64_t>(found->second.size());
  }
  if (sharded) return receivers;
  for (const auto& [pattern, listeners] : Of(Subscription::kPattern)) {
    if (!GlobMatches(pattern, channel)) continue;
    const std::string_view words[] = {"pmessage", pattern, channel, message};
    for (Pipeline* const client : listeners) client->Push(words);
    receivers += static_cast<int64_t>(listeners.size());
  }
  return receivers;
}

std::vector<std::string_view> PubSub::Names(Subscription kind, std::string_view pattern) const {
  std::vector<std::string_view> names;
  for (const auto& [name, listeners] : Of(kind)) {
    if (pattern.empty() || GlobMatches(pattern, name)) names.push_back(name);
  }
  return names;
}

size_t PubSub::SubscribersOf(Subscription kind, std::string_view name) const {
  const auto found = Of(kind).find(name);
  return found == Of(kind).end() ? 0 : found->second.size();
}

}  // namespace cartwheel
