// Readers and printers of option values, one pair per kind of value; the rows of server/options.cc
// name them with the member they fill. A reader changes nothing when it returns false.
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

template <auto kMember, int64_t kLeast, int64_t kMost>
bool ReadInteger(Options* options, Words words) {
  if (words.size() != 1) return false;
  const std::optional<int64_t> value = ParseInteger(words[0]);
  if (!value || *value < kLeast || *value > kMost) return false;
  options->*kMember = static_cast<Field<kMember>>(*value);
  return true;
}

template <auto kMember>
std::string PrintInteger(const Options& options) {
  return std::to_string(options.*kMember);
}

template <auto kMember, uint64_t kLeast>
bool ReadBytes(Options* options, Words words) {
  if (words.size() != 1) return false;
  const std::optional<uint64_t> value = ParseBytes(words[0]);
  if (!value || *value < kLeast) return false;
  options->*kMember = *value;
  return true;
}

template <auto kMember>
bool ReadYesNo(Options* options, Words words) {
  if (words.size() != 1 || (words[0] != "yes" && words[0] != "no")) return false;
  options->*kMember = words[0] == "yes";
  return true;
}

template <auto kMember>
std::string PrintYesNo(const Options& options) {
  return options.*kMember ? "yes" : "no";
}

// Any text up to kMostBytes; an empty one only where the option is off by default.
template <auto kMember, size_t kMostBytes, bool kMayBeEmpty>
bool ReadText(Options* options, Words words) {
  if (words.size() != 1 || words[0].size() > kMostBytes) return false;
  if (words[0].empty() && !kMayBeEmpty) return false;
  options->*kMember = words[0];
  return true;
}

// Text that stands between others in a line: printable, without blanks.
template <auto kMember, size_t kMostBytes>
bool ReadName(Options* options, Words words) {
  const auto breaks = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; };
  if (words.size() == 1 && std::any_of(words[0].begin(), words[0].end(), breaks)) return false;
  return ReadText<kMember, kMostBytes, false>(options, words);
}

template <auto kMember>
std::string PrintText(const Options& options) {
  return options.*kMember;
}

bool ReadBind(Options* options, Words words);
std::string PrintBind(const Options& options);
bool ReadSeeds(Options* options, Words words);
std::string PrintSeeds(const Options& options);
bool ReadEngine(Options* options, Words words);
std::string PrintEngine(const Options& options);
bool ReadFsync(Options* options, Words words);
std::string PrintFsync(const Options& options);
bool ReadPlacement(Options* options, Words words);
std::string PrintPlacement(const Options& options);
bool ReadPartitions(Options* options, Words words);
bool ReadPartitioner(Options* options, Words words);
std::string PrintPartitioner(const Options& options);
bool ReadWeight(Options* options, Words words);
std::string PrintWeight(const Options& options);
bool ReadLogLevel(Options* options, Words words);
std::string PrintLogLevel(const Options& options);
bool ReadOutputLimits(Options* options, Words words);
std::string PrintOutputLimits(const Options& options);

}  // namespace cartwheel::option
