#include "storage/lmdb/tree.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/coding.h"
#include "storage/lmdb/leaf_row.h"
#include "storage/lmdb/page_guard.h"
#include "storage/lmdb/tree_parts.h"

namespace cartwheel {
namespace {

constexpr uint64_t kFormat = 1;
constexpr std::string_view kFormatKey = "format";

tl::unexpected<Status> TreeError(const std::string& path, const char* action, int error) {
  ErrorCode code = ErrorCode::kIo;
  if (error == ENOSPC || error == EDQUOT) code = ErrorCode::kFull;
  if (error == MDB_INVALID || error == MDB_CORRUPTED || error == MDB_PAGE_NOTFOUND ||
      error == MDB_PANIC || error == MDB_VERSION_MISMATCH) {
    code = ErrorCode::kCorrupt;
  }
  return Error(code, path + ": " + action + ": " + mdb_strerror(error));
}

// The result of a call of LMDB's; kBadPage where it would have ended the process.
template <typename Call>
int Guarded(const Call& call) {
  int error = 0;
  return PageGuard::Run([&] { error = call(); }) ? error : kBadPage;
}

// The order of bytes, which is LMDB's own: only faster, for a search compares a dozen times.
int ComparePositions(const MDB_val* a, const MDB_val* b) {
  const auto* left = static_cast<const char*>(a->mv_data);
  const auto* right = static_cast<const char*>(b->mv_data);
  const auto part = [](const char* bytes, size_t at) {
    uint64_t word;
    std::memcpy(&word, bytes + at, sizeof(word));
    return __builtin_bswap64(word);
  };
  // The third word overlaps the second: what it repeats is equal.
  for (const size_t at : {size_t{0}, size_t{8}, kPositionBytes - sizeof(uint64_t)}) {
    const uint64_t x = part(left, at);
    const uint64_t y = part(right, at);
    if (x != y) return x < y ? -1 : 1;
  }
  return 0;
}

}  // namespace

tl::unexpected<Status> Tree::Parts::Fail(const char* action, int error) const {
  return TreeError(path, action, error);
}

Result<void> Tree::Parts::OpenEnvironment(uint64_t map_bytes) {
  struct stat info;
  const bool exists = ::stat(path.c_str(), &info) == 0;
  made_new = !exists;
  const uint64_t file_bytes = exists ? static_cast<uint64_t>(info.st_size) : 0;
  while (map_bytes < 2 * file_bytes) map_bytes *= 2;
  if (int error = mdb_env_create(&env); error != 0) return Fail("cannot open", error);
  mdb_env_set_mapsize(env, map_bytes);
  mdb_env_set_maxdbs(env, 4);
  PageGuard::Install();
  mdb_env_set_assert(env, [](MDB_env*, const char*) { PageGuard::Fault(); });
  // NOTLS ties the read transaction to its handle; NORDAHEAD because reads come in hash order.
  const unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD;
  if (int error = mdb_env_open(env, path.c_str(), flags, 0600); error != 0) {
    return Fail("cannot open", error);
  }
  MDB_envinfo env_info;
  MDB_stat env_stat;
  mdb_env_info(env, &env_info);
  mdb_env_stat(env, &env_stat);
  // Reading a page beyond the end of a cut file would end the process with a signal.
  if (exists && (env_info.me_last_pgno + 1) * env_stat.ms_psize > file_bytes) {
    return Error(ErrorCode::kCorrupt,
                 path + ": is cut short at offset " + std::to_string(file_bytes));
  }
  return {};
}

Result<void> Tree::Parts::OpenDatabases() {
  MDB_txn* txn = nullptr;
  int error = mdb_txn_begin(env, nullptr, 0, &txn);
  if (error != 0) return Fail("cannot open", error);
  MDB_val key = ValueOf(kFormatKey);
  MDB_val value;
  error = Guarded([&] {
    int opened = mdb_dbi_open(txn, "data", MDB_CREATE, &data);
    if (opened == 0) opened = mdb_set_compare(txn, data, ComparePositions);
    if (opened == 0) opened = mdb_dbi_open(txn, "hints", MDB_CREATE, &hints);
    if (opened == 0) opened = mdb_set_compare(txn, hints, ComparePositions);
    if (opened == 0) opened = mdb_dbi_open(txn, "leaves", MDB_CREATE, &leaves);
    if (opened == 0) opened = mdb_dbi_open(txn, "meta", MDB_CREATE, &meta);
    if (opened == 0) opened = mdb_get(txn, meta, &key, &value);
    return opened;
  });
  if (error == MDB_NOTFOUND) {
    std::string format;
    PutFixed64(&format, kFormat);
    value = ValueOf(format);
    error = mdb_put(txn, meta, &key, &value, 0);
  } else if (error == 0 && (value.mv_size != 8 || GetFixed64(ViewOf(value).data()) != kFormat)) {
    mdb_txn_abort(txn);
    return Error(ErrorCode::kInvalid, path + ": was written by another version of Cartwheel");
  }
  if (error != 0) {
    mdb_txn_abort(txn);
    return Fail("cannot open", error);
  }
  error = mdb_txn_commit(txn);
  if (error != 0) return Fail("cannot open", error);
  return {};
}

Tree::Tree(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Tree::~Tree() = default;

Result<std::unique_ptr<Tree>> Tree::Open(const std::string& path, uint64_t map_bytes) {
  auto parts = std::make_unique<Parts>();
  parts->path = path;
  if (auto done = parts->OpenEnvironment(map_bytes); !done) return tl::unexpected(done.error());
  if (auto done = parts->OpenDatabases(); !done) return tl::unexpected(done.error());
  return std::unique_ptr<Tree>(new Tree(std::move(parts)));
}

bool Tree::made_new() const { return parts_->made_new; }

Result<void> Tree::BeginRead() {
  if (parts_->reading) return {};
  const int error = parts_->read == nullptr
                        ? mdb_txn_begin(parts_->env, nullptr, MDB_RDONLY, &parts_->read)
                        : mdb_txn_renew(parts_->read);
  if (error != 0) return parts_->Fail("cannot begin to read", error);
  parts_->reading = true;
  return {};
}

void Tree::EndTurn() {
  if (!parts_->reading) return;
  mdb_txn_reset(parts_->read);
  parts_->reading = false;
}

Result<std::optional<std::string_view>> Tree::Get(const Position& position) {
  if (auto done = BeginRead(); !done) return tl::unexpected(done.error());
  PositionKey encoded(position);
  MDB_val key = encoded.value();
  MDB_val value;
  const int error = Guarded([&] {
    const int found = mdb_get(parts_->read, parts_->DatabaseOf(position), &key, &value);
    if (found == 0) PageGuard::Touch(ViewOf(value));
    return found;
  });
  if (error == MDB_NOTFOUND) return std::nullopt;
  if (error != 0) return parts_->Fail("cannot read", error);
  return ViewOf(value);
}

Result<void> Tree::Grow() {
  CHECK(!parts_->reading);
  MDB_envinfo info;
  mdb_env_info(parts_->env, &info);
  const int error = mdb_env_set_mapsize(parts_->env, info.me_mapsize * 2);
  if (error != 0) return parts_->Fail("cannot grow the map", error);
  return {};
}

Result<LogMark> Tree::LoadMark() {
  if (auto done = BeginRead(); !done) return tl::unexpected(done.error());
  MDB_val key = ValueOf(kMarkKey);
  MDB_val value;
  const int error = Guarded([&] { return mdb_get(parts_->read, parts_->meta, &key, &value); });
  if (error == MDB_NOTFOUND) return LogMark{};
  if (error != 0) return parts_->Fail("cannot read", error);
  if (value.mv_size != 16) return parts_->Fail("cannot read its mark", MDB_CORRUPTED);
  const char* bytes = ViewOf(value).data();
  return LogMark{GetFixed64(bytes), GetFixed64(bytes + 8)};
}

Result<void> Tree::LoadLeaves(LeafTable* leaves) {
  if (auto done = BeginRead(); !done) return done;
  MDB_cursor* cursor = nullptr;
  int error = mdb_cursor_open(parts_->read, parts_->leaves, &cursor);
  if (error != 0) return parts_->Fail("cannot read", error);
  MDB_val key;
  MDB_val value;
  const auto next = [&] {
    const int found = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    if (found == 0) PageGuard::Touch(ViewOf(value));
    return found;
  };
  while ((error = Guarded(next)) == 0) {
    LeafRow row;
    const auto* bytes = static_cast<const uint8_t*>(key.mv_data);
    const uint32_t slot = key.mv_size == 2 ? bytes[0] << 8 | bytes[1] : kSlotCount;
    if (slot >= kSlotCount || !DecodeRow(ViewOf(value), &row)) {
      error = MDB_CORRUPTED;
      break;
    }
    for (uint32_t bucket = 0; bucket < kBucketsPerSlot; ++bucket) {
      leaves->SetSum(slot * kBucketsPerSlot + bucket, row.sums[bucket]);
    }
    for (const auto& [db, count] : row.counts) {
      leaves->SetCount(db, static_cast<uint16_t>(slot), count);
    }
  }
  mdb_cursor_close(cursor);
  if (error != MDB_NOTFOUND) return parts_->Fail("cannot read the leaf sums", error);
  return {};
}

Result<uint64_t> Tree::CountRecords() {
  if (auto done = BeginRead(); !done) return tl::unexpected(done.error());
  MDB_stat stat;
  const int error = mdb_stat(parts_->read, parts_->data, &stat);
  if (error != 0) return parts_->Fail("cannot read", error);
  return stat.ms_entries;
}

uint64_t Tree::disk_bytes() const {
  MDB_envinfo info;
  MDB_stat stat;
  mdb_env_info(parts_->env, &info);
  mdb_env_stat(parts_->env, &stat);
  return (info.me_last_pgno + 1) * stat.ms_psize;
}

Result<std::unique_ptr<Tree::Cursor>> Tree::Seek(const Position& first) {
  if (auto done = BeginRead(); !done) return tl::unexpected(done.error());
  MDB_cursor* opened = nullptr;
  const int error = mdb_cursor_open(parts_->read, parts_->DatabaseOf(first), &opened);
  if (error != 0) return parts_->Fail("cannot read", error);
  std::unique_ptr<Cursor> cursor(new Cursor(parts_->path, opened));
  PositionKey key(first);
  if (auto done = cursor->Move(MDB_SET_RANGE, {key.bytes, kPositionBytes}); !done) {
    return tl::unexpected(done.error());
  }
  return cursor;
}

Tree::Cursor::~Cursor() { mdb_cursor_close(static_cast<MDB_cursor*>(cursor_)); }

Result<void> Tree::Cursor::Next() { return Move(MDB_NEXT, {}); }

Result<void> Tree::Cursor::Move(int operation, std::string_view start) {
  MDB_val key = ValueOf(start);
  MDB_val value;
  const int error = Guarded([&] {
    const int found = mdb_cursor_get(static_cast<MDB_cursor*>(cursor_), &key, &value,
                                     static_cast<MDB_cursor_op>(operation));
    if (found == 0) PageGuard::Touch(ViewOf(value));
    return found;
  });
  valid_ = error == 0 && key.mv_size == kPositionBytes;
  if (valid_) {
    position_ = DecodePosition(static_cast<const char*>(key.mv_data));
    image_ = ViewOf(value);
    return {};
  }
  if (error == MDB_NOTFOUND) return {};
  return TreeError(path_, "cannot read", error == 0 ? MDB_CORRUPTED : error);
}

}  // namespace cartwheel
