#include "storage/context_token.h"

#include <absl/strings/escaping.h>

#include "base/coding.h"
#include "base/hash.h"
#include "storage/object.h"

namespace cartwheel {
namespace {

// token := base64url of { version:byte(1) check:fixed64 context }
// check is a hash of the context, seeded with the key's: one number guards against damage and
// against use for another key.
constexpr char kVersion = 1;
constexpr size_t kHeadBytes = 1 + 8;

uint64_t CheckOf(const Position& key, std::string_view context) { return Hash64(context, key.low); }

// Debian's absl::string_view is not std's.
bool FromBase64Url(std::string_view text, std::string* bytes) {
  // The library also takes padding, blanks and set bits past the end: one spelling only is ours.
  return absl::WebSafeBase64Unescape({text.data(), text.size()}, bytes) &&
         absl::WebSafeBase64Escape({bytes->data(), bytes->size()}) == text;
}

}  // namespace

std::string EncodeToken(const Position& key, const CausalContext& context) {
  if (context.empty()) return {};
  std::string encoded;
  EncodeContext(context, &encoded);
  std::string bytes(1, kVersion);
  bytes.reserve(kHeadBytes + encoded.size());
  PutFixed64(&bytes, CheckOf(key, encoded));
  bytes += encoded;
  return absl::WebSafeBase64Escape({bytes.data(), bytes.size()});
}

Result<CausalContext> DecodeToken(const Position& key, std::string_view token) {
  if (token.empty()) return CausalContext();
  const auto bad = [] {
    return Error(ErrorCode::kBadContext, "the context is damaged or belongs to another key");
  };
  std::string bytes;
  if (!FromBase64Url(token, &bytes)) return bad();
  if (bytes.size() <= kHeadBytes || bytes[0] != kVersion) return bad();
  const std::string_view encoded = std::string_view(bytes).substr(kHeadBytes);
  if (GetFixed64(bytes.data() + 1) != CheckOf(key, encoded)) return bad();
  auto context = DecodeContext(encoded);
  if (!context || context->empty()) return bad();
  return context;
}

}  // namespace cartwheel
