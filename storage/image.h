// Image: the bytes of one record as an engine holds them in memory: one heap block of exactly the
// needed size with its length in front, so that a map entry spends 8 bytes on it. An Image without
// a block is empty and stands for "dropped". Not shared between threads while it is written.
#pragma once

#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/check.h"

namespace cartwheel {

class Image {
 public:
  Image() = default;

  explicit Image(std::string_view bytes) {
    CHECK(bytes.size() <= UINT32_MAX);
    const auto length = static_cast<uint32_t>(bytes.size());
    block_.reset(static_cast<char*>(std::malloc(sizeof(length) + length)));
    CHECK(block_ != nullptr);
    std::memcpy(block_.get(), &length, sizeof(length));
    std::memcpy(block_.get() + sizeof(length), bytes.data(), length);
  }

  bool empty() const { return block_ == nullptr; }

  std::string_view view() const {
    if (block_ == nullptr) return {};
    uint32_t length = 0;
    std::memcpy(&length, block_.get(), sizeof(length));
    return {block_.get() + sizeof(length), length};
  }

  // What the allocator really holds for it, its own header included.
  size_t held() const {
    return block_ == nullptr ? 0 : malloc_usable_size(block_.get()) + sizeof(size_t);
  }

 private:
  struct Free {
    void operator()(char* block) const { std::free(block); }
  };
  std::unique_ptr<char, Free> block_;
};

}  // namespace cartwheel
