// Random contexts and objects for property tests. Objects come from a random history of one key:
// every dot is minted once, so that any two of them can be merged.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "storage/object.h"

namespace cartwheel {

inline Dot RandomDot(Random* random, uint64_t actors, uint64_t counters) {
  return {{1 + random->Below(actors), 7}, 1 + random->Below(counters)};
}

inline CausalContext RandomContext(Random* random) {
  CausalContext context;
  const uint64_t dots = random->Below(30);
  for (uint64_t i = 0; i < dots; ++i) context.Add(RandomDot(random, 4, 12));
  return context;
}

class History {
 public:
  explicit History(uint64_t seed, bool retries = false) : random_(seed), retries_(retries) {}

  // Copies of the key as replicas and messages might hold them.
  std::vector<Object> Objects(size_t count) {
    while (pool_.size() < count) Write();
    return pool_;
  }
  Random& random() { return random_; }

 private:
  Object Pick() { return pool_.empty() ? Object() : pool_[random_.Below(pool_.size())]; }

  Sibling NextSibling() {
    Sibling sibling;
    const uint64_t actor = random_.Below(4);
    sibling.dot = {{1 + actor, 100 + random_.Below(2)}, 0};
    sibling.dot.counter = ++counters_[actor * 2 + sibling.dot.actor.birth - 100];
    sibling.time = random_.Below(20);  // ties are wanted
    // A retried operation has another dot, perhaps another time, and the same value.
    const bool retry = retries_ && operation_ > 0 && random_.Chance(1, 3);
    sibling.operation = retry ? 1 + random_.Below(operation_) : ++operation_;
    sibling.attempt = retry ? ++attempts_[sibling.operation] : 0;
    sibling.kind = sibling.operation % 5 == 0 ? Kind::kTombstone : Kind::kValue;
    if (sibling.kind == Kind::kValue) sibling.bytes = "value" + std::to_string(sibling.operation);
    return sibling;
  }

  void Write() {
    Object object = Pick();
    CausalContext given;
    if (random_.Chance(1, 3)) given = object.context;
    if (random_.Chance(1, 3)) given = Pick().context;
    const Sibling sibling = NextSibling();
    pool_.push_back(DeltaOf(given, sibling));
    PutInto(&object, given, sibling);
    pool_.push_back(object);
    MergeInto(&object, Pick());
    if (random_.Chance(1, 4)) DropDeadBytes(&object, View{0, 5});
    pool_.push_back(object);
  }

  Random random_;
  std::map<uint64_t, uint8_t> attempts_;  // by operation
  bool retries_;
  uint64_t operation_ = 0;
  uint64_t counters_[8] = {};
  std::vector<Object> pool_;
};

inline Object Merged(Object mine, Object theirs) {
  MergeInto(&mine, std::move(theirs));
  return mine;
}

}  // namespace cartwheel
