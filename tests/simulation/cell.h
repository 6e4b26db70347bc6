// Cell: one cell of the matrix of ring changes and faults. Again and again the ring changes in one
// way, and while it is in motion one fault strikes a node in one role. Nothing else goes wrong.
#pragma once

#include <array>
#include <string_view>

#include "tests/simulation/fault_kind.h"

namespace cartwheel::sim {

enum class Role : uint8_t { kSource, kTarget, kBystander, kCoordinator };

struct Cell {
  FaultKind change = FaultKind::kJoin;
  FaultKind fault = FaultKind::kCrash;
  Role role = Role::kSource;
};

inline constexpr std::array kCellChanges = {FaultKind::kJoin, FaultKind::kLeave, FaultKind::kRemove,
                                            FaultKind::kReplace};
inline constexpr std::array kCellFaults = {FaultKind::kCrash, FaultKind::kPause,
                                           FaultKind::kOneWayCut, FaultKind::kSlowNode};
inline constexpr std::array kCellRoles = {Role::kSource, Role::kTarget, Role::kBystander,
                                          Role::kCoordinator};
inline constexpr std::array<std::string_view, 4> kRoleNames = {"source", "target", "bystander",
                                                               "coordinator"};

}  // namespace cartwheel::sim
