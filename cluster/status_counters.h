// StatusCounters: what DYN.STATUS and INFO count. Numbers that only grow, or gauges.
#pragma once

#include <array>
#include <cstdint>

namespace cartwheel {

struct StatusCounters {
  uint64_t reads = 0;  // coordinated here
  uint64_t writes = 0;
  uint64_t updates = 0;
  uint64_t no_quorum = 0;
  uint64_t hedges = 0;              // further replicas asked because one was late
  uint64_t read_repairs = 0;        // merges sent because a replica was seen to be stale
  uint64_t siblings_created = 0;    // writes that left more than one sibling
  uint64_t siblings_past_warn = 0;  // those that left more than siblings-warn
  uint64_t clock_amnesia = 0;       // marks cleared because others knew more of our dots than we
  uint64_t clock_skew_refused = 0;  // peer clocks too far ahead to follow
  uint64_t messages_received = 0;
  uint64_t messages_unknown = 0;
  uint64_t messages_bad = 0;
  uint64_t mint_retries = 0;
  uint64_t asked_again = 0;       // steps whose nodes were asked twice, for want of others
  uint64_t timeouts_widened = 0;  // because this node was late itself
  uint64_t pauses = 0;            // times that this node stood still, for long
  uint64_t nodes_lost = 0;        // peers that were taken for dead, each time
  uint64_t updates_refused = 0;   // of peers, because too many are in flight here
  uint64_t mints_too_late = 0;    // requests refused because they had waited too long
  uint64_t updates_too_late = 0;  // the same
  uint64_t merges_too_late = 0;
  uint64_t sloppy_reads = 0;  // with fewer than R of the N among who answered
  uint64_t reads_behind = 0;  // answered by nodes that may have lost something, for want of others
  uint64_t mints_passed_on = 0;     // by this node, not up to date yet
  uint64_t sloppy_writes = 0;       // acknowledged with the help of fallbacks
  uint64_t hints_stored = 0;        // writes that this node took for others
  uint64_t hints_refused = 0;       // for want of room
  uint64_t hints_delivered = 0;     // and let go: their node and W replicas hold them
  uint64_t hints_bytes_sent = 0;    // to hand them on, questions included; left-overs, too
  uint64_t hints_given_up = 0;      // too old or too many; W replicas hold them
  uint64_t tombstones_dropped = 0;  // dead versions that all replicas had and nobody needs
  uint64_t contexts_pruned = 0;
  uint64_t left_overs_moved = 0;  // copies let go that belong to others since the ring changed
  // Reads that saw 1, 2, 3, and 4 or more versions (Dynamo, section 6.3).
  std::array<uint64_t, 4> reads_by_siblings{};
  // Disks (docs/architecture.md, "What a fault of the disk does").
  uint64_t disk_full_refusals = 0;  // values refused because the engine is full
  uint64_t records_set_aside = 0;   // damaged records that were dropped for others to repair
  uint64_t scrub_records = 0;       // records the scrub has looked at
  uint64_t scrub_rot_found = 0;     // those that were damaged
  uint64_t leaf_sums_mended = 0;    // Merkle leaves whose sum was not that of their records
  // Of comparisons that this node began, but for the bytes: it answers others', too.
  uint64_t anti_entropy_last = 0;  // when one was done last, in ms since 1970; 0: never
  uint64_t anti_entropy_rounds = 0;
  uint64_t anti_entropy_keys_repaired = 0;
  uint64_t anti_entropy_bytes_sent = 0;
  // A ring in motion.
  uint64_t transfer_keys = 0;  // fetched
  uint64_t transfer_bytes_received = 0;
  uint64_t transfer_bytes_sent = 0;
  // Gauges.
  uint64_t transfers = 0;      // partitions that this node has still to fetch
  uint64_t may_have_lost = 0;  // 1: answers of this node do not count where others can give them
  uint64_t operations_in_flight = 0;
  uint64_t hints_pending = 0;
  uint64_t hints_pending_bytes = 0;
  uint64_t tombstones_pending = 0;  // old enough, and not agreed on when they were last looked at
};

}  // namespace cartwheel
