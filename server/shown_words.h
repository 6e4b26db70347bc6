// Shown words: a command's words cut to what SLOWLOG shows of them, packed into one string, so that
// a call that waits for its replicas can keep them at little cost.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cartwheel {

// Of more than 32 words the first 31 are kept, of each 128 bytes.
void PackWords(std::span<const std::string_view> words, std::string* packed);
// With "... (N more bytes)" and "... (N more arguments)" where they were cut.
std::vector<std::string> UnpackWords(std::string_view packed);

}  // namespace cartwheel
