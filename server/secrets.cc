#include "server/secrets.h"

#include <algorithm>

#include "server/text.h"

namespace cartwheel {
namespace {

constexpr std::string_view kSecretOptions[] = {"requirepass", "cluster-secret"};

void Hide(std::span<std::string> words, size_t first, size_t count) {
  for (size_t i = first; i < words.size() && i < first + count; ++i) words[i] = "(redacted)";
}

}  // namespace

void HideSecrets(const Command& command, std::span<std::string> words) {
  if (command.name == "auth") return Hide(words, 1, words.size());
  if (command.name == "acl|setuser") return Hide(words, 2, words.size());
  if (command.name == "hello") {
    for (size_t i = 2; i < words.size(); ++i) {
      if (EqualsIgnoreCase(words[i], "AUTH")) return Hide(words, i + 1, 2);
    }
  }
  if (command.name != "config|set") return;
  for (size_t i = 2; i < words.size(); i += 2) {
    const bool secret =
        std::any_of(std::begin(kSecretOptions), std::end(kSecretOptions),
                    [&](std::string_view option) { return EqualsIgnoreCase(option, words[i]); });
    if (secret) Hide(words, i + 1, 1);
  }
}

}  // namespace cartwheel
