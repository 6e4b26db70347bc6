// Context tokens: a causal context as clients hold it, a printable string (base64url, no padding)
// bound to its key by a hash and guarded by a checksum. The empty string is the empty context.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "storage/causal_context.h"
#include "storage/position.h"

namespace cartwheel {

std::string EncodeToken(const Position& key, const CausalContext& context);

// kBadContext when the token is damaged, of another version, or came from another key.
Result<CausalContext> DecodeToken(const Position& key, std::string_view token);

}  // namespace cartwheel
