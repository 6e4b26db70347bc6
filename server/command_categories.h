// CommandCategories: the ACL categories of commands, as COMMAND INFO, COMMAND LIST and ACL CAT show
// them. Most follow from a row's flags and its group; the others are in one small table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "server/command_table.h"

namespace cartwheel {

// All names in Redis's order, without the '@'.
std::span<const std::string_view> CategoryNames();
// The bit of a category, case-insensitive; nothing when there is none of that name.
std::optional<uint32_t> FindCategory(std::string_view name);

// A bit for each category that the command is in.
uint32_t CategoriesOf(const Command& command);
// The names of these bits, in Redis's order.
std::vector<std::string_view> NamesOfCategories(uint32_t categories);

}  // namespace cartwheel
