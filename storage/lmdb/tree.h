// Tree: the LMDB environment that holds everything checkpointed: records by position, leaf sums and
// value counts by slot, and the mark up to where the log is contained. Nobody else knows LMDB. The
// loop's thread reads (tree.cc), through a read transaction that begins with the first read of a
// turn and ends with EndTurn (an older one would keep pages from being used again); the checkpoint
// thread writes (tree_writer.cc). Syncs are always LMDB's full ones: no crash corrupts it.
//
//   data:   position:18 bytes -> record (storage/record.h)
//   hints:  the same, of positions behind the ring's slots
//   leaves: slot:2 bytes big-endian -> { sum:fixed64 } x 16 { db:varint count:varint }*
//   meta:   "format" -> fixed64; "mark" -> sequence:fixed64 segment:fixed64
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "storage/leaf_table.h"
#include "storage/lmdb/log_replay.h"
#include "storage/lmdb/object_buffer.h"
#include "storage/position.h"

namespace cartwheel {

class Tree {
 public:
  // `path` is the data file, made when missing; beside it LMDB keeps `path`-lock. `map_bytes`: of
  // address space to begin with.
  static Result<std::unique_ptr<Tree>> Open(const std::string& path, uint64_t map_bytes);
  ~Tree();
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  // There was no data file.
  bool made_new() const;

  // The loop's thread.
  Result<std::optional<std::string_view>> Get(const Position& position);  // valid until EndTurn
  void EndTurn();
  // Only between turns and while no WriteBatch runs: doubles the room that the map has.
  Result<void> Grow();
  Result<LogMark> LoadMark();
  Result<void> LoadLeaves(LeafTable* leaves);
  Result<uint64_t> CountRecords();
  uint64_t disk_bytes() const;

  // Reads on from a position in order. Lives within one turn.
  class Cursor {
   public:
    ~Cursor();
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;
    bool valid() const { return valid_; }
    const Position& position() const { return position_; }
    std::string_view image() const { return image_; }
    Result<void> Next();

   private:
    friend class Tree;
    Cursor(const std::string& path, void* cursor) : path_(path), cursor_(cursor) {}
    Result<void> Move(int operation, std::string_view key);

    const std::string& path_;
    void* cursor_;
    bool valid_ = false;
    Position position_;
    std::string_view image_;
  };
  Result<std::unique_ptr<Cursor>> Seek(const Position& first);

  // The checkpoint thread.
  enum class Outcome { kDone, kMapFull, kDiskFull };  // nothing was changed unless kDone
  struct Batch {
    std::span<const ObjectBuffer::Entry* const> entries;  // in order
    // Slots whose sums and counts are taken from their records instead of from the last ones: those
    // of the entries, and with the mark all.
    const std::set<uint16_t>* recounted;
    std::optional<LogMark> mark;
  };
  // One transaction: the entries, their shares in leaf sums and counts, and the mark, if given; on
  // the disk when it returns. before_commit may be empty.
  Result<Outcome> WriteBatch(const Batch& batch, const std::function<void()>& before_commit);

 private:
  struct Parts;
  explicit Tree(std::unique_ptr<Parts> parts);
  Result<void> BeginRead();

  std::unique_ptr<Parts> parts_;
};

}  // namespace cartwheel
