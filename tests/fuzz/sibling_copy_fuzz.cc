// Feeds arbitrary bytes to the decoders of copies (what peers send) and of dumps (what clients
// RESTORE). What is taken must be what the encoder writes.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "storage/sibling_copy.h"

using namespace cartwheel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto copies = DecodeCopies(input)) {
    CHECK(EncodeCopies(*copies) == input);
    const auto dumped = DecodeDump(EncodeDump(*copies), copies->size());
    CHECK(dumped.has_value() && dumped->size() == copies->size());
  }
  if (const auto dumped = DecodeDump(input, 100)) CHECK(!dumped->empty());
  return 0;
}
