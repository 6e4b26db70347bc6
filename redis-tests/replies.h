// What DYN.GET, DYN.SIBLINGS and DYN.STATUS answer, as the chaos checker takes it.
#pragma once

#include <hiredis/hiredis.h>

#include <optional>
#include <string>
#include <vector>

#include "redis-tests/history.h"
#include "redis-tests/quorum_watch.h"
#include "storage/position.h"

namespace cartwheel::chaos {

struct Versions {
  std::string token;
  CausalContext context;
  std::vector<std::string> values;
};

// Nothing when the reply is not of that form, or its token does not decode for the key.
std::optional<Versions> ParseVersions(const Position& key, const redisReply& reply);
std::optional<std::vector<SeenSibling>> ParseSiblings(const redisReply& reply);
// The counters of the poll; false when the reply has them not.
bool ParseStatus(const redisReply& reply, StatusPoll* poll);

}  // namespace cartwheel::chaos
