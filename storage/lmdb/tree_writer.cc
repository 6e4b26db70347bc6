#include <cerrno>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "base/coding.h"
#include "storage/lmdb/leaf_row.h"
#include "storage/lmdb/page_guard.h"
#include "storage/lmdb/tree_parts.h"
#include "storage/record.h"

namespace cartwheel {
namespace {

// Some tens of microseconds of work. What is written here waits for nobody, and the loops of this
// machine's nodes would wait for the rest of this thread's turn: without it, p99 beside a repair
// was a quarter longer.
constexpr size_t kYieldEvery = 16;  // records

struct SlotKey {
  char bytes[2];
  explicit SlotKey(uint16_t slot)
      : bytes{static_cast<char>(slot >> 8), static_cast<char>(slot & 0xff)} {}
  MDB_val value() { return {sizeof(bytes), bytes}; }
};

// One write transaction of a checkpoint. Errors are LMDB's codes; the destructor aborts what was
// not committed.
class Writer {
 public:
  struct Databases {
    MDB_dbi data;
    MDB_dbi hints;
    MDB_dbi leaves;
    MDB_dbi meta;
  };
  Writer(MDB_env* env, const Databases& databases, const std::set<uint16_t>* recounted)
      : env_(env), databases_(databases), recounted_(recounted) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() {
    if (txn_ != nullptr) mdb_txn_abort(txn_);  // closes the cursors, too
  }

  int Begin() {
    int error = mdb_txn_begin(env_, nullptr, 0, &txn_);
    if (error == 0) error = mdb_cursor_open(txn_, databases_.data, &data_cursor_);
    if (error == 0) error = mdb_cursor_open(txn_, databases_.hints, &hints_cursor_);
    return error;
  }
  int Write(const Position& position, const Image& image);
  int WriteMark(const LogMark& mark);
  int FinishRow();
  int RecountAll();
  // What a fault has left of it cannot even be aborted: the process is about to end.
  void Abandon() { txn_ = nullptr; }
  int Commit() {
    // LMDB frees a transaction that failed to commit as well.
    return mdb_txn_commit(std::exchange(txn_, nullptr));
  }

 private:
  int StartRow(uint16_t slot);
  int Recount(uint16_t slot);

  MDB_env* const env_;
  const Databases databases_;
  const std::set<uint16_t>* const recounted_;
  MDB_txn* txn_ = nullptr;
  MDB_cursor* data_cursor_ = nullptr;
  MDB_cursor* hints_cursor_ = nullptr;
  std::optional<uint16_t> slot_;
  LeafRow row_;
};

int Writer::Write(const Position& position, const Image& image) {
  const bool hint = IsHint(position);
  if (!hint && slot_ != position.slot) {
    if (int error = FinishRow(); error != 0) return error;
    if (int error = StartRow(position.slot); error != 0) return error;
  }
  PositionKey encoded(position);
  MDB_val key = encoded.value();
  MDB_val old;
  MDB_cursor* cursor = hint ? hints_cursor_ : data_cursor_;
  int error = mdb_cursor_get(cursor, &key, &old, MDB_SET);
  const bool existed = error == 0;
  if (error != 0 && error != MDB_NOTFOUND) return error;
  if (!hint) {
    row_.Replace(position, existed ? HeadOf(ViewOf(old)) : RecordHead{}, HeadOf(image.view()));
  }
  if (image.empty()) return existed ? mdb_cursor_del(cursor, 0) : 0;
  MDB_val value = ValueOf(image.view());
  return mdb_cursor_put(cursor, &key, &value, 0);
}

int Writer::StartRow(uint16_t slot) {
  slot_ = slot;
  row_ = {};
  SlotKey encoded(slot);
  MDB_val key = encoded.value();
  MDB_val value;
  const int error = mdb_get(txn_, databases_.leaves, &key, &value);
  if (error == MDB_NOTFOUND) return 0;
  if (error != 0) return error;
  return DecodeRow(ViewOf(value), &row_) ? 0 : MDB_CORRUPTED;
}

// The row of what the slot holds in this transaction.
int Writer::Recount(uint16_t slot) {
  row_ = {};
  PositionKey encoded({slot, 0, 0});
  MDB_val key = encoded.value();
  MDB_val value;
  int error = mdb_cursor_get(data_cursor_, &key, &value, MDB_SET_RANGE);
  while (error == 0 && key.mv_size == kPositionBytes) {
    const Position position = DecodePosition(static_cast<const char*>(key.mv_data));
    if (position.slot != slot) return 0;
    row_.Replace(position, {}, HeadOf(ViewOf(value)));
    error = mdb_cursor_get(data_cursor_, &key, &value, MDB_NEXT);
  }
  return error == MDB_NOTFOUND ? 0 : error;
}

int Writer::RecountAll() {
  for (const uint16_t slot : *recounted_) {
    slot_ = slot;
    if (int error = FinishRow(); error != 0) return error;
  }
  return 0;
}

int Writer::FinishRow() {
  if (!slot_.has_value()) return 0;
  if (recounted_->contains(*slot_)) {
    if (int error = Recount(*slot_); error != 0) return error;
  }
  SlotKey encoded(*slot_);
  MDB_val key = encoded.value();
  const std::string row = EncodeRow(row_);
  MDB_val value = ValueOf(row);
  slot_.reset();
  return mdb_put(txn_, databases_.leaves, &key, &value, 0);
}

int Writer::WriteMark(const LogMark& mark) {
  std::string encoded;
  PutFixed64(&encoded, mark.sequence);
  PutFixed64(&encoded, mark.segment);
  MDB_val key = ValueOf(kMarkKey);
  MDB_val value = ValueOf(encoded);
  return mdb_put(txn_, databases_.meta, &key, &value, 0);
}

}  // namespace

Result<Tree::Outcome> Tree::WriteBatch(const Batch& batch,
                                       const std::function<void()>& before_commit) {
  Writer writer(parts_->env, {parts_->data, parts_->hints, parts_->leaves, parts_->meta},
                batch.recounted);
  int error = 0;
  const bool whole = PageGuard::Run([&] {
    error = writer.Begin();
    size_t written = 0;
    for (const ObjectBuffer::Entry* entry : batch.entries) {
      if (error == 0) error = writer.Write(entry->position(), entry->image);
      if (++written % kYieldEvery == 0) std::this_thread::yield();
    }
    if (error == 0) error = writer.FinishRow();
    if (error == 0 && batch.mark.has_value()) error = writer.RecountAll();
    if (error == 0 && batch.mark.has_value()) error = writer.WriteMark(*batch.mark);
    if (error == 0 && before_commit) before_commit();
    if (error == 0) error = writer.Commit();
  });
  if (!whole) {
    writer.Abandon();
    error = kBadPage;
  }
  if (error == MDB_MAP_FULL) return Outcome::kMapFull;
  if (error == ENOSPC || error == EDQUOT) return Outcome::kDiskFull;
  if (error != 0) return parts_->Fail("cannot write a checkpoint", error);
  return Outcome::kDone;
}

}  // namespace cartwheel
