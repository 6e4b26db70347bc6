#include "server/config_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include "protocol/inline_command.h"
#include "server/text.h"

namespace cartwheel {
namespace {

constexpr std::string_view kHeading = "# Written by CONFIG REWRITE";

// A value as one word of a configuration file.
std::string Quoted(std::string_view value) {
  const auto plain = [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != '\\' && c != '#';
  };
  if (!value.empty() && std::all_of(value.begin(), value.end(), plain)) return std::string(value);
  std::string quoted;
  AppendQuoted(value, &quoted);
  return quoted;
}

std::string LineOf(const OptionRow& row, const Options& options) {
  return fmt::format("{} {}", row.name, Quoted(row.print(options)));
}

// The option that a line sets, nullptr for a comment or a blank one; `trial` gets its value.
const OptionRow* OptionOf(std::string_view line, Options* trial) {
  const size_t begin = line.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos || line[begin] == '#') return nullptr;
  std::string unescaped(line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1));
  std::vector<std::string_view> views;
  if (!SplitInlineCommand(unescaped.data(), unescaped.size(), &views) || views.empty()) {
    return nullptr;
  }
  const std::vector<std::string> words(views.begin(), views.end());
  const OptionRow* const row = FindOption(words[0]);
  if (row != nullptr) row->parse(trial, std::span(words).subspan(1));
  return row;
}

tl::unexpected<Status> Failed() { return Error(ErrorCode::kIo, std::strerror(errno)); }

}  // namespace

std::string RewriteConfig(std::string_view text, const Options& options) {
  Options defaults;
  CompleteOptions(&defaults);
  std::set<std::string_view> named;
  std::string rewritten;
  while (!text.empty()) {
    const size_t length = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    Options trial;
    const OptionRow* const row = OptionOf(line, &trial);
    // Of several lines for one option the last counts: they all say the same from now on.
    const bool kept = row == nullptr || row->print(trial) == row->print(options);
    rewritten += kept ? std::string(line) : LineOf(*row, options);
    rewritten += '\n';
    if (row != nullptr) named.insert(row->name);
  }
  bool headed = rewritten.find(kHeading) != std::string::npos;
  for (const OptionRow& row : OptionTable()) {
    if (named.contains(row.name) || !options.Given(row.name)) continue;
    if (row.print(options) == row.print(defaults)) continue;
    if (!std::exchange(headed, true)) rewritten += std::string(kHeading) + "\n";
    rewritten += LineOf(row, options) + "\n";
  }
  return rewritten;
}

Result<void> RewriteConfigFile(const std::string& path, const Options& options) {
  struct stat before {};
  std::ifstream file(path, std::ios::binary);
  if (!file || stat(path.c_str(), &before) != 0) return Failed();
  std::ostringstream text;
  text << file.rdbuf();
  const std::string rewritten = RewriteConfig(text.str(), options);

  const std::string made = path + ".new";
  const int fd =
      open(made.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, before.st_mode & 0777);
  if (fd < 0) return Failed();
  const bool written =
      write(fd, rewritten.data(), rewritten.size()) == static_cast<ssize_t>(rewritten.size()) &&
      fsync(fd) == 0;
  const int error = errno;
  close(fd);
  errno = error;
  if (!written || rename(made.c_str(), path.c_str()) != 0) {
    const auto failed = Failed();
    unlink(made.c_str());
    return failed;
  }
  return {};
}

}  // namespace cartwheel
