// Looking up a command by its name: a small open-addressed table made once from the command table.
#include "server/command.h"

#include <array>

#include "base/check.h"
#include "server/text.h"

namespace cartwheel {
namespace {

constexpr size_t kBuckets = 1024;

// ASCII letters fold by their sixth bit; other characters may collide, which costs a comparison.
size_t HashName(std::string_view name) {
  uint32_t hash = static_cast<uint32_t>(name.size());
  for (const char c : name) hash = hash * 31 + (static_cast<uint8_t>(c) | 0x20u);
  return (hash ^ hash >> 10) % kBuckets;
}

class Index {
 public:
  Index() {
    CHECK(CommandTable().size() < kBuckets / 2);
    for (const CommandRow& row : CommandTable()) {
      size_t bucket = HashName(row.name);
      while (buckets_[bucket] != nullptr) bucket = (bucket + 1) % kBuckets;
      buckets_[bucket] = &row;
    }
  }

  const CommandRow* Find(std::string_view name) const {
    for (size_t bucket = HashName(name); buckets_[bucket] != nullptr;
         bucket = (bucket + 1) % kBuckets) {
      if (EqualsIgnoreCase(buckets_[bucket]->name, name)) return buckets_[bucket];
    }
    return nullptr;
  }

 private:
  std::array<const CommandRow*, kBuckets> buckets_{};
};

}  // namespace

const CommandRow* FindCommand(std::string_view name) {
  static const Index kIndex;
  // Longer names are no commands; hashing them would cost what their sender likes.
  return name.size() <= 64 ? kIndex.Find(name) : nullptr;
}

}  // namespace cartwheel
