// HyperLogLog coding: registers as the string that Redis keeps under the key, so that values move
// between the two.
//
//   value  := "HYLL" encoding:byte 3 zero bytes, count:fixed64, registers
//   count  := the estimate that was last taken; its top bit: the registers have changed since
//   dense  (encoding 0) := register i at bits 6 i to 6 i + 5, from the least significant bit of the
//                          first byte on; 12288 bytes
//   sparse (encoding 1) := runs that are 16384 registers in all:
//     00nnnnnn           n + 1 registers of 0
//     01nnnnnn nnnnnnnn  n + 1 registers of 0
//     1rrrrrnn           n + 1 registers of r + 1, at most 32
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "values/hyperloglog.h"

namespace cartwheel {

inline constexpr size_t kHllHeaderBytes = 16;

// Whether the head of a value is that of a HyperLogLog, and its length one that it can have. What
// follows a sparse one's may be damaged nevertheless.
bool IsHyperLogLog(std::string_view value);

// All of these take a value that IsHyperLogLog.
bool IsDense(std::string_view value);
// Raises the registers to those of the value; false, with some raised, when it is damaged.
[[nodiscard]] bool MergeRegisters(std::string_view value, HllRegisters* registers);
// The count that is kept with them, unless they have changed since.
std::optional<uint64_t> KeptCount(std::string_view value);
void KeepCount(std::string* value, uint64_t count);
// The runs of a sparse one, as PFDEBUG DECODE shows them.
std::string DescribeRuns(std::string_view value);

// The count's eight bytes, whatever they say; of a new value 0.
uint64_t RawCount(std::string_view value);
// `raw` marked as out of date.
uint64_t StaleCount(uint64_t raw);

// Sparse, unless `dense` is wished, a register is above 32, or the value would be longer than
// `sparse_max_bytes` (hll-sparse-max-bytes).
std::string EncodeHyperLogLog(const HllRegisters& registers, bool dense, uint64_t sparse_max_bytes,
                              uint64_t raw_count);

}  // namespace cartwheel
