#include "base/coding.h"

namespace cartwheel {

uint64_t Reader::LongVarint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const uint8_t byte = Byte();
    if (!ok_) return 0;
    // The tenth byte holds the top bit alone; a last byte of 0 would be a second spelling.
    if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0)) break;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return Fail();
}

}  // namespace cartwheel
