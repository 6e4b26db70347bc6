// Workload: the clients of a simulation. A few clients, through every node, over few keys of
// several dbs: reads, blind puts, puts with the context of a read or of an earlier put, plain SETs,
// deletes of both kinds, updates, expiring puts. Every value is unique. What comes back goes to the
// checker.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/simulation/checker.h"
#include "tests/simulation/world.h"

namespace cartwheel::sim {

class Workload {
 public:
  // `grace_us`: what slow disks may add to an operation's deadline. `resting`: half of the shared
  // keys are written for moments only, and deleted often, so that what is dead gets old.
  Workload(World* world, Checker* checker, uint32_t ops_per_second, uint64_t seed, int64_t grace_us,
           bool resting);

  // Clients begin, and go on until Stop.
  void Begin();
  void Stop() { going_ = false; }

  // To be called with every answer of the world, and when a node's process ended.
  void OnAnswer(int node, const Answer& answer);
  void OnNodeDown(int node);

  // Every key is read once through every node.
  void ReadAll();
  // One client SETs each private key so often, each time through another node once the last was
  // answered. Done when ordered_done().
  void BeginOrdered(int rounds);
  bool ordered_done() const { return ordered_left_ == 0; }

  size_t key_count() const { return keys_.size(); }
  const Key& key(size_t index) const { return keys_[index].key; }
  // What a private key must hold at the end; nothing for shared ones.
  const std::optional<std::string>& last_ordered(size_t index) const {
    return keys_[index].last_ordered;
  }

 private:
  enum class Use : uint8_t { kShared, kCounter, kAppended, kPrivate };
  struct ClientKey {
    Key key;
    Use use = Use::kShared;
    std::optional<std::string> last_ordered;
    int ordered_rounds = 0;
    bool rests = false;
    int64_t awake_until_us = 0;
    int64_t asleep_until_us = 0;
  };
  struct Seen {
    CausalContext read;
    CausalContext put;
  };
  struct Asked {
    int node = 0;
    int client = 0;
    size_t key = 0;
    int64_t stood_still_us = 0;  // of the node, when it was asked
    bool ordered = false;
  };

  void AddKey(uint32_t db, std::string name, Use use);
  void Next();
  void AskSomething();
  ClientOp SharedOp(int client, size_t key, int node);
  // Nothing while it sleeps, but now and then a read.
  std::optional<ClientOp> RestingOp(int client, size_t key, int node);
  ClientOp UpdateOp(size_t key);
  PutOperation Put(size_t key, std::optional<CausalContext> context);
  std::string UniqueValue();
  void Ask(int node, int client, size_t key, ClientOp op, bool ordered = false);
  void AskOrdered(size_t key);
  std::optional<int> AnyNodeUp();

  World* world_;
  Checker* checker_;
  Random random_;
  const int64_t mean_gap_us_;
  const int64_t grace_us_;
  bool going_ = false;
  std::vector<ClientKey> keys_;
  std::vector<std::vector<Seen>> seen_;  // by client and key
  std::map<uint64_t, Asked> asked_;
  uint64_t last_id_ = 0;
  uint64_t last_value_ = 0;
  size_t ordered_left_ = 0;
};

}  // namespace cartwheel::sim
