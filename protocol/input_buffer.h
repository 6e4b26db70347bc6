// InputBuffer: the bytes of one connection that have come and are not yet consumed, always in one
// piece. It grows by doubling and only for bytes that really came, so filling it costs linear time
// and holds a constant factor of them; it shrinks again once they are consumed. It knows no
// protocol. Used by one thread.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>

namespace cartwheel {

class InputBuffer {
 public:
  static constexpr size_t kMinReadBytes = size_t{16} << 10;
  static constexpr size_t kMaxReadBytes = size_t{256} << 10;

  // Where the next bytes go: at least kMinReadBytes, more for a connection that keeps filling it.
  // `awaited` is the size() at which the consumer can go on, 0 when it does not know; it only
  // bounds the growth. Moves the bytes: offsets stay true, pointers do not.
  std::span<char> Prepare(size_t awaited);
  void Commit(size_t bytes);
  // The bytes stay in place until Prepare or Release.
  void Consume(size_t bytes);
  // Gives the memory back if nothing is pending.
  void Release();

  char* data() { return memory_.get() + begin_; }
  const char* data() const { return memory_.get() + begin_; }
  size_t size() const { return end_ - begin_; }
  size_t capacity() const { return capacity_; }

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };

  void MoveToFront();
  void Resize(size_t capacity);

  std::unique_ptr<char, Free> memory_;  // from malloc: realloc moves big blocks without copying
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t read_bytes_ = kMinReadBytes;  // follows how much a read brings
};

}  // namespace cartwheel
