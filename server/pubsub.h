// PubSub: who of this node's clients listens to what. Channels, patterns and sharded channels, as
// Redis's SUBSCRIBE, PSUBSCRIBE and SSUBSCRIBE. What is published at other nodes comes through the
// core (cluster/effects.h, Published). The loop's thread only.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cartwheel {

class Pipeline;

enum class Subscription : uint8_t { kChannel, kPattern, kShard };

class PubSub {
 public:
  // False when it was so already (subscribed), or was not (unsubscribed).
  bool Subscribe(Pipeline* client, Subscription kind, std::string_view name);
  bool Unsubscribe(Pipeline* client, Subscription kind, std::string_view name);
  void UnsubscribeAll(Pipeline* client);

  // Tells the subscribers of this node; how many there were (a client counts once for each pattern
  // of its own that fits).
  int64_t Publish(bool sharded, std::string_view channel, std::string_view message);

  // Names with subscribers, for PUBSUB CHANNELS and SHARDCHANNELS; an empty pattern fits all.
  std::vector<std::string_view> Names(Subscription kind, std::string_view pattern) const;
  size_t SubscribersOf(Subscription kind, std::string_view name) const;
  size_t Count(Subscription kind) const { return Of(kind).size(); }

 private:
  using Listeners = std::map<std::string, std::set<Pipeline*>, std::less<>>;

  Listeners& Of(Subscription kind) { return names_[static_cast<size_t>(kind)]; }
  const Listeners& Of(Subscription kind) const { return names_[static_cast<size_t>(kind)]; }

  Listeners names_[3];
};

}  // namespace cartwheel
