// Secrets: the words of a command that no log may show.
#pragma once

#include <span>
#include <string>

#include "server/command_table.h"

namespace cartwheel {

// Writes "(redacted)" over passwords.
void HideSecrets(const Command& command, std::span<std::string> words);

}  // namespace cartwheel
