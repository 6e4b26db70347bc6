#include "server/process_memory.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string_view>

// jemalloc's, where the process is linked with it.
extern "C" {
__attribute__((weak)) int mallctl(const char* name, void* old_value, size_t* old_bytes,
                                  void* new_value, size_t new_bytes);
__attribute__((weak)) void malloc_stats_print(void (*write)(void*, const char*), void* context,
                                              const char* options);
}

namespace cartwheel {
namespace {

uint64_t ResidentBytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long total = 0;
  unsigned long resident = 0;
  const int read = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

uint64_t Statistic(const char* name, uint64_t otherwise) {
  size_t value = 0;
  size_t bytes = sizeof(value);
  if (mallctl == nullptr || mallctl(name, &value, &bytes, nullptr, 0) != 0) return otherwise;
  return value;
}

}  // namespace

ProcessMemory MeasureMemory() {
  // jemalloc's numbers stand still until its epoch is moved on.
  uint64_t epoch = 1;
  if (mallctl != nullptr) mallctl("epoch", nullptr, nullptr, &epoch, sizeof(epoch));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  ProcessMemory memory;
  memory.resident = ResidentBytes();
  memory.peak_resident =
      std::max<uint64_t>(static_cast<uint64_t>(usage.ru_maxrss) * 1024, memory.resident);
  memory.allocated = Statistic("stats.allocated", memory.resident);
  memory.active = Statistic("stats.active", memory.resident);
  memory.mapped_resident = Statistic("stats.resident", memory.resident);
  return memory;
}

uint64_t SystemMemoryBytes() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

std::string AllocatorName() {
  const char* version = nullptr;
  size_t bytes = sizeof(version);
  if (mallctl == nullptr || mallctl("version", &version, &bytes, nullptr, 0) != 0) return "libc";
  const std::string_view all = version;
  return "jemalloc-" + std::string(all.substr(0, all.find('-')));
}

std::string AllocatorReport() {
  std::string report;
  if (malloc_stats_print == nullptr) return report;
  const auto append = [](void* context, const char* text) {
    static_cast<std::string*>(context)->append(text);
  };
  malloc_stats_print(append, &report, nullptr);
  return report;
}

void PurgeAllocator() {
  // 4096 is jemalloc's number for all arenas.
  if (mallctl != nullptr) mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);
}

std::string HumanBytes(uint64_t bytes) {
  constexpr std::string_view kUnits = "BKMGTP";
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{}B", bytes);
  return fmt::format("{:.2f}{}", value, kUnits[unit]);
}

}  // namespace cartwheel
