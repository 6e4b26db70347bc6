#include "redis-tests/history.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace cartwheel::chaos {
namespace {

std::string ToText(const CausalContext& context) {
  std::string text = "{";
  for (const auto& entry : context.vector()) {
    text += " <=" + ToString(Dot{entry.actor, entry.counter});
  }
  for (const Dot& dot : context.cloud()) text += " " + ToString(dot);
  return text + " }";
}

std::string ToText(const std::vector<SeenSibling>& siblings) {
  std::string text;
  for (const SeenSibling& sibling : siblings) {
    text += " " + ToString(sibling.dot) + "=" + (sibling.deleted ? "(deleted)" : sibling.value);
  }
  return text;
}

template <typename Operation>
std::string Times(const Operation& operation) {
  return std::to_string(operation.began_us) + "-" + std::to_string(operation.ended_us) + " node " +
         std::to_string(operation.node) + " ";
}

std::string ToText(const Write& write) {
  static constexpr const char* kVerbs[] = {"DYN.PUT", "DYN.DEL", "SET", "DEL"};
  static constexpr const char* kOutcomes[] = {"acknowledged", "unknown", "not done"};
  const bool dynamo = write.verb == Verb::kPut || write.verb == Verb::kDelete;
  std::string text = Times(write) + kVerbs[static_cast<int>(write.verb)] + " " + write.value;
  if (dynamo) text += " given " + ToText(write.given);
  text += std::string(" -> ") + kOutcomes[static_cast<int>(write.outcome)];
  if (write.outcome != Outcome::kAcknowledged) return text;
  if (dynamo) text += " " + ToText(write.answer);
  if (write.visible_us > write.ended_us) {
    text += " (fallbacks, handed on " +
            (write.visible_us == INT64_MAX ? "never" : std::to_string(write.visible_us)) + ")";
  }
  return text;
}

std::string ToText(const Read& read) {
  const std::string times = Times(read) + (read.certain ? "" : "(fallbacks) ");
  if (!read.plain && !read.context) return times + "DYN.SIBLINGS ->" + ToText(read.siblings);
  std::string text = times + (read.plain ? "GET ->" : "DYN.GET -> " + ToText(*read.context));
  for (const std::string& value : read.values) text += " " + value;
  return text;
}

}  // namespace

std::string ToText(const KeyHistory& history) {
  std::vector<std::pair<int64_t, std::string>> lines;
  for (const Write& write : history.writes) lines.emplace_back(write.began_us, ToText(write));
  for (const Read& read : history.reads) lines.emplace_back(read.began_us, ToText(read));
  std::sort(lines.begin(), lines.end());
  std::string text = "key " + history.key + ", times in us\n";
  for (const auto& [unused, line] : lines) text += line + "\n";
  return text;
}

std::string ToText(const FinalState& state) {
  return "at the end " + ToText(state.context) + ToText(state.siblings) + "\n";
}

}  // namespace cartwheel::chaos
