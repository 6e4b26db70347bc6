// StreamWriter: writes bytes to a libuv stream, at once where the socket takes them, and keeps the
// rest until it does. One write(2) for each call in the usual case, none of libuv's allocations.
#pragma once

#include <uv.h>

#include <functional>
#include <string>
#include <string_view>

namespace cartwheel {

class StreamWriter {
 public:
  // `done` is called when kept bytes are gone: 0, or libuv's error. Never from inside a call here.
  StreamWriter(uv_stream_t* stream, std::function<void(int error)> done);

  // While true nothing else may be written.
  bool busy() const { return busy_; }
  // How many of the bytes the socket took now (0: none), or libuv's error, negative.
  ssize_t TryWrite(std::string_view bytes);
  // Keeps `bytes` from `offset` on until they are written. A libuv error, or 0.
  int Keep(std::string bytes, size_t offset);
  size_t kept_bytes() const { return busy_ ? kept_.size() - offset_ : 0; }

 private:
  uv_stream_t* stream_;
  std::function<void(int)> done_;
  uv_write_t request_{};
  std::string kept_;
  size_t offset_ = 0;
  bool busy_ = false;
};

}  // namespace cartwheel
