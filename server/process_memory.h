// ProcessMemory: what the kernel and the allocator (jemalloc, in the server; libc's malloc in
// tests) say about this process's memory, for INFO and MEMORY.
#pragma once

#include <cstdint>
#include <string>

namespace cartwheel {

struct ProcessMemory {
  uint64_t resident = 0;       // bytes, as the kernel counts them
  uint64_t peak_resident = 0;  // since the start
  // jemalloc's; without it all are `resident`.
  uint64_t allocated = 0;
  uint64_t active = 0;
  uint64_t mapped_resident = 0;
};

ProcessMemory MeasureMemory();
uint64_t SystemMemoryBytes();

// "jemalloc-5.3.0" or "libc".
std::string AllocatorName();
// What the allocator tells about itself; empty when it tells nothing.
std::string AllocatorReport();
// Gives unused pages back to the kernel.
void PurgeAllocator();

// "894.68K", as Redis writes sizes for people.
std::string HumanBytes(uint64_t bytes);

}  // namespace cartwheel
