#include "server/key_options.h"

#include <string>
#include <utility>

#include "cluster/update.h"
#include "server/text.h"

namespace cartwheel {
namespace {

constexpr int64_t kMsPerSecond = 1000;

tl::unexpected<Status> Line(std::string line) {
  return Error(ErrorCode::kInvalid, std::move(line));
}
tl::unexpected<Status> SyntaxError() { return Line("ERR syntax error"); }
tl::unexpected<Status> NoInteger() { return Line("ERR value is not an integer or out of range"); }
tl::unexpected<Status> InvalidExpiry(std::string_view command) {
  return Line("ERR invalid expire time in '" + std::string(command) + "' command");
}

struct ExpiryName {
  std::string_view name;
  bool seconds;
  bool absolute;
};
constexpr ExpiryName kExpiryNames[] = {
    {"EX", true, false}, {"PX", false, false}, {"EXAT", true, true}, {"PXAT", false, true}};

// True when words[*index] names an expiry that may stand here; its number is then taken as well. A
// second expiry of the same name replaces the first, one of another name may not follow it.
bool TakeExpiry(std::span<const std::string_view> words, size_t* index, ExpiryWord* expiry) {
  if (*index + 1 >= words.size()) return false;
  for (const ExpiryName& known : kExpiryNames) {
    if (!EqualsIgnoreCase(words[*index], known.name)) continue;
    const bool same = expiry->seconds == known.seconds && expiry->absolute == known.absolute;
    if (expiry->given && !same) return false;
    *expiry = {true, known.seconds, known.absolute, words[++*index]};
    return true;
  }
  return false;
}

// Takes a word that is a flag, unless one of `excluded` stands already.
bool TakeFlag(std::string_view word, std::string_view name, uint32_t flag, uint32_t excluded,
              uint32_t* flags) {
  if (!EqualsIgnoreCase(word, name) || (*flags & excluded) != 0) return false;
  *flags |= flag;
  return true;
}

}  // namespace

Result<StringOptions> ParseSetOptions(std::span<const std::string_view> words) {
  StringOptions options;
  for (size_t index = 0; index < words.size(); ++index) {
    const std::string_view word = words[index];
    if (TakeFlag(word, "NX", kIfAbsent, kIfPresent, &options.flags) ||
        TakeFlag(word, "XX", kIfPresent, kIfAbsent, &options.flags) ||
        TakeFlag(word, "GET", kReturnOld, 0, &options.flags)) {
      continue;
    }
    if (!options.expiry.given && TakeFlag(word, "KEEPTTL", kKeepTtl, 0, &options.flags)) continue;
    const bool keeps = (options.flags & kKeepTtl) != 0;
    if (keeps || !TakeExpiry(words, &index, &options.expiry)) return SyntaxError();
  }
  return options;
}

Result<StringOptions> ParseGetExOptions(std::span<const std::string_view> words) {
  StringOptions options;
  for (size_t index = 0; index < words.size(); ++index) {
    if (!options.expiry.given &&
        TakeFlag(words[index], "PERSIST", kPersistTtl, 0, &options.flags)) {
      continue;
    }
    const bool persists = (options.flags & kPersistTtl) != 0;
    if (persists || !TakeExpiry(words, &index, &options.expiry)) return SyntaxError();
  }
  return options;
}

Result<int64_t> ExpiryTime(const ExpiryWord& expiry, std::string_view command, int64_t wall_ms) {
  const auto number = ParseInteger(expiry.number);
  if (!number) return NoInteger();
  int64_t ms = *number;
  if (ms <= 0) return InvalidExpiry(command);
  if (expiry.seconds && __builtin_mul_overflow(ms, kMsPerSecond, &ms)) {
    return InvalidExpiry(command);
  }
  if (!expiry.absolute && __builtin_add_overflow(ms, wall_ms, &ms)) return InvalidExpiry(command);
  return ms;
}

Result<int64_t> ExpireCommandTime(const ExpiryWord& expiry, std::string_view command,
                                  int64_t wall_ms) {
  const auto number = ParseInteger(expiry.number);
  if (!number) return NoInteger();
  int64_t ms = *number;
  if (expiry.seconds && __builtin_mul_overflow(ms, kMsPerSecond, &ms)) {
    return InvalidExpiry(command);
  }
  if (!expiry.absolute && __builtin_add_overflow(ms, wall_ms, &ms)) return InvalidExpiry(command);
  // 0 would mean "never"; all of the past is one.
  return ms > 0 ? ms : 1;
}

Result<uint32_t> ParseExpireConditions(std::span<const std::string_view> words) {
  uint32_t flags = 0;
  for (const std::string_view word : words) {
    if (!TakeFlag(word, "NX", kExpireNx, 0, &flags) &&
        !TakeFlag(word, "XX", kExpireXx, 0, &flags) &&
        !TakeFlag(word, "GT", kExpireGt, 0, &flags) &&
        !TakeFlag(word, "LT", kExpireLt, 0, &flags)) {
      return Line("ERR Unsupported option " + std::string(word));
    }
  }
  if ((flags & kExpireNx) != 0 && (flags & (kExpireXx | kExpireGt | kExpireLt)) != 0) {
    return Line("ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if ((flags & kExpireGt) != 0 && (flags & kExpireLt) != 0) {
    return Line("ERR GT and LT options at the same time are not compatible");
  }
  return flags;
}

Result<RestoreOptions> ParseRestoreOptions(std::span<const std::string_view> words) {
  RestoreOptions options;
  bool idle = false;
  bool frequency = false;
  for (size_t index = 0; index < words.size(); ++index) {
    const std::string_view word = words[index];
    const bool last = index + 1 == words.size();
    if (EqualsIgnoreCase(word, "REPLACE")) {
      options.replace = true;
    } else if (EqualsIgnoreCase(word, "ABSTTL")) {
      options.absolute_ttl = true;
    } else if (EqualsIgnoreCase(word, "IDLETIME") && !last && !frequency) {
      const auto seconds = ParseInteger(words[++index]);
      if (!seconds) return NoInteger();
      if (*seconds < 0) return Line("ERR Invalid IDLETIME value, must be >= 0");
      idle = true;
    } else if (EqualsIgnoreCase(word, "FREQ") && !last && !idle) {
      const auto number = ParseInteger(words[++index]);
      if (!number) return NoInteger();
      if (*number < 0 || *number > 255) {
        return Line("ERR Invalid FREQ value, must be >= 0 and <= 255");
      }
      frequency = true;
    } else {
      return SyntaxError();
    }
  }
  return options;
}

Result<int64_t> RestoreTime(std::string_view ttl, bool absolute, int64_t wall_ms) {
  const auto number = ParseInteger(ttl);
  if (!number) return NoInteger();
  int64_t ms = *number;
  if (ms < 0) return Line("ERR Invalid TTL value, must be >= 0");
  if (ms == 0 || absolute) return ms;
  return __builtin_add_overflow(ms, wall_ms, &ms) ? 1 : ms;
}

Result<uint32_t> ParseDatabase(std::string_view text, int64_t databases) {
  const auto number = ParseInteger(text);
  if (!number) return NoInteger();
  if (*number < INT32_MIN || *number > INT32_MAX) {
    return Line("ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  if (*number < 0 || *number >= databases) return Line("ERR DB index is out of range");
  return static_cast<uint32_t>(*number);
}

Result<WriteOptions> ParseDynOptions(std::span<const std::string_view> words, bool expiries,
                                     std::string_view quorum_word, uint8_t max_quorum) {
  WriteOptions options;
  for (size_t index = 0; index < words.size(); ++index) {
    if (expiries && TakeExpiry(words, &index, &options.expiry)) continue;
    if (!EqualsIgnoreCase(words[index], quorum_word) || index + 1 == words.size()) {
      return SyntaxError();
    }
    const auto number = ParseInteger(words[++index]);
    if (!number) return NoInteger();
    if (*number < 1 || *number > max_quorum) {
      return Line("ERR " + std::string(quorum_word) +
                  " must be between 1 and N=" + std::to_string(max_quorum));
    }
    options.quorum = static_cast<uint8_t>(*number);
  }
  return options;
}

}  // namespace cartwheel
