// HistoryChecker: what must be true of one key's history, seen from outside. The rules are those of
// tests/simulation/checker.h, which hears of every image that a replica stores; here only clients
// speak, so a dot is known when an answer or DYN.SIBLINGS showed it, and what a plain write covers
// is not known at all: it may cover whatever may have been minted before it.
//   - a DYN.PUT or DYN.DEL is answered with the context it gave and one new dot, no more;
//   - a dot has one value, no value is there that nobody wrote;
//   - a read has seen every write acknowledged before it began, and shows nothing that such a write
//     covered; a DEL covers all of them;
//   - a GET after an acknowledged SET shows its value, or a later one, one of the same millisecond,
//     or one of unknown outcome, where one client alone uses the key and only by plain commands;
//   - at the end an acknowledged write is there, or covered by a write that is there or so covered
//     in turn, and nothing that a write covered is back.
// A write that two nodes minted has two dots: it is known under either, and may stay under one when
// only the other was covered (docs/guarantees.md says so); such a return is counted, and no
// violation. Reads keep their two rules only where it is known that the quorums were of the key's N
// (R + W > N); where fallbacks may have stood in, a stale one is counted, and no violation.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "redis-tests/history.h"

namespace cartwheel::chaos {

enum class Fault : uint8_t { kLost, kResurrected, kInvented, kTwoValues, kStale, kWrongAnswer };
inline constexpr const char* kFaultNames[] = {"lost",       "resurrected", "invented",
                                              "two-values", "stale-read",  "wrong-answer"};

struct Violation {
  Fault fault;
  std::string what;
};

struct Verdict {
  std::vector<Violation> violations;
  uint64_t returned_twins = 0;
  uint64_t certain_reads = 0;  // that were held to the rules
  uint64_t stale_reads = 0;    // that were not, and would have broken them
};

class HistoryChecker {
 public:
  HistoryChecker(const KeyHistory& history, const FinalState& final_state);

  Verdict Check();

 private:
  // How a write stands at the end. `latest_us`: it cannot have been minted after this, if what is
  // there at the end is to be explained by it.
  struct Standing {
    std::vector<Dot> dots;  // that are known, several if it was minted more than once
    bool safe = false;
    int64_t latest_us = 0;
  };
  // What safe writes cover: exactly the dots of contexts, and whatever was minted up to then.
  struct Cover {
    CausalContext dots;
    int64_t plain_until_us = INT64_MIN;
    int64_t context_until_us = INT64_MIN;  // by contexts, for writes whose dots nobody saw
  };

  // What the writes stored and covered that were acknowledged before a time, by one of their times.
  class Past {
   public:
    Past(const KeyHistory& history, int64_t Write::*since);
    void MoveTo(int64_t us);

    int64_t Write::*const since;
    CausalContext written;
    CausalContext covered;

   private:
    std::vector<const Write*> writes_;
    size_t next_ = 0;
  };

  void Fail(Fault fault, std::string what);
  std::string Describe(size_t write) const;
  bool WasContended(size_t index) const;
  void LearnAnswer(size_t write);
  void LearnSibling(const SeenSibling& sibling, const std::string& where);
  void LearnValue(const std::string& value, const std::string& where);
  void CheckReads();
  void CheckRead(const Read& read, const Past& promised, const Past& all);
  // What is stale about it, given what was known up to then; nothing when it is not.
  std::optional<std::string> StaleIn(const Read& read, const Past& past) const;
  std::optional<std::string> StalePlain(const Read& read, int64_t Write::*since) const;
  void CheckResurrected();
  void CheckReturnAfterDelete(const SeenSibling& sibling, size_t write);
  void CheckLost();
  bool AnyDotIn(size_t write, const CausalContext& context) const;
  bool MayBeThere(size_t write) const;
  bool ExplainedBy(const Cover& cover, size_t write, int64_t* latest_us) const;
  void AddTo(Cover* cover, size_t write) const;

  const KeyHistory& history_;
  const FinalState& final_;
  std::map<std::string, size_t> by_value_;
  std::map<Dot, std::string> values_;  // empty: deleted
  std::map<Dot, size_t> writes_by_dot_;
  std::vector<Standing> standings_;
  Verdict verdict_;
};

}  // namespace cartwheel::chaos
