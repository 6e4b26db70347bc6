// StorageEngine: where record images are kept, in the order of their positions. One thread, the
// loop's, calls it; an engine may have threads of its own inside.
//
// Writes are applied and visible at once, and have a sequence: 1, 2, 3 ... for this run. What
// depends on a write (an answer, an acknowledgement, a read that saw it) must not leave the node
// before sequences().stored has reached the write's sequence. Engines: memory and lmdb; the suite
// in tests/unit/storage/engine_test.cc runs over both.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "storage/position.h"

namespace cartwheel {

struct Sequences {
  uint64_t applied = 0;  // visible
  uint64_t stored = 0;   // stored as the fsync policy wants it
  uint64_t synced = 0;   // on the disk, whatever the policy (memory engine: applied)
};

struct Found {
  std::string_view image;  // a record (storage/record.h); valid until the engine is called again
  uint64_t sequence;       // the write that put it there; 0 when that is stored for long
};

struct EngineStats {
  uint64_t records = 0;       // the node's own: without hints
  uint64_t memory_bytes = 0;  // really held for records and buffers
  uint64_t disk_bytes = 0;
  uint64_t checkpoints = 0;
  uint64_t log_bytes_written = 0;
  uint64_t syncs = 0;
  uint64_t evictions = 0;
};

class StorageEngine {
 public:
  virtual ~StorageEngine() = default;

  virtual Result<std::optional<Found>> Get(const Position& position) = 0;

  // Replaces what stands at the position; returns the write's sequence. The image is a record of
  // exactly this position. Neither fails: an engine that cannot go on ends the process in Flush.
  virtual uint64_t Put(const Position& position, std::string_view image) = 0;
  virtual uint64_t Drop(const Position& position) = 0;

  // Ends a loop turn: hands the writes since the last Flush to the disk in one write(2). A failure
  // is final for the process: the caller says why and exits.
  virtual Result<void> Flush() = 0;

  virtual Sequences sequences() const = 0;
  // Somebody waits for the disk: has the sequence synced soon, whatever the policy.
  virtual void SyncSoon(uint64_t sequence) = 0;

  // Records with first <= position <= last in order, until visit returns false. Either both are
  // hints or neither is.
  using Visitor = std::function<bool(const Position&, std::string_view image)>;
  virtual Result<void> Scan(const Position& first, const Position& last,
                            const Visitor& visit) const = 0;

  // The sum mod 2^64 of the version hashes of all records of a Merkle leaf.
  virtual uint64_t LeafSum(uint32_t leaf) const = 0;
  // LeafSum of all leaves from `first` to before `end`, added up.
  virtual uint64_t SumOfLeaves(uint32_t first, uint32_t end) const = 0;
  // Records of the slot and db that hold a value (deleted ones do not count, expired ones do until
  // they are rewritten).
  virtual uint64_t ValueCount(uint32_t db, uint16_t slot) const = 0;

  // True while new values must be refused (disk or memory full); tombstones and drops still go.
  virtual bool Full() const = 0;
  virtual EngineStats stats() const = 0;
};

}  // namespace cartwheel
