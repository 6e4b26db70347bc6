#include "tests/simulation/keepers.h"

#include <algorithm>

#include "storage/record.h"

namespace cartwheel::sim {
namespace {

// Nothing where there is no record.
Object ObjectIn(std::string_view image) {
  if (image.empty()) return {};
  return *DecodeObject(ParseRecord(image)->object);
}

// Whether `other` holds a version that `object` has seen and replaced.
bool Replaces(const Object& object, const Object& other) {
  return std::any_of(other.siblings.begin(), other.siblings.end(), [&](const Sibling& sibling) {
    return object.context.Contains(sibling.dot) &&
           std::none_of(object.siblings.begin(), object.siblings.end(),
                        [&](const Sibling& own) { return own.dot == sibling.dot; });
  });
}

}  // namespace

std::optional<std::string> Keepers::Judge(int node, const Position& place,
                                          std::string_view image) const {
  const auto record = ParseRecord(image);
  const Object object = ObjectIn(image);
  const Position key = PositionOf(record->db, record->key, Partitioner::kSlot);
  const bool kept = IsHint(place) || !world_->node(node).ring().Holds(key.slot, World::IdOf(node));
  const auto wrong = kept ? JudgeKept(node, key, object) : JudgeDead(key, object);
  if (!wrong) return std::nullopt;
  return "node " + std::to_string(node + 1) + " gave up " + (IsHint(place) ? "a hint" : "a copy") +
         " of " + std::string(record->key) + ", " + world_->describer().Of(object) + ", while " +
         *wrong;
}

// By the ring as the node itself knows it, or by the newest that anybody knows: who was of the N
// when it was asked may have given its copy up since, to those who are of the N now.
std::optional<std::string> Keepers::JudgeKept(int node, const Position& key,
                                              const Object& object) const {
  const auto wrong = JudgeBy(world_->node(node).ring(), key, object);
  if (!wrong) return std::nullopt;
  const Node* newest = &world_->node(node);
  for (int i = 0; i < world_->size(); ++i) {
    if (!world_->IsUp(i) || !world_->node(i).ready()) continue;
    if (world_->node(i).state().epoch > newest->state().epoch) newest = &world_->node(i);
  }
  return JudgeBy(newest->ring(), key, object);
}

std::optional<std::string> Keepers::JudgeBy(const Ring& ring, const Position& key,
                                            const Object& object) const {
  for (const auto replicas : {ring.Replicas(key.slot), ring.OtherReplicas(key.slot)}) {
    size_t keepers = 0;
    for (const NodeId id : replicas) {
      const int replica = world_->IndexOf(id);
      const bool has = ObjectIn(world_->engine(replica).OnDisk(key)).context.Covers(object.context);
      keepers += has || world_->MayHaveLost(replica) ? 1 : 0;
    }
    if (keepers < std::min<size_t>(ring.w(), replicas.size())) {
      return "only " + std::to_string(keepers) + " of the replicas had it on disk";
    }
  }
  return std::nullopt;
}

std::optional<std::string> Keepers::JudgeDead(const Position& key, const Object& object) const {
  for (int i = 0; i < world_->size(); ++i) {
    if (world_->IsGone(i)) continue;
    const SimEngine& engine = world_->engine(i);
    if (Replaces(object, ObjectIn(engine.OnDisk(key)))) {
      return "node " + std::to_string(i + 1) + " had on disk what it replaces";
    }
    for (int target = 0; target < world_->size(); ++target) {
      const Position hint = HintPosition(World::IdOf(target), key);
      if (Replaces(object, ObjectIn(engine.OnDisk(hint)))) {
        return "node " + std::to_string(i + 1) + " had a hint on disk that it replaces";
      }
    }
  }
  return std::nullopt;
}

}  // namespace cartwheel::sim
