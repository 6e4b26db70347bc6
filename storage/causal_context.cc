#include "storage/causal_context.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace cartwheel {
namespace {

bool BeforeActor(const CausalContext::Entry& entry, const Actor& actor) {
  return entry.actor < actor;
}

}  // namespace

std::string ToString(const Dot& dot) {
  char text[64];
  const int length = std::snprintf(text, sizeof(text), "%016" PRIx64 ".%016" PRIx64 ":%" PRIu64,
                                   dot.actor.node, dot.actor.birth, dot.counter);
  return std::string(text, static_cast<size_t>(length));
}

std::optional<CausalContext> CausalContext::FromParts(absl::InlinedVector<Entry, 1> vector,
                                                      std::vector<Dot> cloud) {
  for (size_t i = 0; i < vector.size(); ++i) {
    if (vector[i].counter == 0) return std::nullopt;
    if (i > 0 && vector[i].actor <= vector[i - 1].actor) return std::nullopt;
  }
  CausalContext context;
  context.vector_ = std::move(vector);
  for (size_t i = 0; i < cloud.size(); ++i) {
    if (i > 0 && cloud[i] <= cloud[i - 1]) return std::nullopt;
    const uint64_t below = context.Contiguous(cloud[i].actor);
    if (cloud[i].counter <= below || cloud[i].counter - below == 1) return std::nullopt;
  }
  context.cloud_ = std::move(cloud);
  return context;
}

absl::InlinedVector<CausalContext::Entry, 1>::iterator CausalContext::LowerBound(
    const Actor& actor) {
  return std::lower_bound(vector_.begin(), vector_.end(), actor, BeforeActor);
}

absl::InlinedVector<CausalContext::Entry, 1>::const_iterator CausalContext::LowerBound(
    const Actor& actor) const {
  return std::lower_bound(vector_.begin(), vector_.end(), actor, BeforeActor);
}

uint64_t CausalContext::Contiguous(const Actor& actor) const {
  const auto entry = LowerBound(actor);
  return entry != vector_.end() && entry->actor == actor ? entry->counter : 0;
}

bool CausalContext::Contains(const Dot& dot) const {
  if (dot.counter <= Contiguous(dot.actor)) return true;
  return std::binary_search(cloud_.begin(), cloud_.end(), dot);
}

bool CausalContext::Covers(const CausalContext& other) const {
  // What an entry names is contiguous, and here all that is contiguous is in the vector.
  for (const Entry& entry : other.vector_) {
    if (Contiguous(entry.actor) < entry.counter) return false;
  }
  return std::all_of(other.cloud_.begin(), other.cloud_.end(),
                     [this](const Dot& dot) { return Contains(dot); });
}

uint64_t CausalContext::HighestCounter(const Actor& actor) const {
  // A dot of the cloud is above its actor's vector entry.
  const auto after = std::upper_bound(cloud_.begin(), cloud_.end(), Dot{actor, UINT64_MAX});
  if (after != cloud_.begin() && std::prev(after)->actor == actor) return std::prev(after)->counter;
  return Contiguous(actor);
}

void CausalContext::Add(const Dot& dot) {
  CHECK(dot.counter > 0);
  const auto entry = LowerBound(dot.actor);
  const bool known = entry != vector_.end() && entry->actor == dot.actor;
  const uint64_t below = known ? entry->counter : 0;
  if (dot.counter <= below) return;
  if (dot.counter - below > 1) {
    const auto place = std::lower_bound(cloud_.begin(), cloud_.end(), dot);
    if (place == cloud_.end() || *place != dot) cloud_.insert(place, dot);
    return;
  }
  if (known) {
    entry->counter = dot.counter;
  } else {
    vector_.insert(entry, Entry{dot.actor, dot.counter});
  }
  Compact();
}

void CausalContext::Join(const CausalContext& other) {
  if (this == &other) return;
  // Entries of new actors go behind the others and are sorted in once: many stay linear.
  const size_t before = vector_.size();
  size_t at = 0;
  for (const Entry& entry : other.vector_) {
    while (at < before && vector_[at].actor < entry.actor) ++at;
    if (at < before && vector_[at].actor == entry.actor) {
      vector_[at].counter = std::max(vector_[at].counter, entry.counter);
    } else {
      vector_.push_back(entry);
    }
  }
  if (before > 0 && vector_.size() > before) {
    std::inplace_merge(vector_.begin(), vector_.begin() + static_cast<ptrdiff_t>(before),
                       vector_.end());
  }
  if (!other.cloud_.empty()) {
    std::vector<Dot> both;
    both.reserve(cloud_.size() + other.cloud_.size());
    std::set_union(cloud_.begin(), cloud_.end(), other.cloud_.begin(), other.cloud_.end(),
                   std::back_inserter(both));
    cloud_ = std::move(both);
  }
  Compact();
}

void CausalContext::Compact() {
  // A dot with counter 1 is never in the cloud, so that no actor is new to the vector here.
  auto kept = cloud_.begin();
  for (const Dot& dot : cloud_) {
    const auto entry = LowerBound(dot.actor);
    const bool known = entry != vector_.end() && entry->actor == dot.actor;
    const uint64_t below = known ? entry->counter : 0;
    if (dot.counter <= below) continue;
    if (dot.counter - below == 1) {
      entry->counter = dot.counter;
    } else {
      *kept++ = dot;
    }
  }
  cloud_.erase(kept, cloud_.end());
}

}  // namespace cartwheel
