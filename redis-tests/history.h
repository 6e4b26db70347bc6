// History: what the clients of a chaos run did to one key and what they were told, as a black box
// shows it: contexts that tokens decode to, dots that DYN.SIBLINGS lists, and times of one clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/causal_context.h"

namespace cartwheel::chaos {

enum class Verb : uint8_t { kPut, kDelete, kPlainSet, kPlainDelete };  // DYN.PUT, DYN.DEL, SET, DEL

// kUnknown: no answer, or one that says so (-NOQUORUM). kNotDone: refused before anything was done.
enum class Outcome : uint8_t { kAcknowledged, kUnknown, kNotDone };

struct Write {
  Verb verb = Verb::kPut;
  Outcome outcome = Outcome::kUnknown;
  std::string value;     // unique in the run; empty for deletes
  CausalContext given;   // of kPut, kDelete
  CausalContext answer;  // of an acknowledged kPut, kDelete
  int64_t began_us = 0;
  int64_t ended_us = 0;
  int node = 0;  // through which it went
  // What is known of its quorums (quorum_watch.h). From when on a read of R of the N sees it, when
  // it was acknowledged; whether what a DEL read first were R of the N.
  int64_t visible_us = 0;
  bool saw_all = true;
};

struct SeenSibling {
  Dot dot;
  std::string value;
  bool deleted = false;

  auto operator<=>(const SeenSibling&) const = default;
};

// An answered DYN.GET has a context and values, an answered DYN.SIBLINGS siblings, an answered GET
// one value or none.
struct Read {
  bool plain = false;  // GET
  std::optional<CausalContext> context;
  std::vector<std::string> values;
  std::vector<SeenSibling> siblings;
  int64_t began_us = 0;
  int64_t ended_us = 0;
  int node = 0;
  bool certain = true;  // R of the N answered (quorum_watch.h)
};

struct KeyHistory {
  std::string key;
  std::vector<Write> writes;
  std::vector<Read> reads;
};

// What all nodes agree on in the end.
struct FinalState {
  CausalContext context;
  std::vector<SeenSibling> siblings;

  bool operator==(const FinalState&) const = default;
};

// One line for each operation, in the order in which they began.
std::string ToText(const KeyHistory& history);
std::string ToText(const FinalState& state);

}  // namespace cartwheel::chaos
