#include "storage/lmdb/last_run.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/coding.h"
#include "base/hash.h"

namespace cartwheel {
namespace {

constexpr std::string_view kName = "run";
constexpr size_t kBootAt = 3;  // in what the checksum is over
constexpr size_t kRunBytes = 8 + kBootAt + kBootBytes + 8;

std::string PathIn(const std::string& directory) { return directory + "/" + std::string(kName); }

std::string Encode(const LastRun& run, uint64_t inode) {
  std::string body;
  body.push_back(run.closed ? 1 : 0);
  body.push_back(run.synced ? 1 : 0);
  body.push_back(run.dropped ? 1 : 0);
  body += run.boot;
  body.resize(kBootAt + kBootBytes);
  PutFixed64(&body, inode);
  std::string out;
  PutFixed64(&out, Hash64(body));
  return out + body;
}

LastRun Decode(std::string_view bytes, const FileIdentity& file) {
  Reader reader(bytes);
  const uint64_t checksum = reader.Fixed64();
  const std::string_view body = reader.rest();
  if (bytes.size() != kRunBytes || checksum != Hash64(body)) return {};
  LastRun run;
  run.closed = body[0] != 0;
  run.synced = body[1] != 0;
  run.dropped = body[2] != 0;
  if (body[kBootAt] != 0) run.boot = body.substr(kBootAt, kBootBytes);
  run.copied = file.set_back || GetFixed64(body.data() + kBootAt + kBootBytes) != file.inode;
  return run;
}

}  // namespace

std::string ReadBootId() {
  const int descriptor = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return "";
  std::string boot(kBootBytes, '\0');
  const ssize_t count = ::read(descriptor, boot.data(), boot.size());
  ::close(descriptor);
  return count == static_cast<ssize_t>(boot.size()) ? boot : std::string();
}

Result<std::optional<LastRun>> ReadLastRun(FileSystem* files, const std::string& directory) {
  const auto names = files->List(directory);
  if (!names) return tl::unexpected(names.error());
  if (std::find(names->begin(), names->end(), kName) == names->end()) return std::nullopt;
  auto file = files->Open(PathIn(directory), OpenMode::kExisting);
  if (!file) return tl::unexpected(file.error());
  const auto bytes = (*file)->ReadAll();
  if (!bytes) return tl::unexpected(bytes.error());
  const auto identity = (*file)->Identity();
  if (!identity) return tl::unexpected(identity.error());
  return Decode(*bytes, *identity);
}

Result<void> WriteLastRun(FileSystem* files, const std::string& directory, const LastRun& run) {
  const auto names = files->List(directory);
  if (!names) return tl::unexpected(names.error());
  const bool exists = std::find(names->begin(), names->end(), kName) != names->end();
  auto file = files->Open(PathIn(directory), exists ? OpenMode::kExisting : OpenMode::kCreate);
  if (!file) return tl::unexpected(file.error());
  const auto identity = (*file)->Identity();
  if (!identity) return tl::unexpected(identity.error());
  if (auto done = (*file)->Write(0, Encode(run, identity->inode)); !done) return done;
  if (auto done = (*file)->Sync(); !done) return done;
  return exists ? Result<void>() : files->SyncDirectory(directory);
}

std::string WhatMayBeLost(const LastRun& run, std::string_view boot_now) {
  if (run.copied) return "the directory is a copy: what came after it was made is not in it";
  if (run.dropped) return "the last run dropped damaged records";
  if (run.closed || run.synced) return "";
  if (run.boot.empty() || boot_now.empty()) return "it is not known how the last run ended";
  if (run.boot == boot_now) return "";
  return "the machine went down while the last run had writes that were not synced";
}

}  // namespace cartwheel
