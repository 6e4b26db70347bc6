#include "tests/simulation/losses.h"

#include <algorithm>

#include "storage/record.h"

namespace cartwheel::sim {

bool Losses::MayStrike(int node) {
  std::erase_if(missing_, [this](const Missing& missing) { return IsBack(missing); });
  std::erase_if(gone_, [this](int gone) { return IsMadeUpFor(gone); });
  if (!world_->IsUp(node) || !gone_.empty()) return false;
  if (last_ == node || last_ == kNobody) return true;
  uint64_t hints = 0;
  bool whole = missing_.empty();
  for (int i = 0; i < world_->size(); ++i) {
    if (world_->IsOut(i)) continue;
    hints += world_->engine(i).hints();
    whole = whole && (i == node || IsWhole(i)) && !(world_->IsUp(i) && world_->LeftOver(i));
  }
  return whole && hints == 0;
}

bool Losses::IsWhole(int node) const {
  return world_->IsUp(node) && world_->node(node).ready() && !world_->MayHaveLost(node);
}

// All know that the node is gone, and what it held is elsewhere.
bool Losses::IsMadeUpFor(int gone) const {
  for (int i = 0; i < world_->size(); ++i) {
    if (world_->IsOut(i)) continue;
    if (!world_->IsUp(i) || !world_->node(i).ready()) return false;
    const ClusterState& state = world_->node(i).state();
    if (state.in_motion() || state.Find(World::IdOf(gone)) != nullptr) return false;
  }
  return true;
}

void Losses::GoForGood(int node) {
  world_->GoForGood(node);
  gone_.push_back(node);
  Crash(node, Loss::kAll);
}

void Losses::Crash(int node, Loss loss) {
  last_ = node;
  for (const std::string& hint : world_->Crash(node, loss)) Miss(hint, kNobody);
}

void Losses::Flip(int node) {
  const auto position = world_->FlipRecord(node);
  if (!position) return;
  last_ = node;
  Miss(world_->engine(node).Written(*position), IsHint(*position) ? kNobody : node);
}

void Losses::Blackout() {
  last_ = kAll;
  for (int i = 0; i < world_->size(); ++i) {
    if (!world_->IsUp(i)) continue;
    for (const std::string& hint : world_->Crash(i, Loss::kTail)) Miss(hint, kNobody);
  }
}

void Losses::Miss(std::string_view image, int node) {
  const auto record = ParseRecord(image);
  const auto object = DecodeObject(record->object);
  missing_.push_back(
      {PositionOf(record->db, record->key, Partitioner::kSlot), object->context, node});
}

bool Losses::Holds(int node, const Missing& missing) const {
  const std::string_view image = world_->engine(node).Written(missing.position);
  if (image.empty()) return false;
  const auto record = ParseRecord(image);
  return DecodeObject(record->object)->context.Covers(missing.context);
}

bool Losses::IsBack(const Missing& missing) const {
  const Ring* ring = nullptr;
  for (int i = 0; i < world_->size() && ring == nullptr; ++i) {
    if (world_->IsUp(i) && world_->node(i).ready()) ring = &world_->node(i).ring();
  }
  if (ring == nullptr) return false;
  uint64_t holders = 0;
  bool any = false;
  for (const NodeId id : ring->Replicas(missing.position.slot)) {
    const int node = world_->IndexOf(id);
    any = any || !world_->engine(node).Written(missing.position).empty();
    if (Holds(node, missing)) ++holders;
  }
  if (!any) return true;  // dropped for good by now
  if (missing.node != kNobody)
    return !world_->engine(missing.node).IsDamaged(missing.position) &&
           Holds(missing.node, missing);
  return holders >= ring->w();
}

}  // namespace cartwheel::sim
