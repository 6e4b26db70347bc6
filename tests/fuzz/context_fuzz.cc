// Feeds arbitrary bytes to the decoders of contexts and of clients' tokens. What is taken must be
// what the encoder writes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "storage/context_token.h"
#include "storage/object.h"

using namespace cartwheel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Position key = PositionOf(0, "key", Partitioner::kSlot);

  const auto decoded = DecodeContext(input);
  if (decoded) {
    std::string bytes;
    EncodeContext(*decoded, &bytes);
    CHECK(bytes == input);
    for (const auto& entry : decoded->vector()) {
      CHECK(decoded->Contains({entry.actor, entry.counter}));
      CHECK(decoded->HighestCounter(entry.actor) >= entry.counter);
    }
    for (const Dot& dot : decoded->cloud()) {
      CHECK(decoded->Contains(dot));
      CHECK(decoded->HighestCounter(dot.actor) >= dot.counter);
    }
    CausalContext joined = *decoded;
    joined.Join(*decoded);
    CHECK(joined == *decoded && decoded->Covers(*decoded));
    const auto from_token = DecodeToken(key, EncodeToken(key, *decoded));
    CHECK(from_token.has_value() && *from_token == *decoded);
  }

  const auto token = DecodeToken(key, input);
  CHECK(!token.has_value() || EncodeToken(key, *token) == input);
  return 0;
}
