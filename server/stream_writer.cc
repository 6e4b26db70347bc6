#include "server/stream_writer.h"

#include <algorithm>
#include <climits>
#include <utility>

#include "base/check.h"

namespace cartwheel {
namespace {

// A buffer's length is an unsigned int in places; larger outputs go in pieces.
constexpr size_t kPieceBytes = 1 << 30;

uv_buf_t BufferOf(const char* bytes, size_t size) {
  const size_t piece = std::min(size, kPieceBytes);
  return uv_buf_init(const_cast<char*>(bytes), static_cast<unsigned>(piece));
}

}  // namespace

StreamWriter::StreamWriter(uv_stream_t* stream, std::function<void(int error)> done)
    : stream_(stream), done_(std::move(done)) {
  request_.data = this;
}

ssize_t StreamWriter::TryWrite(std::string_view bytes) {
  CHECK(!busy_);
  size_t written = 0;
  while (written < bytes.size()) {
    const uv_buf_t buffer = BufferOf(bytes.data() + written, bytes.size() - written);
    const int count = uv_try_write(stream_, &buffer, 1);
    if (count == UV_EAGAIN) break;
    if (count < 0) return count;
    written += static_cast<size_t>(count);
    if (static_cast<size_t>(count) < buffer.len) break;
  }
  return static_cast<ssize_t>(written);
}

int StreamWriter::Keep(std::string bytes, size_t offset) {
  CHECK(!busy_ && offset < bytes.size());
  kept_ = std::move(bytes);
  offset_ = offset;
  const uv_buf_t buffer = BufferOf(kept_.data() + offset_, kept_.size() - offset_);
  const int error = uv_write(&request_, stream_, &buffer, 1, [](uv_write_t* request, int status) {
    auto* self = static_cast<StreamWriter*>(request->data);
    self->busy_ = false;
    const size_t done = self->offset_ + std::min(self->kept_.size() - self->offset_, kPieceBytes);
    if (status == 0 && done < self->kept_.size()) {
      status = self->Keep(std::move(self->kept_), done);
      if (status == 0) return;
    }
    self->kept_ = std::string();
    self->done_(status);
  });
  busy_ = error == 0;
  return error;
}

}  // namespace cartwheel
