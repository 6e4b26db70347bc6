#include "tests/simulation/faults.h"

#include <string>
#include <utility>
#include <vector>

namespace cartwheel::sim {
namespace {

constexpr int64_t kMs = 1000;
constexpr int64_t kSecond = 1'000'000;

std::string Numbered(int node) { return std::to_string(node + 1); }

}  // namespace

Nemesis::Nemesis(World* world, FaultSet kinds, SyncPolicy sync, uint64_t seed)
    : world_(world), kinds_(kinds), sync_(sync), random_(seed) {
  lossy_node_ = AnyNode();
}

int64_t Nemesis::Between(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random_.Below(static_cast<uint64_t>(high - low) + 1));
}

int64_t Nemesis::LogBetween(int64_t low, int64_t high) {
  int64_t top = low;
  std::vector<int64_t> tops;
  while (top < high) tops.push_back(top = std::min(top * 2, high));
  return Between(low, tops[random_.Below(tops.size())]);
}

int Nemesis::AnyOther(int node) {
  if (world_->size() == 1) return node;
  const int other = static_cast<int>(random_.Below(static_cast<uint64_t>(world_->size() - 1)));
  return other < node ? other : other + 1;
}

void Nemesis::Say(FaultKind kind, const std::string& what) {
  world_->Trace("fault " + std::string(Name(kind)) + " " + what);
}

void Nemesis::Begin() {
  for (size_t i = 0; i < kFaultKinds; ++i) {
    if (kinds_.Has(static_cast<FaultKind>(i))) Plan(static_cast<FaultKind>(i));
  }
}

void Nemesis::Later(int64_t after_us, std::function<void()> call) {
  world_->Call(world_->now_us() + after_us, [this, call = std::move(call)] {
    if (!over_) call();
  });
}

void Nemesis::Plan(FaultKind kind) {
  Later(Between(500 * kMs, 15 * kSecond), [this, kind] {
    Strike(kind);
    Plan(kind);
  });
}

void Nemesis::Strike(FaultKind kind) {
  const int a = AnyNode();
  const int b = AnyOther(a);
  switch (kind) {
    case FaultKind::kDelay:
    case FaultKind::kLoss:
    case FaultKind::kDuplicate:
    case FaultKind::kReorder: Worsen(kind); return;
    case FaultKind::kOneWayCut: {
      const int64_t lasts_us = LogBetween(200 * kMs, 20 * kSecond);
      CutPair(a, b, kind, lasts_us, random_.Chance(1, 2));
      return;
    }
    case FaultKind::kTwoWayCut:
    case FaultKind::kBridgeCut: CutSets(kind); return;
    case FaultKind::kClog: {
      const int64_t lasts_us = LogBetween(100 * kMs, 10 * kSecond);
      Say(kind, Numbered(a) + "->" + Numbered(b));
      world_->network().Clog(a, b, world_->now_us() + lasts_us);
      return;
    }
    case FaultKind::kHalfOpen:
      Say(kind, Numbered(a) + "->" + Numbered(b));
      world_->network().HalfOpen(world_->now_us(), a, b, Between(2 * kSecond, 20 * kSecond));
      return;
    case FaultKind::kPause:
      world_->Pause(a, world_->now_us() + LogBetween(10 * kMs, 60 * kSecond));
      return;
    case FaultKind::kSlowNode:
      Say(kind, Numbered(a));
      world_->SetSlow(a, LogBetween(kMs / 2, 8 * kMs));
      Later(Between(kSecond, 10 * kSecond), [this, a] { world_->SetSlow(a, 0); });
      return;
    case FaultKind::kClockJump:
      Say(kind, Numbered(a));
      world_->hits().Count(kind);
      world_->clock(a).SetWallRight(world_->now_us());
      world_->clock(a).JumpWall(Between(-30 * kSecond, 30 * kSecond));
      return;
    case FaultKind::kClockDrift:
      Say(kind, Numbered(a));
      world_->hits().Count(kind);
      world_->clock(a).SetDrift(world_->now_us(), Between(-2000, 2000));
      world_->ClockChanged(a);
      return;
    case FaultKind::kCrash:
      if (!world_->IsUp(a)) return;
      world_->hits().Count(kind);
      world_->Crash(a, false);
      return;
    case FaultKind::kCommitCrash:
      world_->CrashInCommit(a, static_cast<int>(random_.Below(3)));
      return;
    case FaultKind::kTailLoss: LoseTails(); return;
    case FaultKind::kFlippedRecord: world_->FlipRecord(lossy_node_); return;
    case FaultKind::kDiskFull:
      Say(kind, Numbered(a));
      world_->SetFull(a, true);
      Later(LogBetween(500 * kMs, 20 * kSecond), [this, a] { world_->SetFull(a, false); });
      return;
  }
}

