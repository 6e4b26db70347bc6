// What goes wrong in the world: the part of World that takes nodes down, stops them, slows them and
// spoils their disks. When it happens is for faults.cc to say.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "tests/simulation/world.h"

namespace cartwheel::sim {

void World::CopyDisk(int node) {
  Trace("node " + std::to_string(node + 1) + " is copied");
  at(node).engine.Copy();
  at(node).copied_control = at(node).control;
}

std::vector<std::string> World::Crash(int node, Loss loss) {
  SimNode& n = at(node);
  CHECK(n.node != nullptr);
  constexpr std::string_view kLost[] = {"", ", its tail lost", ", its data lost",
                                        ", its disk restored from the copy"};
  Trace("node " + std::to_string(node + 1) + " crashes" +
        std::string(kLost[static_cast<size_t>(loss)]));
  Note(7, static_cast<uint64_t>(node), static_cast<uint64_t>(loss), 0);
  const bool was_behind = n.node->MayHaveLost();
  n.node.reset();
  std::vector<std::string> lost_hints = n.engine.Crash(loss);
  if (loss == Loss::kSinceCopy) n.control = n.copied_control;
  n.options.may_have_lost = n.engine.TakeDroppedDamaged() || loss != Loss::kNothing;
  n.went_with_losses = was_behind || n.options.may_have_lost;
  n.waiting.clear();
  n.deferred.clear();
  ++n.incarnation;
  ++n.tick_generation;
  n.tick_planned_us = INT64_MAX;
  if (n.paused_since_us != 0) n.paused_total_us += now_us_ - n.paused_since_us;
  n.paused_until_us = n.paused_since_us = n.busy_until_us = 0;
  n.sync_planned = n.early_sync_planned = false;
  n.refused_for_room = 0;
  n.crash_stage.reset();
  network_.NodeDown(now_us_, node);
  observer_->OnNodeDown(node);
  return lost_hints;
}

void World::CrashInCommit(int node, int stage) {
  if (IsUp(node)) at(node).crash_stage = stage;
}

std::optional<Position> World::FlipRecord(int node) {
  const auto position = at(node).engine.Flip(random_.Next());
  if (!position) return std::nullopt;
  hits_.Count(FaultKind::kFlippedRecord);
  Trace("node " + std::to_string(node + 1) + " has a damaged record");
  Note(8, static_cast<uint64_t>(node), 0, 0);
  return position;
}

void World::SetFull(int node, bool full) {
  Trace("node " + std::to_string(node + 1) + (full ? " has no room" : " has room again"));
  at(node).engine.set_full(full);
}

void World::Pause(int node, int64_t until_us) {
  SimNode& n = at(node);
  if (n.node == nullptr || until_us <= n.paused_until_us) return;
  hits_.Count(FaultKind::kPause);
  Trace("node " + std::to_string(node + 1) + " stands still");
  if (n.paused_since_us == 0) n.paused_since_us = now_us_;
  n.paused_until_us = until_us;
  events_.Push({.time_us = until_us, .kind = EventKind::kResume, .a = static_cast<uint32_t>(node)});
}

void World::SetSlow(int node, int64_t each_turn_us) {
  SimNode& n = at(node);
  if (n.slow_us > 0) n.paused_total_us += now_us_ - n.slow_since_us;
  n.slow_us = each_turn_us;
  n.slow_since_us = now_us_;
}

void World::ResumeAll() {
  for (int i = 0; i < size(); ++i) {
    SimNode& n = at(i);
    SetSlow(i, 0);
    n.busy_until_us = 0;
    n.crash_stage.reset();
    n.paused_until_us = std::min(n.paused_until_us, now_us_);
    Resume(i);
  }
}

int64_t World::PausedUs(int node) const {
  const SimNode& n = at(node);
  return n.paused_total_us + (n.paused_since_us != 0 ? now_us_ - n.paused_since_us : 0) +
         (n.slow_us > 0 ? now_us_ - n.slow_since_us : 0);
}

}  // namespace cartwheel::sim
