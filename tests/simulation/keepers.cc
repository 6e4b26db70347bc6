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
  const auto wrong = IsHint(place) ? JudgeHint(key, object) : JudgeDead(key, object);
  if (!wrong) return std::nullopt;
  return "node " + std::to_string(node + 1) + " gave up " + (IsHint(place) ? "a hint" : "a copy") +
         " of " + std::string(record->key) + ", " + world_->describer().Of(object) + ", while " +
         *wrong;
}

std::optional<std::string> Keepers::JudgeHint(const Position& key, const Object& object) const {
  size_t keepers = 0;
  size_t w = 0;
  for (int i = 0; i < world_->size(); ++i) {
    if (!world_->IsUp(i) || !world_->node(i).ready()) continue;
    w = world_->node(i).ring().w();
    for (const NodeId id : world_->node(i).ring().Replicas(key.slot)) {
      const int replica = world_->IndexOf(id);
      const bool has = ObjectIn(world_->engine(replica).OnDisk(key)).context.Covers(object.context);
      keepers += has || world_->MayHaveLost(replica) ? 1 : 0;
    }
    break;
  }
  if (keepers >= w) return std::nullopt;
  return "only " + std::to_string(keepers) + " of the replicas had it on disk";
}

std::optional<std::string> Keepers::JudgeDead(const Position& key, const Object& object) const {
  for (int i = 0; i < world_->size(); ++i) {
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
