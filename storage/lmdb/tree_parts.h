// What tree.cc and tree_writer.cc share, and nobody else includes: LMDB's handles and its keys.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/lmdb/tree.h"
#include "storage/position.h"

namespace cartwheel {

inline constexpr std::string_view kMarkKey = "mark";

// LMDB has no code of its own for a page that cannot be read or makes no sense.
inline constexpr int kBadPage = MDB_CORRUPTED;

inline MDB_val ValueOf(std::string_view bytes) {
  return {bytes.size(), const_cast<char*>(bytes.data())};
}
inline std::string_view ViewOf(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

struct PositionKey {
  char bytes[kPositionBytes];
  explicit PositionKey(const Position& position) { EncodePosition(position, bytes); }
  MDB_val value() { return {kPositionBytes, bytes}; }
};

struct Tree::Parts {
  std::string path;
  MDB_env* env = nullptr;
  MDB_dbi data = 0;
  MDB_dbi hints = 0;
  MDB_dbi leaves = 0;
  MDB_dbi meta = 0;
  MDB_txn* read = nullptr;
  bool reading = false;
  bool made_new = false;

  ~Parts() {
    if (read != nullptr) mdb_txn_abort(read);
    if (env != nullptr) mdb_env_close(env);
  }
  MDB_dbi DatabaseOf(const Position& position) const { return IsHint(position) ? hints : data; }
  tl::unexpected<Status> Fail(const char* action, int error) const;
  Result<void> OpenEnvironment(uint64_t map_bytes);
  Result<void> OpenDatabases();
};

}  // namespace cartwheel
