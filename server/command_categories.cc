#include "server/command_categories.h"

#include <array>
#include <utility>

#include "server/text.h"

namespace cartwheel {
namespace {

enum Category : uint32_t {
  kKeyspace = 1 << 0,
  kRead = 1 << 1,
  kWriting = 1 << 2,
  kSet = 1 << 3,
  kSortedSet = 1 << 4,
  kList = 1 << 5,
  kHash = 1 << 6,
  kString = 1 << 7,
  kBitmap = 1 << 8,
  kHyperLogLog = 1 << 9,
  kGeo = 1 << 10,
  kStream = 1 << 11,
  kPubSubCategory = 1 << 12,
  kAdministration = 1 << 13,
  kQuick = 1 << 14,
  kSlow = 1 << 15,
  kBlocks = 1 << 16,
  kDanger = 1 << 17,
  kConnection = 1 << 18,
  kTransaction = 1 << 19,
  kScripting = 1 << 20,
};

// By bit.
constexpr std::array<std::string_view, 21> kNames = {
    "keyspace", "read",   "write",       "set",       "sortedset",  "list",        "hash",
    "string",   "bitmap", "hyperloglog", "geo",       "stream",     "pubsub",      "admin",
    "fast",     "slow",   "blocking",    "dangerous", "connection", "transaction", "scripting",
};

constexpr std::pair<std::string_view, uint32_t> kOfGroup[] = {
    {"generic", kKeyspace},
    {"string", kString},
    {"bitmap", kBitmap},
    {"hyperloglog", kHyperLogLog},
    {"connection", kConnection},
    {"transactions", kTransaction},
    {"scripting", kScripting},
    {"list", kList},
    {"set", kSet},
    {"sorted-set", kSortedSet},
    {"hash", kHash},
    {"geo", kGeo},
    {"stream", kStream},
};

// Commands whose categories are not those of their group.
constexpr std::pair<std::string_view, uint32_t> kExceptions[] = {
    {"asking", kConnection},
    {"command", kConnection},
    {"dbsize", kKeyspace},
    {"flushall", kKeyspace},
    {"flushdb", kKeyspace},
    {"lastsave", kAdministration},
    {"readonly", kConnection},
    {"readwrite", kConnection},
    {"role", kAdministration},
    {"sort", kSet | kSortedSet | kList},
    {"sort_ro", kSet | kSortedSet | kList},
    {"swapdb", kKeyspace},
    {"wait", kConnection},
};

template <size_t kCount>
std::optional<uint32_t> Find(const std::pair<std::string_view, uint32_t> (&table)[kCount],
                             std::string_view name) {
  for (const auto& [known, categories] : table) {
    if (known == name) return categories;
  }
  return std::nullopt;
}

}  // namespace

std::span<const std::string_view> CategoryNames() { return kNames; }

std::optional<uint32_t> FindCategory(std::string_view name) {
  for (size_t bit = 0; bit < kNames.size(); ++bit) {
    if (EqualsIgnoreCase(kNames[bit], name)) return uint32_t{1} << bit;
  }
  return std::nullopt;
}

uint32_t CategoriesOf(const Command& command) {
  const uint32_t flags = command.flags;
  const Command& top = command.container != nullptr ? *command.container : command;
  uint32_t categories = (flags & kFast) != 0 ? kQuick : kSlow;
  // A container alone does nothing.
  if (command.handler != nullptr) {
    const auto exception = Find(kExceptions, top.name);
    categories |= exception ? *exception : Find(kOfGroup, command.group).value_or(0);
  }
  if ((flags & kReadonly) != 0 && command.group != "scripting") categories |= kRead;
  if ((flags & kWrite) != 0) categories |= kWriting;
  if ((flags & kPubSub) != 0) categories |= kPubSubCategory;
  if ((flags & kBlocking) != 0) categories |= kBlocks;
  if ((flags & kAdmin) != 0) categories |= kAdministration | kDanger;
  if ((flags & kDangerous) != 0) categories |= kDanger;
  return categories;
}

std::vector<std::string_view> NamesOfCategories(uint32_t categories) {
  std::vector<std::string_view> names;
  for (size_t bit = 0; bit < kNames.size(); ++bit) {
    if ((categories >> bit & 1) != 0) names.push_back(kNames[bit]);
  }
  return names;
}

}  // namespace cartwheel
