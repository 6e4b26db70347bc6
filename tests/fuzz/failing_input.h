// FailingInput: keeps the input that a fuzz target is at, and writes it to a file when the process
// dies of it: a CHECK, a signal, a sanitizer's report, or no end within a time. One per process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace cartwheel {

// From now on; the file is made only then.
void WriteFailingInputTo(const std::string& path);
// The bytes that the target is given next; they outlive its run. It may take so long.
void NoteInput(const uint8_t* data, size_t size);
inline constexpr unsigned kMaxInputSeconds = 60;

}  // namespace cartwheel
