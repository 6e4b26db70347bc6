// The families of commands, by the file they are in. server/command_table.cc gathers them.
#pragma once

#include "server/command_table.h"

namespace cartwheel {

// Differences from Redis that several rows name.
inline constexpr std::string_view kConcurrentUpdates =
    "concurrent ones on two sides of a partition are both taken and kept as versions";
inline constexpr std::string_view kEachForItself =
    "each key for itself: the whole is not one moment";
inline constexpr std::string_view kOwnClock =
    "a time is absolute and each node goes by its own clock";
inline constexpr std::string_view kWholeRing = "of the whole ring, from any node";
inline constexpr std::string_view kMajority =
    "of the whole ring: decided by a majority of its members, holds for those that are away";
inline constexpr std::string_view kAnyNode = "accepted: any node serves any key";

CommandFamily ConnectionCommands();     // commands_connection.cc
CommandFamily ClientCommands();         // commands_client.cc
CommandFamily IntrospectionCommands();  // commands_command.cc
CommandFamily ServerCommands();         // commands_server.cc
CommandFamily ConfigCommands();         // commands_config.cc
CommandFamily SlowlogCommands();        // commands_slowlog.cc
CommandFamily LatencyCommands();        // commands_latency.cc
CommandFamily MemoryCommands();         // commands_memory.cc
CommandFamily AclCommands();            // commands_acl.cc
CommandFamily DebugCommands();          // commands_debug.cc
CommandFamily FunctionCommands();       // commands_function.cc
CommandFamily TransactionCommands();    // commands_transactions.cc
CommandFamily PubSubCommands();         // commands_pubsub.cc
CommandFamily WaitCommands();           // commands_wait.cc
CommandFamily MemberCommands();         // commands_members.cc
CommandFamily StringCommands();         // commands_strings.cc
CommandFamily BitCommands();            // commands_bits.cc
CommandFamily BitfieldCommands();       // commands_bitfield.cc
CommandFamily HyperLogLogCommands();    // commands_hyperloglog.cc
CommandFamily CounterCommands();        // commands_counters.cc
CommandFamily RangeCommands();          // commands_ranges.cc
CommandFamily KeyCommands();            // commands_keys.cc
CommandFamily KeyCopyCommands();        // commands_key_copies.cc
CommandFamily ScanCommands();           // commands_scan.cc
CommandFamily ObjectCommands();         // commands_object.cc
CommandFamily SortCommands();           // commands_sort.cc
CommandFamily SaveCommands();           // commands_save.cc
CommandFamily VersionCommands();        // commands_dyn.cc
CommandFamily RingCommands();           // commands_ring.cc
CommandFamily ClusterCommands();        // commands_cluster.cc

}  // namespace cartwheel
