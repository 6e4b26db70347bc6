// Readers and printers of option values, one pair per kind of value; the rows of server/options.cc
// name them with the member they fill. A reader says why a value cannot be, in Redis's words where
// it has some, and changes nothing then; an empty answer means that the value was taken.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>

#include "base/decimal.h"
#include "server/options.h"

namespace cartwheel::option {

using Words = std::span<const std::string>;

template <auto kMember>
using Field = std::remove_reference_t<decltype(std::declval<Options&>().*kMember)>;

inline constexpr std::string_view kWrongCount = "wrong number of arguments";
inline constexpr std::string_view kNoInteger = "argument couldn't be parsed into an integer";
inline constexpr std::string_view kNoMemoryValue = "argument must be a memory value";
inline constexpr std::string_view kNoYesNo = "argument must be 'yes' or 'no'";

// "argument must be between 1 and 7 inclusive"
std::string OutOfRange(int64_t least, int64_t most);

template <auto kMember, int64_t kLeast, int64_t kMost>
std::string ReadInteger(Options* options, Words words) {
  if (words.size() != 1) return std::string(kWrongCount);
  const std::optional<int64_t> value = ParseInteger(words[0]);
  if (!value) return std::string(kNoInteger);
  if (*value < kLeast || *value > kMost) return OutOfRange(kLeast, kMost);
  options->*kMember = static_cast<Field<kMember>>(*value);
  return {};
}

template <auto kMember>
std::string PrintInteger(const Options& options) {
  return std::to_string(options.*kMember);
}

template <auto kMember, uint64_t kLeast>
std::string ReadBytes(Options* options, Words words) {
  if (words.size() != 1) return std::string(kWrongCount);
  const std::optional<uint64_t> value = ParseBytes(words[0]);
  if (!value) return std::string(kNoMemoryValue);
  if (*value < kLeast) return OutOfRange(kLeast, INT64_MAX);
  options->*kMember = *value;
  return {};
}

template <auto kMember>
std::string ReadYesNo(Options* options, Words words) {
  if (words.size() != 1) return std::string(kWrongCount);
  if (words[0] != "yes" && words[0] != "no") return std::string(kNoYesNo);
  options->*kMember = words[0] == "yes";
  return {};
}

template <auto kMember>
std::string PrintYesNo(const Options& options) {
  return options.*kMember ? "yes" : "no";
}

// Any text up to kMostBytes; an empty one only where the option is off by default.
template <auto kMember, size_t kMostBytes, bool kMayBeEmpty>
std::string ReadText(Options* options, Words words) {
  if (words.size() != 1) return std::string(kWrongCount);
  if (words[0].size() > kMostBytes) return "argument is too long";
  if (words[0].empty() && !kMayBeEmpty) return "argument must not be empty";
  options->*kMember = words[0];
  return {};
}

// Text that stands between others in a line: printable, without blanks.
template <auto kMember, size_t kMostBytes>
std::string ReadName(Options* options, Words words) {
  const auto breaks = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; };
  if (words.size() == 1 && std::any_of(words[0].begin(), words[0].end(), breaks)) {
    return "argument must not have blanks in it";
  }
  return ReadText<kMember, kMostBytes, false>(options, words);
}

template <auto kMember>
std::string PrintText(const Options& options) {
  return options.*kMember;
}

std::string ReadBind(Options* options, Words words);
std::string PrintBind(const Options& options);
std::string ReadSeeds(Options* options, Words words);
std::string PrintSeeds(const Options& options);
std::string ReadReplace(Options* options, Words words);
std::string PrintReplace(const Options& options);
std::string ReadEngine(Options* options, Words words);
std::string PrintEngine(const Options& options);
std::string ReadFsync(Options* options, Words words);
std::string PrintFsync(const Options& options);
std::string ReadPlacement(Options* options, Words words);
std::string PrintPlacement(const Options& options);
std::string ReadPartitions(Options* options, Words words);
std::string ReadPartitioner(Options* options, Words words);
std::string PrintPartitioner(const Options& options);
std::string ReadWeight(Options* options, Words words);
std::string PrintWeight(const Options& options);
std::string ReadLogLevel(Options* options, Words words);
std::string PrintLogLevel(const Options& options);
std::string ReadOutputLimits(Options* options, Words words);
std::string PrintOutputLimits(const Options& options);
std::string ReadMaxMemoryPolicy(Options* options, Words words);
std::string PrintMaxMemoryPolicy(const Options& options);
std::string ReadDebugCommand(Options* options, Words words);
std::string PrintDebugCommand(const Options& options);
std::string ReadPercentiles(Options* options, Words words);
std::string PrintPercentiles(const Options& options);
std::string ReadNotifications(Options* options, Words words);
std::string PrintNotifications(const Options& options);

}  // namespace cartwheel::option
