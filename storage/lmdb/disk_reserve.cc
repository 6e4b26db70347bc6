#include "storage/lmdb/disk_reserve.h"

namespace cartwheel {

Result<void> DiskReserve::Restore() {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto file = files_->Open(path(), OpenMode::kCreate);
  Result<void> done = file ? (*file)->Allocate(bytes_) : tl::unexpected(file.error());
  if (done) {
    full_ = false;
    return {};
  }
  if (done.error().code != ErrorCode::kFull) return done;
  // Part of it may have been reserved.
  if (file) return files_->Remove(path());
  return {};
}

void DiskReserve::GiveUp() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (full_.exchange(true)) return;
  // If that fails there is no more room than before, and whoever asked finds out.
  (void)files_->Remove(path());
}

}  // namespace cartwheel
