// RedisClient: one hiredis connection to a node as the chaos clients use it: made when first needed
// and again after a failure, and replies as values. Used by one thread at a time.
#pragma once

#include <hiredis/hiredis.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace cartwheel::chaos {

using Words = std::vector<std::string>;

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

class RedisClient {
 public:
  RedisClient(int port, int64_t timeout_ms) : port_(port), timeout_ms_(timeout_ms) {}

  // False when the node takes no connection: nothing was sent then.
  bool Connect();
  // nullptr when no answer came; the connection is given up then.
  Reply Call(const Words& words);
  // The replies to all of them, in order; empty when one did not come.
  std::vector<Reply> Pipeline(std::span<const Words> commands);

 private:
  int port_;
  int64_t timeout_ms_;
  std::unique_ptr<redisContext, decltype(&redisFree)> context_{nullptr, redisFree};
};

std::string TextOf(const redisReply& reply);
inline bool IsError(const redisReply& reply) { return reply.type == REDIS_REPLY_ERROR; }

}  // namespace cartwheel::chaos
