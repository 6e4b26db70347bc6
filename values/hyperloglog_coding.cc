#include "values/hyperloglog_coding.h"

#include <algorithm>
#include <cstring>

#include "base/coding.h"

namespace cartwheel {
namespace {

constexpr std::string_view kMagic = "HYLL";
constexpr size_t kEncodingAt = 4;
constexpr size_t kCountAt = 8;
constexpr char kDense = 0;
constexpr char kSparse = 1;
constexpr size_t kDenseBytes = kHllHeaderBytes + kHllRegisters * 6 / 8;
constexpr uint64_t kStale = 1ULL << 63;

constexpr size_t kLongestShortZeros = 64;
constexpr size_t kLongestSame = 4;
constexpr uint8_t kMaxSparseRank = 32;
// Of one that is empty, which is sparse whatever the option says.
constexpr uint64_t kEmptySparseBytes = kHllHeaderBytes + 2;

struct Run {
  uint8_t rank = 0;
  size_t length = 0;
  bool wide = false;  // zeros in two bytes
};

// Takes the next run; its length is 0 when the bytes end within it.
Run TakeRun(std::string_view* bytes) {
  const auto first = static_cast<uint8_t>(bytes->front());
  bytes->remove_prefix(1);
  if ((first & 0x80) != 0) {
    return {static_cast<uint8_t>(((first >> 2) & 31) + 1), (first & 3) + size_t{1}, false};
  }
  const size_t length = first & 0x3f;
  if ((first & 0x40) == 0) return {0, length + 1, false};
  if (bytes->empty()) return {};
  const auto second = static_cast<uint8_t>(bytes->front());
  bytes->remove_prefix(1);
  return {0, (length << 8 | second) + 1, true};
}

bool MergeSparse(std::string_view runs, HllRegisters* registers) {
  size_t index = 0;
  while (!runs.empty()) {
    const Run run = TakeRun(&runs);
    if (run.length == 0 || run.length > kHllRegisters - index) return false;
    const size_t end = index + run.length;
    if (run.rank == 0) {
      index = end;
      continue;
    }
    for (; index < end; ++index) (*registers)[index] = std::max((*registers)[index], run.rank);
  }
  return index == kHllRegisters;
}

// Four registers stand in three bytes.
void MergeDense(std::string_view packed, HllRegisters* registers) {
  for (size_t index = 0; index < kHllRegisters; index += 4, packed.remove_prefix(3)) {
    const uint32_t four = static_cast<uint8_t>(packed[0]) |
                          uint32_t{static_cast<uint8_t>(packed[1])} << 8 |
                          uint32_t{static_cast<uint8_t>(packed[2])} << 16;
    for (size_t i = 0; i < 4; ++i) {
      uint8_t& rank = (*registers)[index + i];
      rank = std::max(rank, static_cast<uint8_t>((four >> (6 * i)) & 63));
    }
  }
}

void AppendDense(const HllRegisters& registers, std::string* out) {
  for (size_t index = 0; index < kHllRegisters; index += 4) {
    uint32_t four = 0;
    for (size_t i = 0; i < 4; ++i) four |= uint32_t{registers[index + i]} << (6 * i);
    for (int shift = 0; shift < 24; shift += 8) out->push_back(static_cast<char>(four >> shift));
  }
}

// Where the run that begins at `begin` ends.
size_t EndOfRun(const HllRegisters& registers, size_t begin) {
  const uint8_t rank = registers[begin];
  const uint64_t eight = rank * 0x0101010101010101ULL;
  size_t end = begin + 1;
  while (end + 8 <= kHllRegisters && std::memcmp(&registers[end], &eight, 8) == 0) end += 8;
  while (end < kHllRegisters && registers[end] == rank) ++end;
  return end;
}

// False, with a part written, when a register is too large or the bytes become too many.
bool AppendSparse(const HllRegisters& registers, uint64_t max_bytes, std::string* out) {
  for (size_t begin = 0; begin < kHllRegisters;) {
    const uint8_t rank = registers[begin];
    const size_t end = EndOfRun(registers, begin);
    size_t left = end - begin;
    begin = end;
    if (rank > kMaxSparseRank) return false;
    if (rank == 0 && left > kLongestShortZeros) {
      out->push_back(static_cast<char>(0x40 | (left - 1) >> 8));
      out->push_back(static_cast<char>(left - 1));
    } else if (rank == 0) {
      out->push_back(static_cast<char>(left - 1));
    } else {
      for (; left > 0; left -= std::min(left, kLongestSame)) {
        const size_t length = std::min(left, kLongestSame);
        out->push_back(static_cast<char>(0x80 | (rank - 1) << 2 | (length - 1)));
      }
    }
    if (out->size() > max_bytes) return false;
  }
  return true;
}

std::string Header(char encoding, uint64_t raw_count) {
  std::string header(kMagic);
  header.push_back(encoding);
  header.append(kCountAt - header.size(), '\0');
  PutFixed64(&header, raw_count);
  return header;
}

}  // namespace

bool IsHyperLogLog(std::string_view value) {
  if (value.size() < kHllHeaderBytes || !value.starts_with(kMagic)) return false;
  if (value[kEncodingAt] == kDense) return value.size() == kDenseBytes;
  return value[kEncodingAt] == kSparse;
}

bool IsDense(std::string_view value) { return value[kEncodingAt] == kDense; }

bool MergeRegisters(std::string_view value, HllRegisters* registers) {
  const std::string_view body = value.substr(kHllHeaderBytes);
  if (!IsDense(value)) return MergeSparse(body, registers);
  MergeDense(body, registers);
  return true;
}

uint64_t RawCount(std::string_view value) { return GetFixed64(value.data() + kCountAt); }

uint64_t StaleCount(uint64_t raw) { return raw | kStale; }

std::optional<uint64_t> KeptCount(std::string_view value) {
  const uint64_t raw = RawCount(value);
  return (raw & kStale) == 0 ? std::optional(raw) : std::nullopt;
}

void KeepCount(std::string* value, uint64_t count) {
  std::string bytes;
  PutFixed64(&bytes, count & ~kStale);
  value->replace(kCountAt, bytes.size(), bytes);
}

std::string DescribeRuns(std::string_view value) {
  std::string text;
  std::string_view runs = value.substr(kHllHeaderBytes);
  while (!runs.empty()) {
    const Run run = TakeRun(&runs);
    if (!text.empty()) text.push_back(' ');
    if (run.rank != 0) {
      text.append("v:").append(std::to_string(run.rank)).append(",");
    } else {
      text.append(run.wide ? "Z:" : "z:");
    }
    text.append(std::to_string(run.length));
  }
  return text;
}

std::string EncodeHyperLogLog(const HllRegisters& registers, bool dense, uint64_t sparse_max_bytes,
                              uint64_t raw_count) {
  if (!dense) {
    std::string value = Header(kSparse, raw_count);
    const uint64_t most = std::max(sparse_max_bytes, kEmptySparseBytes);
    if (AppendSparse(registers, most, &value)) return value;
  }
  std::string value = Header(kDense, raw_count);
  value.reserve(kDenseBytes);
  AppendDense(registers, &value);
  return value;
}

}  // namespace cartwheel
