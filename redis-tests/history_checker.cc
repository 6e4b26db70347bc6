#include "redis-tests/history_checker.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace cartwheel::chaos {
namespace {

// Nodes that disagree on who lives mint siblings, and which is the newest is a matter of clocks
// that count milliseconds.
constexpr int64_t kClockUs = 2000;

bool IsDelete(const Write& write) {
  return write.verb == Verb::kDelete || write.verb == Verb::kPlainDelete;
}

bool IsPlain(const Write& write) {
  return write.verb == Verb::kPlainSet || write.verb == Verb::kPlainDelete;
}

// A node that stood still carries out what it finds when it goes on: there is no bound.
int64_t LatestMint(const Write& write) {
  return write.outcome == Outcome::kAcknowledged ? write.ended_us : INT64_MAX;
}

// The one dot that `answer` has and `given` has not; nothing when it is not one.
std::optional<Dot> NewDot(const CausalContext& given, const CausalContext& answer) {
  std::vector<Dot> fresh;
  for (const auto& entry : answer.vector()) {
    Dot dot{entry.actor, entry.counter};
    while (dot.counter > 0 && given.Contains(dot)) --dot.counter;
    if (dot.counter > 0) fresh.push_back(dot);
  }
  for (const Dot& dot : answer.cloud()) {
    if (!given.Contains(dot)) fresh.push_back(dot);
  }
  if (fresh.empty()) return std::nullopt;
  CausalContext expected = given;
  expected.Add(fresh.front());
  return expected == answer ? std::optional(fresh.front()) : std::nullopt;
}

}  // namespace

HistoryChecker::HistoryChecker(const KeyHistory& history, const FinalState& final_state)
    : history_(history), final_(final_state), standings_(history.writes.size()) {}

HistoryChecker::Past::Past(const KeyHistory& history, int64_t Write::*since_us) : since(since_us) {
  for (const Write& write : history.writes) {
    if (write.outcome == Outcome::kAcknowledged && !IsPlain(write)) writes_.push_back(&write);
  }
  std::sort(writes_.begin(), writes_.end(),
            [this](const Write* a, const Write* b) { return a->*since < b->*since; });
}

void HistoryChecker::Past::MoveTo(int64_t us) {
  for (; next_ < writes_.size() && writes_[next_]->*since < us; ++next_) {
    written.Join(writes_[next_]->answer);
    covered.Join(writes_[next_]->given);
  }
}

Verdict HistoryChecker::Check() {
  for (size_t i = 0; i < history_.writes.size(); ++i) {
    if (!IsDelete(history_.writes[i])) by_value_[history_.writes[i].value] = i;
  }
  for (size_t i = 0; i < history_.writes.size(); ++i) LearnAnswer(i);
  for (const Read& read : history_.reads) {
    for (const std::string& value : read.values) LearnValue(value, "a read");
    for (const SeenSibling& sibling : read.siblings) LearnSibling(sibling, "a read");
  }
  for (const SeenSibling& sibling : final_.siblings) LearnSibling(sibling, "the end");
  CheckReads();
  CheckResurrected();
  CheckLost();
  return std::move(verdict_);
}

void HistoryChecker::Fail(Fault fault, std::string what) {
  verdict_.violations.push_back({fault, "key " + history_.key + ": " + std::move(what)});
}

std::string HistoryChecker::Describe(size_t write) const {
  const Write& of = history_.writes[write];
  std::string text = IsDelete(of) ? "the delete" : of.value;
  for (const Dot& dot : standings_[write].dots) text += " " + ToString(dot);
  return text + " of " + std::to_string(of.began_us);
}

bool HistoryChecker::WasContended(size_t index) const {
  const Write& write = history_.writes[index];
  return std::any_of(history_.writes.begin(), history_.writes.end(), [&](const Write& other) {
    return &other != &write && other.began_us <= write.ended_us &&
           (other.outcome == Outcome::kUnknown || other.ended_us >= write.began_us);
  });
}

void HistoryChecker::LearnAnswer(size_t index) {
  const Write& write = history_.writes[index];
  if (write.outcome != Outcome::kAcknowledged || IsPlain(write)) return;
  // One that was minted twice may be replaced already, by a write that was under way as well.
  if (write.answer == write.given && WasContended(index)) return;
  const std::optional<Dot> dot = NewDot(write.given, write.answer);
  if (!dot) {
    Fail(Fault::kWrongAnswer,
         "the answer's context is not what was given and a new dot: " + Describe(index));
    return;
  }
  const auto [known, fresh] = values_.try_emplace(*dot, write.value);
  if (!fresh) {
    Fail(Fault::kTwoValues,
         ToString(*dot) + " was answered to two writes, the later " + Describe(index));
    return;
  }
  standings_[index].dots.push_back(*dot);
  writes_by_dot_[*dot] = index;
}

