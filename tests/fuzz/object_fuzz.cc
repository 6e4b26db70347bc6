// Feeds arbitrary bytes to the decoders of objects and records. What is taken must be what the
// encoder writes, and must still be that after it was merged with whatever else was taken.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "storage/object.h"
#include "storage/record.h"

using namespace cartwheel;

namespace {

void MustDecode(const Object& object) {
  std::string bytes;
  EncodeObject(object, &bytes);
  const auto again = DecodeObject(bytes);
  CHECK(again.has_value());
  CHECK(*again == object);
}

void Merge(const Object& a, const Object& b) {
  Object merged = a;
  MergeInto(&merged, b);
  CHECK(merged.context.Covers(a.context) && merged.context.Covers(b.context));
  MustDecode(merged);
  CHECK(VersionHash({}, merged) != 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto record = ParseRecord(input);
  CHECK(record.has_value() || !RecordIntact(input));
  if (record) CHECK(record->key.size() + record->object.size() < size);

  std::vector<Replaced> replaces;
  if (DecodeReplaces(input, &replaces)) {
    std::string bytes;
    EncodeReplaces(replaces, &bytes);
    CHECK(bytes == input);
  }

  if (size == 0) return 0;
  // The first byte says where the second object begins.
  const size_t split = 1 + data[0] % size;
  const std::string_view parts[] = {input.substr(1, split - 1), input.substr(split)};
  const auto first = DecodeObject(parts[0]);
  const auto second = DecodeObject(parts[1]);
  for (const auto* decoded : {&first, &second}) {
    if (!*decoded) continue;
    std::string bytes;
    EncodeObject(**decoded, &bytes);
    CHECK(bytes == parts[decoded == &first ? 0 : 1]);
    Merge(**decoded, **decoded);
  }
  if (first && second) {
    Merge(*first, *second);
    Merge(*second, *first);
  }
  return 0;
}
