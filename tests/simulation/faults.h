// Nemesis: plays the fault kinds of one run against a world. Every kind has episodes at random
// times and of random length; what began ends, at the latest with Stop, which makes the world whole
// again: paths mended, clocks right, every node up.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/simulation/cell.h"
#include "tests/simulation/fault_kind.h"
#include "tests/simulation/losses.h"
#include "tests/simulation/world.h"

namespace cartwheel::sim {

class Nemesis {
 public:
  Nemesis(World* world, FaultSet kinds, const WorldOptions& options, uint64_t seed);

  // To be told before a disk loses what may have been the only copy of writes that were
  // acknowledged a moment ago.
  void set_on_loss(std::function<void()> on_loss) { on_loss_ = std::move(on_loss); }

  void Begin();
  // The change of the cell, again and again, and its fault in the midst of each.
  void Begin(const Cell& cell);
  // A node went down, by whatever kind: it comes again, unless it is gone.
  void OnNodeDown(int node);
  // An answer to an operator's word. False when it is none.
  bool OnAnswer(const Answer& answer);
  // What operators began and the ring has not taken yet.
  bool RingIsAsked() const { return !gone_members_.empty(); }
  void Stop();

 private:
  void Plan(FaultKind kind);
  void Strike(FaultKind kind);
  void Later(int64_t after_us, std::function<void()> call);
  void CutPair(int a, int b, FaultKind why, int64_t lasts_us, bool dials_pass);
  void CutSets(FaultKind why);
  void LoseTails();
  // Takes the node's data as soon as it may; gives up after a while.
  void LoseWhenAllowed(FaultKind kind, int node, int64_t until_us);
  void CopyAndRestore(int node);
  // All power goes, best while hints are being handed over.
  void AwaitBlackout(uint64_t delivered_before, int64_t until_us);
  void Blackout();
  void BeginOutage();
  uint64_t HintsDelivered() const;
  void Worsen(FaultKind kind);
  // The ring's operators (ring_changes.cc).
  void StartSpare();
  void TellToLeave();
  void TakeOut(FaultKind kind, int node, int64_t until_us);
  void AskToRemove(int node);
  void Change(const Cell& cell);
  void AwaitMotion(const Cell& cell, int64_t until_us);
  void StrikeRole(const Cell& cell);
  std::optional<int> InRole(Role role);
  std::vector<int> MembersUp() const;
  std::vector<int> Staying() const;
  std::optional<int> Spare() const;
  int AnyNode() { return static_cast<int>(random_.Below(static_cast<uint64_t>(world_->size()))); }
  int AnyOther(int node);
  int64_t Between(int64_t low, int64_t high);
  // Small values as likely as large ones.
  int64_t LogBetween(int64_t low, int64_t high);
  void Say(FaultKind kind, const std::string& what);

  World* world_;
  const FaultSet kinds_;
  const SyncPolicy sync_;
  const uint8_t w_;
  Losses losses_;
  Random random_;
  bool over_ = false;
  std::function<void()> on_loss_;
  std::vector<int64_t> away_until_us_;  // by node: it is started no sooner
  int64_t outage_until_us_ = 0;
  int64_t copied_until_us_ = 0;    // a copy may be restored
  std::vector<int> gone_members_;  // that the ring still has to let go
  uint64_t last_word_ = 0;         // an operator's
};

}  // namespace cartwheel::sim
