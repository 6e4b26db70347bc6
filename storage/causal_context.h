// CausalContext: exactly which write events somebody has seen, no more and no fewer. A dot names
// one write event. A context is a version vector (all of an actor's events up to a counter) and a
// cloud of single dots above it; dots that become contiguous move into the vector. Dotted version
// vectors: Preguica et al. 2010; why an actor is more than a node id (a disk that loses its tail
// must not reuse a dot): docs/architecture.md, "Versions".
#pragma once

#include <absl/container/inlined_vector.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cartwheel {

// Who counts: a node in one of its lives for one key. A birth is a hybrid-clock time the node never
// repeats.
struct Actor {
  uint64_t node = 0;
  uint64_t birth = 0;

  auto operator<=>(const Actor&) const = default;
};

struct Dot {
  Actor actor;
  uint64_t counter = 0;  // 1, 2, 3 ... per actor and key

  auto operator<=>(const Dot&) const = default;
};

// "<16 hex node id>.<16 hex birth>:<counter>"
std::string ToString(const Dot& dot);

class CausalContext {
 public:
  struct Entry {
    Actor actor;
    uint64_t counter;  // all of 1..counter are seen

    auto operator<=>(const Entry&) const = default;
  };

  // From a vector and a cloud that came from outside; nothing unless they are in the one form that
  // this class keeps: sorted, unique, no counter of 0, no dot that belongs into the vector.
  static std::optional<CausalContext> FromParts(absl::InlinedVector<Entry, 1> vector,
                                                std::vector<Dot> cloud);

  bool empty() const { return vector_.empty() && cloud_.empty(); }
  bool Contains(const Dot& dot) const;
  // Every event that other has seen, this has seen.
  bool Covers(const CausalContext& other) const;
  // The highest counter of the actor that was seen, 0 for none; gaps below it are possible.
  uint64_t HighestCounter(const Actor& actor) const;
  // Dots and vector entries together: what pruning and metrics count.
  size_t size() const { return vector_.size() + cloud_.size(); }

  void Clear() {
    vector_.clear();
    cloud_.clear();
  }
  void Add(const Dot& dot);
  void Join(const CausalContext& other);

  // Both sorted by actor (and counter).
  const absl::InlinedVector<Entry, 1>& vector() const { return vector_; }
  const std::vector<Dot>& cloud() const { return cloud_; }

  bool operator==(const CausalContext&) const = default;

 private:
  absl::InlinedVector<Entry, 1>::iterator LowerBound(const Actor& actor);
  absl::InlinedVector<Entry, 1>::const_iterator LowerBound(const Actor& actor) const;
  // All of the actor's events up to this are seen.
  uint64_t Contiguous(const Actor& actor) const;
  void Compact();

  absl::InlinedVector<Entry, 1> vector_;
  std::vector<Dot> cloud_;
};

}  // namespace cartwheel