void HistoryChecker::LearnValue(const std::string& value, const std::string& where) {
  const auto known = by_value_.find(value);
  if (known == by_value_.end()) {
    Fail(Fault::kInvented, "nobody wrote \"" + value + "\", which " + where + " shows");
  } else if (history_.writes[known->second].outcome == Outcome::kNotDone) {
    Fail(Fault::kInvented,
         where + " shows what was refused without being done: " + Describe(known->second));
  }
}

void HistoryChecker::LearnSibling(const SeenSibling& sibling, const std::string& where) {
  const auto [known, fresh] = values_.try_emplace(sibling.dot, sibling.value);
  if (!fresh) {
    if (known->second != sibling.value) {
      Fail(Fault::kTwoValues, ToString(sibling.dot) + " is \"" + known->second + "\" and, for " +
                                  where + ", \"" + sibling.value + "\"");
    }
    return;
  }
  if (sibling.deleted) {
    if (std::none_of(history_.writes.begin(), history_.writes.end(), IsDelete)) {
      Fail(Fault::kInvented, "nobody deleted it, as " + where + " shows");
    }
    return;
  }
  LearnValue(sibling.value, where);
  const auto write = by_value_.find(sibling.value);
  if (write == by_value_.end()) return;
  standings_[write->second].dots.push_back(sibling.dot);
  writes_by_dot_[sibling.dot] = write->second;
}

void HistoryChecker::CheckReads() {
  std::vector<const Read*> reads;
  for (const Read& read : history_.reads) reads.push_back(&read);
  std::sort(reads.begin(), reads.end(),
            [](const Read* a, const Read* b) { return a->began_us < b->began_us; });
  Past promised(history_, &Write::visible_us);
  Past all(history_, &Write::ended_us);
  for (const Read* read : reads) {
    promised.MoveTo(read->began_us);
    all.MoveTo(read->began_us);
    CheckRead(*read, promised, all);
  }
}

void HistoryChecker::CheckRead(const Read& read, const Past& promised, const Past& all) {
  verdict_.certain_reads += read.certain ? 1 : 0;
  const auto broken = read.certain ? StaleIn(read, promised) : std::nullopt;
  if (broken) {
    Fail(Fault::kStale, "the read of " + std::to_string(read.began_us) + " through node " +
                            std::to_string(read.node) + " " + *broken);
  } else if (StaleIn(read, all)) {
    ++verdict_.stale_reads;
  }
}

std::optional<std::string> HistoryChecker::StaleIn(const Read& read, const Past& past) const {
  if (read.plain) return StalePlain(read, past.since);
  if (read.context && !read.context->Covers(past.written)) {
    return "has not seen all that was acknowledged before";
  }
  for (const SeenSibling& sibling : read.siblings) {
    if (!past.covered.Contains(sibling.dot)) continue;
    return "shows what was covered before: " + ToString(sibling.dot) + " \"" + sibling.value + "\"";
  }
  return std::nullopt;
}

std::optional<std::string> HistoryChecker::StalePlain(const Read& read,
                                                      int64_t Write::*since) const {
  const Write* last = nullptr;
  for (const Write& write : history_.writes) {
    const bool before = write.outcome == Outcome::kAcknowledged && write.*since < read.began_us;
    if (before && (last == nullptr || write.began_us > last->began_us)) last = &write;
  }
  // A delete leaves what it has not met: a twin of an older write.
  if (last == nullptr || last->verb != Verb::kPlainSet) return std::nullopt;
  const std::string shown = read.values.empty() ? "" : read.values.front();
  const bool may_be =
      std::any_of(history_.writes.begin(), history_.writes.end(), [&](const Write& write) {
        const bool earlier = write.began_us < last->began_us;
        const bool as_new = write.ended_us + kClockUs >= last->began_us;
        if (write.outcome != Outcome::kUnknown && earlier && !as_new) return false;
        return read.values.empty() ? IsDelete(write) : write.value == shown;
      });
  if (may_be) return std::nullopt;
  return "shows \"" + shown + "\" after SET " + last->value;
}

void HistoryChecker::CheckResurrected() {
  for (const SeenSibling& sibling : final_.siblings) {
    for (size_t i = 0; i < history_.writes.size(); ++i) {
      const Write& write = history_.writes[i];
      if (IsPlain(write) || !write.given.Contains(sibling.dot)) continue;
      if (write.outcome != Outcome::kAcknowledged && !AnyDotIn(i, final_.context)) continue;
      Fail(Fault::kResurrected, ToString(sibling.dot) + " \"" + sibling.value +
                                    "\" is back, which was covered by " + Describe(i));
    }
    const auto it = writes_by_dot_.find(sibling.dot);
    if (it != writes_by_dot_.end()) CheckReturnAfterDelete(sibling, it->second);
  }
}