void Nemesis::Worsen(FaultKind kind) {
  Weather& weather = world_->network().weather();
  Say(kind, "everywhere");
  uint32_t Weather::*chance = &Weather::delay_ppm;
  if (kind == FaultKind::kLoss) chance = &Weather::loss_ppm;
  if (kind == FaultKind::kDuplicate) chance = &Weather::duplicate_ppm;
  if (kind == FaultKind::kReorder) chance = &Weather::reorder_ppm;
  weather.*chance = static_cast<uint32_t>(LogBetween(2000, 200'000));
  if (kind == FaultKind::kDelay) weather.max_delay_us = LogBetween(5 * kMs, 800 * kMs);
  Later(Between(kSecond, 10 * kSecond),
        [this, chance] { world_->network().weather().*chance = 0; });
}

void Nemesis::CutPair(int a, int b, FaultKind why, int64_t lasts_us, bool dials_pass) {
  if (world_->network().IsCut(a, b)) return;
  Say(why, Numbered(a) + "->" + Numbered(b));
  world_->network().Cut(a, b, why, dials_pass);
  Later(lasts_us, [this, a, b] { world_->network().Mend(a, b); });
}

void Nemesis::CutSets(FaultKind why) {
  // Every node is on one side or the other; with a bridge one is on both.
  const int bridge = why == FaultKind::kBridgeCut ? AnyNode() : -1;
  std::vector<bool> left;
  for (int i = 0; i < world_->size(); ++i) left.push_back(random_.Chance(1, 2));
  const int64_t lasts_us = LogBetween(200 * kMs, 30 * kSecond);
  for (int i = 0; i < world_->size(); ++i) {
    for (int j = 0; j < world_->size(); ++j) {
      const bool apart = left[static_cast<size_t>(i)] != left[static_cast<size_t>(j)];
      if (apart && i != bridge && j != bridge) CutPair(i, j, why, lasts_us, false);
    }
  }
}

void Nemesis::LoseTails() {
  if (sync_ == SyncPolicy::kEverySecond) {
    if (world_->IsUp(lossy_node_)) world_->Crash(lossy_node_, true);
    return;
  }
  // Nothing that was acknowledged is unsynced: a whole data centre may lose its power.
  const bool all = random_.Chance(1, 2);
  for (int i = 0; i < world_->size(); ++i) {
    if ((all || random_.Chance(1, 2)) && world_->IsUp(i)) world_->Crash(i, true);
  }
}

void Nemesis::OnNodeDown(int node) {
  if (over_) return;
  Later(LogBetween(50 * kMs, 10 * kSecond), [this, node] {
    if (!world_->IsUp(node)) world_->Start(node);
  });
}

void Nemesis::Stop() {
  over_ = true;
  world_->Trace("the world is whole again");
  world_->network().Heal();
  world_->ResumeAll();
  // A start looks through all records at once: what is still damaged is found.
  if (kinds_.Has(FaultKind::kFlippedRecord) && world_->IsUp(lossy_node_)) {
    world_->Crash(lossy_node_, false);
  }
  for (int i = 0; i < world_->size(); ++i) {
    world_->clock(i).SetDrift(world_->now_us(), 0);
    world_->clock(i).SetWallRight(world_->now_us());
    world_->ClockChanged(i);
    world_->SetFull(i, false);
    if (!world_->IsUp(i)) world_->Start(i);
  }
}

}  // namespace cartwheel::sim
