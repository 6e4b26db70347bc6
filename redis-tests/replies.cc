#include "redis-tests/replies.h"

#include <charconv>
#include <string_view>

#include "redis-tests/redis_client.h"
#include "storage/context_token.h"

namespace cartwheel::chaos {
namespace {

bool ParseHex(std::string_view text, uint64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number, 16);
  return text.size() == 16 && error == std::errc() && end == text.data() + text.size();
}

// "<16 hex node>.<16 hex birth>:<counter>"
std::optional<Dot> ParseDot(std::string_view text) {
  Dot dot;
  if (text.size() < 35 || text[16] != '.' || text[33] != ':') return std::nullopt;
  const std::string_view counter = text.substr(34);
  const auto [end, error] =
      std::from_chars(counter.data(), counter.data() + counter.size(), dot.counter);
  if (!ParseHex(text.substr(0, 16), &dot.actor.node) ||
      !ParseHex(text.substr(17, 16), &dot.actor.birth) || error != std::errc() ||
      end != counter.data() + counter.size()) {
    return std::nullopt;
  }
  return dot;
}

// One map of DYN.SIBLINGS: in RESP2 names and values in turn.
std::optional<SeenSibling> ParseSibling(const redisReply& reply) {
  SeenSibling sibling;
  std::optional<Dot> dot;
  if (reply.type != REDIS_REPLY_ARRAY) return std::nullopt;
  for (size_t i = 0; i + 1 < reply.elements; i += 2) {
    const std::string name = TextOf(*reply.element[i]);
    const redisReply& value = *reply.element[i + 1];
    if (name == "value") sibling.value = TextOf(value);
    if (name == "deleted") sibling.deleted = value.integer == 1;
    if (name == "dot") dot = ParseDot(TextOf(value));
  }
  if (!dot) return std::nullopt;
  sibling.dot = *dot;
  return sibling;
}

}  // namespace

std::optional<Versions> ParseVersions(const Position& key, const redisReply& reply) {
  if (reply.type != REDIS_REPLY_ARRAY || reply.elements != 2) return std::nullopt;
  Versions versions;
  versions.token = TextOf(*reply.element[0]);
  auto context = DecodeToken(key, versions.token);
  if (!context) return std::nullopt;
  versions.context = *std::move(context);
  const redisReply& values = *reply.element[1];
  for (size_t i = 0; i < values.elements; ++i)
    versions.values.push_back(TextOf(*values.element[i]));
  return versions;
}

std::optional<std::vector<SeenSibling>> ParseSiblings(const redisReply& reply) {
  if (reply.type != REDIS_REPLY_ARRAY) return std::nullopt;
  std::vector<SeenSibling> siblings;
  for (size_t i = 0; i < reply.elements; ++i) {
    const auto sibling = ParseSibling(*reply.element[i]);
    if (!sibling) return std::nullopt;
    siblings.push_back(*sibling);
  }
  return siblings;
}

bool ParseStatus(const redisReply& reply, StatusPoll* poll) {
  if (reply.type != REDIS_REPLY_ARRAY) return false;
  int found = 0;
  for (size_t i = 0; i + 1 < reply.elements; i += 2) {
    const std::string name = TextOf(*reply.element[i]);
    const auto take = [&](std::string_view wanted, uint64_t* count) {
      if (name != wanted) return;
      *count = static_cast<uint64_t>(reply.element[i + 1]->integer);
      ++found;
    };
    take("sloppy-reads", &poll->sloppy_reads);
    take("sloppy-writes", &poll->sloppy_writes);
    take("hints-pending", &poll->hints_pending);
  }
  return found == 3;
}

}  // namespace cartwheel::chaos
