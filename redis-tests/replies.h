// What DYN.GET and DYN.SIBLINGS answer, as the chaos checker takes it.
#pragma once

#include <hiredis/hiredis.h>

#include <optional>
#include <string>
#include <vector>

#include "redis-tests/history.h"
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

}  // namespace cartwheel::chaos
