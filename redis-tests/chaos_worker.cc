#include "redis-tests/chaos_worker.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "redis-tests/replies.h"
#include "storage/context_token.h"

namespace cartwheel::chaos {
namespace {

// A node answers within 2 x replica-timeout + 100 ms; the machine is busy.
constexpr int64_t kTimeoutMs = 1500;
// Who waits for the same node again and again leaves the others without load.
constexpr int64_t kAvoidUs = 1'000'000;

bool StartsWith(const std::string& text, std::string_view start) {
  return text.compare(0, start.size(), start) == 0;
}

}  // namespace

int64_t NowUs() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

ChaosWorker::ChaosWorker(size_t number, const std::vector<int>& ports,
                         const std::vector<ChaosKey>* keys, uint64_t seed, int64_t gap_us,
                         Counters* counters)
    : number_(number),
      keys_(keys),
      random_(seed),
      gap_us_(gap_us),
      counters_(counters),
      answered_(keys->size()),
      histories_(keys->size()) {
  for (const int port : ports) nodes_.push_back({RedisClient(port, kTimeoutMs)});
  for (size_t i = 0; i < keys->size(); ++i) {
    const ChaosKey& key = (*keys)[i];
    histories_[i].key = key.name;
    if (key.use != Use::kOwn) shared_.push_back(i);
    if (key.use == Use::kOwn && key.owner == number) own_.push_back(i);
  }
}

void ChaosWorker::Start() {
  thread_ = std::thread([this] { Run(); });
}

void ChaosWorker::Stop() {
  stopping_ = true;
  thread_.join();
}

void ChaosWorker::Run() {
  int64_t next_us = NowUs();
  while (!stopping_) {
    const std::vector<size_t>& keys = random_.Chance(1, 4) ? own_ : shared_;
    if (PickNode()) Act(keys[random_.Below(keys.size())]);
    // A worker that was held up does not catch up.
    next_us = std::max(next_us + gap_us_, NowUs() - gap_us_);
    std::this_thread::sleep_for(std::chrono::microseconds(std::max<int64_t>(0, next_us - NowUs())));
  }
}

bool ChaosWorker::PickNode() {
  node_ = random_.Below(nodes_.size());
  Node& node = nodes_[node_];
  if (NowUs() < node.avoided_until_us) return false;
  if (node.client.Connect()) return true;
  node.avoided_until_us = NowUs() + kAvoidUs;
  ++counters_->unreachable;
  return false;
}

void ChaosWorker::Act(size_t key) {
  const uint64_t dice = random_.Below(100);
  switch ((*keys_)[key].use) {
    case Use::kContexts: return ActWithContexts(key, dice);
    case Use::kMixed:
      if (dice < 30) return Plain(key, Verb::kPlainSet);
      if (dice < 45) return Plain(key, Verb::kPlainDelete);
      return ActWithContexts(key, random_.Below(100));
    case Use::kOwn:
      if (dice < 50) return Plain(key, Verb::kPlainSet);
      if (dice < 57) return Plain(key, Verb::kPlainDelete);
      if (dice < 64) return Siblings(key);
      return PlainGet(key);
  }
}

void ChaosWorker::ActWithContexts(size_t key, uint64_t dice) {
  std::string token;
  CausalContext context;
  if (dice < 10) return Put(key, token, context);
  if (dice < 20) return Put(key, answered_[key].token, answered_[key].context);
  if (dice < 35) return Siblings(key);
  if (!Get(key, &token, &context) || !PickNode()) return;
  if (dice < 90) {
    Put(key, token, context);
  } else {
    Delete(key, token, context);
  }
}

std::string ChaosWorker::UniqueValue(size_t key) {
  return (*keys_)[key].name + "/" + std::to_string(number_) + "." + std::to_string(++last_value_);
}

bool ChaosWorker::Get(size_t key, std::string* token, CausalContext* context) {
  Read read;
  const Reply reply = Ask(key, {"DYN.GET", (*keys_)[key].name}, &read);
  if (reply == nullptr) return false;
  auto versions = ParseVersions((*keys_)[key].position, *reply);
  if (!versions) {
    Unexpected(key, {"DYN.GET"}, "not a context and values");
    return false;
  }
  *token = std::move(versions->token);
  *context = versions->context;
  read.context = std::move(versions->context);
  read.values = std::move(versions->values);
  histories_[key].reads.push_back(std::move(read));
  return true;
}

void ChaosWorker::Siblings(size_t key) {
  Read read;
  const Reply reply = Ask(key, {"DYN.SIBLINGS", (*keys_)[key].name}, &read);
  if (reply == nullptr) return;
  auto siblings = ParseSiblings(*reply);
  if (!siblings) return Unexpected(key, {"DYN.SIBLINGS"}, "not an array of siblings");
  read.siblings = *std::move(siblings);
  histories_[key].reads.push_back(std::move(read));
}

void ChaosWorker::PlainGet(size_t key) {
  Read read;
  read.plain = true;
  const Reply reply = Ask(key, {"GET", (*keys_)[key].name}, &read);
  if (reply == nullptr) return;
  if (reply->type != REDIS_REPLY_NIL) read.values.push_back(TextOf(*reply));
  histories_[key].reads.push_back(std::move(read));
}

void ChaosWorker::Put(size_t key, const std::string& token, const CausalContext& given) {
  Write write;
  write.verb = Verb::kPut;
  write.value = UniqueValue(key);
  write.given = given;
  const Reply reply = Send(key, {"DYN.PUT", (*keys_)[key].name, token, write.value}, &write);
  if (reply != nullptr) {
    TakeAnswer(key, &write, *reply);
    answered_[key] = {TextOf(*reply), write.answer};
  }
  histories_[key].writes.push_back(std::move(write));
}

void ChaosWorker::Delete(size_t key, const std::string& token, const CausalContext& given) {
  Write write;
  write.verb = Verb::kDelete;
  write.given = given;
  const Reply reply = Send(key, {"DYN.DEL", (*keys_)[key].name, token}, &write);
  if (reply != nullptr) TakeAnswer(key, &write, *reply);
  histories_[key].writes.push_back(std::move(write));
}

void ChaosWorker::TakeAnswer(size_t key, Write* write, const redisReply& reply) {
  const auto answer = DecodeToken((*keys_)[key].position, TextOf(reply));
  if (!answer) return Unexpected(key, {"DYN.PUT"}, "an answer that is no context of the key");
  write->answer = *answer;
}

void ChaosWorker::Plain(size_t key, Verb verb) {
  Write write;
  write.verb = verb;
  Words words = {"DEL", (*keys_)[key].name};
  if (verb == Verb::kPlainSet) {
    write.value = UniqueValue(key);
    words = {"SET", (*keys_)[key].name, write.value};
  }
  const Reply reply = Send(key, words, &write);
  // Nothing was there, or an earlier attempt had deleted it already.
  if (reply != nullptr && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0) {
    write.outcome = Outcome::kUnknown;
  }
  histories_[key].writes.push_back(std::move(write));
}

Reply ChaosWorker::Send(size_t key, const Words& words, Write* write) {
  write->node = static_cast<int>(node_);
  write->began_us = NowUs();
  Reply reply = nodes_[node_].client.Call(words);
  write->ended_us = NowUs();
  const bool failed = reply == nullptr || IsError(*reply);
  if (failed) nodes_[node_].avoided_until_us = write->ended_us + kAvoidUs;
  if (reply == nullptr) {
    ++counters_->unknown;
    return nullptr;
  }
  const std::string text = TextOf(*reply);
  if (!failed) {
    write->outcome = Outcome::kAcknowledged;
    ++counters_->acknowledged;
    return reply;
  }
  if (StartsWith(text, "LOADING")) {
    write->outcome = Outcome::kNotDone;
    ++counters_->unreachable;
  } else {
    if (!StartsWith(text, "NOQUORUM")) Unexpected(key, words, text);
    ++counters_->refused;
  }
  return nullptr;
}

Reply ChaosWorker::Ask(size_t key, const Words& words, Read* read) {
  read->node = static_cast<int>(node_);
  read->began_us = NowUs();
  Reply reply = nodes_[node_].client.Call(words);
  read->ended_us = NowUs();
  if (reply != nullptr && !IsError(*reply)) {
    ++counters_->reads;
    return reply;
  }
  ++counters_->failed_reads;
  nodes_[node_].avoided_until_us = read->ended_us + kAvoidUs;
  if (reply == nullptr) return nullptr;
  const std::string text = TextOf(*reply);
  if (StartsWith(text, "NOQUORUM")) {
    ++counters_->refused_reads;
  } else if (!StartsWith(text, "LOADING")) {
    Unexpected(key, words, text);
  }
  return nullptr;
}

void ChaosWorker::Unexpected(size_t key, const Words& words, const std::string& reply) {
  unexpected_.push_back("key " + (*keys_)[key].name + ": " + words.front() + " through node " +
                        std::to_string(node_) + " was answered: " + reply);
}

}  // namespace cartwheel::chaos