// A DEL reads R replicas and covers what they hold: every write that such a read was certain to see
// before it began.
void HistoryChecker::CheckReturnAfterDelete(const SeenSibling& sibling, size_t index) {
  const Write& write = history_.writes[index];
  if (write.outcome != Outcome::kAcknowledged || IsDelete(write)) return;
  bool missed = false;
  for (size_t i = 0; i < history_.writes.size(); ++i) {
    const Write& later = history_.writes[i];
    if (later.verb != Verb::kPlainDelete || later.outcome != Outcome::kAcknowledged ||
        later.began_us <= write.ended_us) {
      continue;
    }
    if (!later.saw_all || later.began_us <= write.visible_us) {
      missed = true;
      continue;
    }
    // A plain write's answer does not name its dot, so the one that stayed may be a twin.
    if (IsPlain(write) || standings_[index].dots.front() != sibling.dot) {
      ++verdict_.returned_twins;
    } else {
      Fail(Fault::kResurrected, Describe(index) + " is back, deleted by " + Describe(i));
    }
    return;
  }
  verdict_.stale_reads += missed ? 1 : 0;
}

bool HistoryChecker::AnyDotIn(size_t index, const CausalContext& context) const {
  const std::vector<Dot>& dots = standings_[index].dots;
  return std::any_of(dots.begin(), dots.end(),
                     [&](const Dot& dot) { return context.Contains(dot); });
}

bool HistoryChecker::MayBeThere(size_t index) const {
  const std::vector<Dot>& dots = standings_[index].dots;
  if (!dots.empty() && !AnyDotIn(index, final_.context)) return false;
  return std::any_of(final_.siblings.begin(), final_.siblings.end(),
                     [&](const SeenSibling& sibling) {
                       if (std::find(dots.begin(), dots.end(), sibling.dot) != dots.end())
                         return true;
                       // A tombstone that no answer named may be of any delete, as its twin.
                       return IsDelete(history_.writes[index]) && sibling.deleted &&
                              !writes_by_dot_.contains(sibling.dot);
                     });
}

bool HistoryChecker::ExplainedBy(const Cover& cover, size_t index, int64_t* latest_us) const {
  const Write& write = history_.writes[index];
  if (AnyDotIn(index, cover.dots)) {
    *latest_us = LatestMint(write);
    return true;
  }
  const bool dots_known = !standings_[index].dots.empty();
  // Whatever covered it, all who agreed in the end have heard of it.
  if (dots_known && !AnyDotIn(index, final_.context)) return false;
  const int64_t until_us =
      dots_known ? cover.plain_until_us : std::max(cover.plain_until_us, cover.context_until_us);
  *latest_us = std::min(LatestMint(write), until_us);
  return until_us >= write.began_us;
}

void HistoryChecker::AddTo(Cover* cover, size_t index) const {
  const Write& write = history_.writes[index];
  if (IsPlain(write)) {
    cover->plain_until_us = std::max(cover->plain_until_us, standings_[index].latest_us);
  } else if (!write.given.empty()) {
    cover->dots.Join(write.given);
    cover->context_until_us = std::max(cover->context_until_us, standings_[index].latest_us);
  }
}

void HistoryChecker::CheckLost() {
  Cover cover;
  for (size_t i = 0; i < history_.writes.size(); ++i) {
    if (history_.writes[i].outcome == Outcome::kNotDone || !MayBeThere(i)) continue;
    standings_[i].safe = true;
    standings_[i].latest_us = LatestMint(history_.writes[i]);
    AddTo(&cover, i);
  }
  // A write mostly covers earlier ones, so from the newest on few rounds are enough. One that is
  // safe may turn out to have been minted later than first found, and explain more.
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = history_.writes.size(); i-- > 0;) {
      Standing& standing = standings_[i];
      int64_t latest_us = 0;
      if (history_.writes[i].outcome == Outcome::kNotDone || !ExplainedBy(cover, i, &latest_us) ||
          (standing.safe && latest_us <= standing.latest_us)) {
        continue;
      }
      standing.safe = true;
      standing.latest_us = latest_us;
      AddTo(&cover, i);
      changed = true;
    }
  }
  for (size_t i = 0; i < history_.writes.size(); ++i) {
    if (history_.writes[i].outcome != Outcome::kAcknowledged || standings_[i].safe) continue;
    const bool heard_of = AnyDotIn(i, final_.context);
    Fail(Fault::kLost,
         Describe(i) + " is lost" +
             (heard_of ? ": the nodes have seen it and nothing present covers it" : ""));
  }
}

}  // namespace cartwheel::chaos
