// ChaosWorker: one thread of clients. It writes and reads keys through all nodes at a given rate:
// with contexts it was given, blind, plain, deletes; values are unique. What it did and was told it
// keeps as histories, for the checker to look at when it has stopped.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "redis-tests/history.h"
#include "redis-tests/redis_client.h"
#include "storage/position.h"

namespace cartwheel::chaos {

// Microseconds of one clock that only moves on.
int64_t NowUs();

// How a key is used. kContexts: DYN. commands only, of whose contexts all is known. kMixed: plain
// ones as well. kOwn: plain writes of one worker, one after the other.
enum class Use : uint8_t { kContexts, kMixed, kOwn };

struct ChaosKey {
  std::string name;
  Use use;
  size_t owner;  // of kOwn: the number of the worker
  Position position;
};

struct Counters {
  std::atomic<uint64_t> acknowledged{0};
  std::atomic<uint64_t> unknown{0};      // no answer
  std::atomic<uint64_t> refused{0};      // -NOQUORUM: unknown as well, but said
  std::atomic<uint64_t> unreachable{0};  // not even sent, or -LOADING
  std::atomic<uint64_t> reads{0};
  std::atomic<uint64_t> failed_reads{0};   // no answer, or an error
  std::atomic<uint64_t> refused_reads{0};  // of those, -NOQUORUM
};

class ChaosWorker {
 public:
  ChaosWorker(size_t number, const std::vector<int>& ports, const std::vector<ChaosKey>* keys,
              uint64_t seed, int64_t gap_us, Counters* counters);

  void Start();
  void Stop();

  // After Stop. By key, in the order of `keys`.
  const std::vector<KeyHistory>& histories() const { return histories_; }
  // Replies that no fault excuses.
  const std::vector<std::string>& unexpected() const { return unexpected_; }

 private:
  struct Node {
    RedisClient client;
    int64_t avoided_until_us = 0;  // it gave no good answer lately
  };

  void Run();
  void Act(size_t key);
  void ActWithContexts(size_t key, uint64_t dice);
  bool PickNode();
  std::string UniqueValue(size_t key);
  // The token and context that the key is read with; false when the read failed.
  bool Get(size_t key, std::string* token, CausalContext* context);
  void Siblings(size_t key);
  void PlainGet(size_t key);
  void Put(size_t key, const std::string& token, const CausalContext& given);
  void Delete(size_t key, const std::string& token, const CausalContext& given);
  void Plain(size_t key, Verb verb);
  // Sends it, keeps in `write` what became of it; the reply if it is no error.
  Reply Send(size_t key, const Words& words, Write* write);
  void TakeAnswer(size_t key, Write* write, const redisReply& reply);
  Reply Ask(size_t key, const Words& words, Read* read);
  void Unexpected(size_t key, const Words& words, const std::string& reply);

  // What the last own put of the key was answered with.
  struct Answered {
    std::string token;
    CausalContext context;
  };

  const size_t number_;
  const std::vector<ChaosKey>* keys_;
  std::vector<size_t> own_;     // of the keys, those that it has for itself
  std::vector<size_t> shared_;  // and those that all use
  Random random_;
  const int64_t gap_us_;
  Counters* counters_;
  std::vector<Node> nodes_;
  size_t node_ = 0;  // that the present command goes through
  std::vector<Answered> answered_;
  std::vector<KeyHistory> histories_;
  std::vector<std::string> unexpected_;
  uint64_t last_value_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace cartwheel::chaos
