#include "tests/simulation/faults.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace cartwheel::sim {
namespace {

constexpr int64_t kMs = 1000;
constexpr int64_t kSecond = 1'000'000;
// How long a fault waits for its moment.
constexpr int64_t kPatienceUs = 20 * kSecond;

std::string Numbered(int node) { return std::to_string(node + 1); }

}  // namespace

Nemesis::Nemesis(World* world, FaultSet kinds, const WorldOptions& options, uint64_t seed)
    : world_(world),
      kinds_(kinds),
      sync_(options.sync),
      w_(options.settings.w),
      losses_(world),
      random_(seed),
      away_until_us_(static_cast<size_t>(options.nodes + options.spares), 0) {}

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
      world_->clock(a).JumpWall(world_->now_us(), Between(-30 * kSecond, 30 * kSecond));
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
      world_->Crash(a, Loss::kNothing);
      return;
    case FaultKind::kCommitCrash:
      world_->CrashInCommit(a, static_cast<int>(random_.Below(3)));
      return;
    case FaultKind::kTailLoss: LoseTails(); return;
    case FaultKind::kFlippedRecord:
    case FaultKind::kWipedData:
      // With W = 1 what was acknowledged may be on this disk alone.
      if (w_ > 1) LoseWhenAllowed(kind, a, world_->now_us() + kPatienceUs);
      return;
    case FaultKind::kBlackout:
      AwaitBlackout(HintsDelivered(), world_->now_us() + kPatienceUs);
      return;
    case FaultKind::kOutage: BeginOutage(); return;
    case FaultKind::kRestoredCopy: CopyAndRestore(a); return;
    case FaultKind::kJoin: StartSpare(); return;
    case FaultKind::kLeave: TellToLeave(); return;
    case FaultKind::kRemove:
    case FaultKind::kReplace:
      if (w_ > 1) TakeOut(kind, a, world_->now_us() + kPatienceUs);
      return;
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
    LoseWhenAllowed(FaultKind::kTailLoss, AnyNode(), world_->now_us() + kPatienceUs);
    return;
  }
  // Nothing that was acknowledged is unsynced: any number of nodes may lose their power.
  for (int i = 0; i < world_->size(); ++i) {
    if (!random_.Chance(1, 2) || !world_->IsUp(i)) continue;
    if (world_->engine(i).HasUnsynced()) world_->hits().Count(FaultKind::kTailLoss);
    world_->Crash(i, Loss::kTail);
  }
}

void Nemesis::LoseWhenAllowed(FaultKind kind, int node, int64_t until_us) {
  if (!losses_.MayStrike(node)) {
    if (world_->now_us() >= until_us) return;
    Later(Between(10 * kMs, 100 * kMs),
          [this, kind, node, until_us] { LoseWhenAllowed(kind, node, until_us); });
    return;
  }
  if (kind == FaultKind::kFlippedRecord) {
    losses_.Flip(node);
    return;
  }
  if (kind != FaultKind::kTailLoss || world_->engine(node).HasUnsynced()) {
    world_->hits().Count(kind);
  }
  if (w_ == 1) on_loss_();
  const Loss loss = kind == FaultKind::kWipedData      ? Loss::kAll
                    : kind == FaultKind::kRestoredCopy ? Loss::kSinceCopy
                                                       : Loss::kTail;
  losses_.Crash(node, loss);
}

// A copy is restored while it is younger than tombstone-min-age: an older one brings back what was
// deleted since and is forgotten everywhere else.
void Nemesis::CopyAndRestore(int node) {
  if (w_ == 1 || !world_->IsUp(node) || copied_until_us_ > world_->now_us()) return;
  const int64_t lasts_us = std::min(world_->tombstone_min_age_us() / 2, 20 * kSecond);
  copied_until_us_ = world_->now_us() + lasts_us;
  world_->CopyDisk(node);
  Later(Between(100 * kMs, lasts_us),
        [this, node] { LoseWhenAllowed(FaultKind::kRestoredCopy, node, copied_until_us_); });
}

uint64_t Nemesis::HintsDelivered() const {
  uint64_t delivered = 0;
  for (int i = 0; i < world_->size(); ++i) {
    if (world_->IsUp(i)) delivered += world_->node(i).counters().hints_delivered;
  }
  return delivered;
}

void Nemesis::AwaitBlackout(uint64_t delivered_before, int64_t until_us) {
  const uint64_t delivered = HintsDelivered();
  if (delivered > delivered_before || world_->now_us() >= until_us) {
    Later(Between(0, kSecond), [this] { Blackout(); });
    return;
  }
  Later(50 * kMs, [this, delivered, until_us] { AwaitBlackout(delivered, until_us); });
}

void Nemesis::Blackout() {
  Say(FaultKind::kBlackout, "everywhere");
  world_->hits().Count(FaultKind::kBlackout);
  if (sync_ == SyncPolicy::kEverySecond) on_loss_();
  losses_.Blackout();
}

// A node is away for much longer than a tombstone's age: dead, or alone.
void Nemesis::BeginOutage() {
  if (outage_until_us_ > world_->now_us()) return;
  const int node = AnyNode();
  const int64_t lasts_us = Between(30 * kSecond, 90 * kSecond);
  outage_until_us_ = world_->now_us() + lasts_us;
  Say(FaultKind::kOutage, Numbered(node));
  world_->hits().Count(FaultKind::kOutage);
  if (random_.Chance(1, 2)) {
    away_until_us_[static_cast<size_t>(node)] = outage_until_us_;
    if (world_->IsUp(node)) world_->Crash(node, Loss::kNothing);
    return;
  }
  for (int other = 0; other < world_->size(); ++other) {
    if (other == node) continue;
    CutPair(node, other, FaultKind::kTwoWayCut, lasts_us, false);
    CutPair(other, node, FaultKind::kTwoWayCut, lasts_us, false);
  }
}

void Nemesis::OnNodeDown(int node) {
  if (over_) return;
  const int64_t away_us = away_until_us_[static_cast<size_t>(node)] - world_->now_us();
  Later(std::max(away_us, LogBetween(50 * kMs, 10 * kSecond)), [this, node] {
    if (!world_->IsUp(node) && !world_->IsOut(node)) world_->Start(node);
  });
}

void Nemesis::Stop() {
  over_ = true;
  world_->Trace("the world is whole again");
  world_->network().Heal();
  world_->ResumeAll();
  // A start looks through all records at once: what is still damaged is found.
  for (int i = 0; i < world_->size(); ++i) {
    if (world_->engine(i).HasDamaged() && world_->IsUp(i)) world_->Crash(i, Loss::kNothing);
  }
  for (int i = 0; i < world_->size(); ++i) {
    world_->clock(i).SetDrift(world_->now_us(), 0);
    world_->clock(i).SetWallRight(world_->now_us());
    world_->ClockChanged(i);
    world_->SetFull(i, false);
    if (!world_->IsUp(i) && !world_->IsOut(i)) world_->Start(i);
  }
}

}  // namespace cartwheel::sim
