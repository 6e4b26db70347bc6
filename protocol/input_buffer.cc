#include "protocol/input_buffer.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace cartwheel {

std::span<char> InputBuffer::Prepare(size_t awaited) {
  if (size() == 0) begin_ = end_ = 0;
  const size_t needed = size() + read_bytes_;
  if (capacity_ > 4 * std::max(needed, awaited)) {
    MoveToFront();
    Resize(needed);
  } else if (capacity_ - end_ < read_bytes_) {
    // What is left here is one partial command, so each byte is moved to the front once at most.
    MoveToFront();
    if (capacity_ < needed) {
      const size_t doubled = std::max(2 * capacity_, needed);
      Resize(awaited == 0 ? doubled : std::clamp(awaited + kMinReadBytes, needed, doubled));
    }
  }
  return {memory_.get() + end_, capacity_ - end_};
}

void InputBuffer::Commit(size_t bytes) {
  CHECK(bytes <= capacity_ - end_);
  if (bytes >= read_bytes_) {
    read_bytes_ = std::min(2 * read_bytes_, kMaxReadBytes);
  } else if (bytes < read_bytes_ / 4) {
    read_bytes_ = std::max(read_bytes_ / 2, kMinReadBytes);
  }
  end_ += bytes;
}

void InputBuffer::Consume(size_t bytes) {
  CHECK(bytes <= size());
  begin_ += bytes;
}

void InputBuffer::Release() {
  if (size() != 0) return;
  memory_.reset();
  capacity_ = begin_ = end_ = 0;
  read_bytes_ = kMinReadBytes;
}

void InputBuffer::MoveToFront() {
  if (begin_ == 0) return;
  std::memmove(memory_.get(), memory_.get() + begin_, size());
  end_ -= begin_;
  begin_ = 0;
}

void InputBuffer::Resize(size_t capacity) {
  if (size() == 0) memory_.reset();  // nothing worth copying
  char* moved = static_cast<char*>(std::realloc(memory_.get(), capacity));
  CHECK(moved != nullptr);
  (void)memory_.release();
  memory_.reset(moved);
  capacity_ = capacity;
}

}  // namespace cartwheel
