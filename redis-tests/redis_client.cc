#include "redis-tests/redis_client.h"

#include <utility>

namespace cartwheel::chaos {

bool RedisClient::Connect() {
  if (context_ != nullptr) return true;
  const timeval patience = {timeout_ms_ / 1000, timeout_ms_ % 1000 * 1000};
  context_.reset(redisConnectWithTimeout("127.0.0.1", port_, patience));
  if (context_ != nullptr && context_->err == 0) {
    redisSetTimeout(context_.get(), patience);
    return true;
  }
  context_.reset();
  return false;
}

Reply RedisClient::Call(const Words& words) {
  std::vector<Reply> replies = Pipeline({&words, 1});
  return replies.empty() ? nullptr : std::move(replies.front());
}

std::vector<Reply> RedisClient::Pipeline(std::span<const Words> commands) {
  if (!Connect()) return {};
  for (const Words& words : commands) {
    std::vector<const char*> texts;
    std::vector<size_t> lengths;
    for (const std::string& word : words) {
      texts.push_back(word.data());
      lengths.push_back(word.size());
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), texts.data(),
                           lengths.data());
  }
  std::vector<Reply> replies;
  while (replies.size() < commands.size()) {
    void* reply = nullptr;
    if (redisGetReply(context_.get(), &reply) != REDIS_OK) {
      context_.reset();
      return {};
    }
    replies.emplace_back(static_cast<redisReply*>(reply));
  }
  return replies;
}

std::string TextOf(const redisReply& reply) {
  const bool has_text = reply.type == REDIS_REPLY_STRING || reply.type == REDIS_REPLY_STATUS ||
                        reply.type == REDIS_REPLY_ERROR;
  return has_text ? std::string(reply.str, reply.len) : std::string();
}

}  // namespace cartwheel::chaos
