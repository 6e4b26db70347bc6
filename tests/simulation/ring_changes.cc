// What the ring's operators do while all else goes wrong: nodes join, leave, are removed once they
// are gone, and are replaced. The part of Nemesis that changes the ring.
#include <algorithm>
#include <iterator>

#include "tests/simulation/faults.h"

namespace cartwheel::sim {
namespace {

constexpr int64_t kMs = 1000;
constexpr int64_t kSecond = 1'000'000;
constexpr uint64_t kFirstWord = uint64_t{1} << 60;  // clients' operations are below
// The ring keeps so many, that it has replicas to lose.
constexpr size_t kFewestMembers = 3;

}  // namespace

std::vector<int> Nemesis::MembersUp() const {
  std::vector<int> members;
  for (int i = 0; i < world_->size(); ++i) {
    if (world_->IsUp(i) && world_->node(i).ready()) members.push_back(i);
  }
  return members;
}

std::optional<int> Nemesis::Spare() const {
  for (int i = world_->founders(); i < world_->size(); ++i) {
    if (world_->IsOut(i) && !world_->IsGone(i)) return i;
  }
  return std::nullopt;
}

void Nemesis::StartSpare() {
  const auto spare = Spare();
  if (!spare) return;
  Say(FaultKind::kJoin, std::to_string(*spare + 1));
  world_->hits().Count(FaultKind::kJoin);
  world_->Start(*spare);
}

// Those of the members that live whom nobody knows to leave.
std::vector<int> Nemesis::Staying() const {
  const std::vector<int> members = MembersUp();
  std::vector<int> staying;
  std::copy_if(members.begin(), members.end(), std::back_inserter(staying), [&](int node) {
    return std::all_of(members.begin(), members.end(), [&](int knows) {
      const Member* member = world_->node(knows).state().Find(World::IdOf(node));
      return member != nullptr && member->status != MemberStatus::kLeaving;
    });
  });
  return staying;
}

void Nemesis::TellToLeave() {
  const std::vector<int> stay = Staying();
  if (stay.size() <= kFewestMembers) return;
  const int node = stay[random_.Below(stay.size())];
  Say(FaultKind::kLeave, std::to_string(node + 1));
  world_->hits().Count(FaultKind::kLeave);
  world_->Submit(node, {kFirstWord + ++last_word_, LeaveOperation{}});
}

// A node dies for good, once it may, and its operator has the ring let it go, or starts another in
// its place.
void Nemesis::TakeOut(FaultKind kind, int node, int64_t until_us) {
  const auto spare = Spare();
  if (world_->IsOut(node) || (kind == FaultKind::kReplace && !spare)) return;
  const std::vector<int> staying = Staying();
  const bool is_known = std::find(staying.begin(), staying.end(), node) != staying.end();
  const bool enough = is_known && staying.size() > kFewestMembers;
  if (!enough || !gone_members_.empty() || !world_->IsUp(node) || !losses_.MayStrike(node)) {
    if (world_->now_us() >= until_us) return;
    Later(Between(10 * kMs, 100 * kMs),
          [this, kind, node, until_us] { TakeOut(kind, node, until_us); });
    return;
  }
  Say(kind, std::to_string(node + 1));
  world_->hits().Count(kind);
  losses_.GoForGood(node);
  gone_members_.push_back(node);
  if (kind == FaultKind::kReplace) world_->StartInPlaceOf(*spare, node);
  AskToRemove(node);
}

// Again and again, also when the world is whole, until those who are asked know it no more. Whoever
// replaces it asks by itself.
void Nemesis::AskToRemove(int node) {
  world_->Call(world_->now_us() + Between(500 * kMs, 3 * kSecond), [this, node] {
    const std::vector<int> members = MembersUp();
    bool known = false;
    bool replaced = false;
    for (const int member : members) {
      known = known || world_->node(member).state().Find(World::IdOf(node)) != nullptr;
    }
    for (int i = world_->founders(); i < world_->size(); ++i) {
      replaced = replaced || world_->Replaces(i, node);
    }
    if (!members.empty() && !known) {
      std::erase(gone_members_, node);
      return;
    }
    if (!members.empty() && !replaced) {
      const int asked = members[random_.Below(members.size())];
      RemoveOperation word{{World::IdOf(node)}, false};
      world_->Submit(asked, {kFirstWord + ++last_word_, std::move(word)});
    }
    AskToRemove(node);
  });
}

// --- a cell of the matrix ---

void Nemesis::Begin(const Cell& cell) {
  Later(Between(kSecond, 6 * kSecond), [this, cell] { Change(cell); });
}

void Nemesis::Change(const Cell& cell) {
  if (cell.change == FaultKind::kJoin) StartSpare();
  if (cell.change == FaultKind::kLeave) TellToLeave();
  const bool takes_out = cell.change == FaultKind::kRemove || cell.change == FaultKind::kReplace;
  if (takes_out) TakeOut(cell.change, AnyNode(), world_->now_us() + kSecond);
  AwaitMotion(cell, world_->now_us() + 10 * kSecond);
}

void Nemesis::AwaitMotion(const Cell& cell, int64_t until_us) {
  const std::vector<int> members = MembersUp();
  const bool moves = std::any_of(members.begin(), members.end(), [this](int node) {
    return world_->node(node).state().in_motion();
  });
  if (moves) {
    Later(LogBetween(kMs, 300 * kMs), [this, cell] { StrikeRole(cell); });
  }
  if (moves || world_->now_us() >= until_us) {
    Later(Between(3 * kSecond, 12 * kSecond), [this, cell] { Change(cell); });
    return;
  }
  Later(kMs, [this, cell, until_us] { AwaitMotion(cell, until_us); });
}

// Of the motion under way, or, when it is over, of the ring.
std::optional<int> Nemesis::InRole(Role role) {
  const std::vector<int> members = MembersUp();
  if (members.empty()) return std::nullopt;
  const Node* knows = &world_->node(members.front());
  for (const int member : members) {
    if (world_->node(member).state().epoch > knows->state().epoch) knows = &world_->node(member);
  }
  std::vector<int> targets;
  std::vector<int> sources;
  const Ring& ring = knows->ring();
  for (const NodeId id : ring.Gainers()) {
    targets.push_back(world_->IndexOf(id));
    for (uint32_t partition = 0; partition < ring.partition_count(); ++partition) {
      for (const NodeId source : ring.SourcesOf(partition, id).nodes) {
        sources.push_back(world_->IndexOf(source));
      }
    }
  }
  const auto is = [](const std::vector<int>& nodes, int node) {
    return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
  };
  std::vector<int> fit;
  for (const int member : members) {
    const bool coordinates = World::IdOf(member) == knows->state().history.front().proposer;
    const bool fits = role == Role::kSource   ? is(sources, member)
                      : role == Role::kTarget ? is(targets, member)
                      : role == Role::kCoordinator
                          ? coordinates
                          : !is(sources, member) && !is(targets, member) && !coordinates;
    if (fits) fit.push_back(member);
  }
  if (fit.empty()) fit = members;
  return fit[random_.Below(fit.size())];
}

void Nemesis::StrikeRole(const Cell& cell) {
  const auto node = InRole(cell.role);
  if (!node) return;
  const int64_t now_us = world_->now_us();
  switch (cell.fault) {
    case FaultKind::kCrash:
      Say(cell.fault, std::to_string(*node + 1));
      world_->hits().Count(cell.fault);
      world_->Crash(*node, Loss::kNothing);
      return;
    case FaultKind::kPause:
      world_->Pause(*node, now_us + LogBetween(50 * kMs, 20 * kSecond));
      return;
    case FaultKind::kOneWayCut: {
      const bool out = random_.Chance(1, 2);
      const int64_t lasts_us = LogBetween(200 * kMs, 10 * kSecond);
      for (int other = 0; other < world_->size(); ++other) {
        if (other == *node || random_.Chance(1, 3)) continue;
        CutPair(out ? *node : other, out ? other : *node, cell.fault, lasts_us,
                random_.Chance(1, 2));
      }
      return;
    }
    default:
      Say(cell.fault, std::to_string(*node + 1));
      world_->SetSlow(*node, LogBetween(kMs / 2, 20 * kMs));
      Later(Between(kSecond, 5 * kSecond), [this, slow = *node] { world_->SetSlow(slow, 0); });
      return;
  }
}

bool Nemesis::OnAnswer(const Answer& answer) { return answer.id >= kFirstWord; }

}  // namespace cartwheel::sim
