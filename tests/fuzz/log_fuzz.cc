// Arbitrary bytes as segments of the log: replay must end with records or with a Status, with and
// without recover, and what it accepted once it must accept again. The first byte says where the
// input is cut into two segments and whether their headers and checksums are made right first, so
// that the fuzzer gets past them.
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/coding.h"
#include "storage/file.h"
#include "storage/lmdb/log_format.h"
#include "storage/lmdb/log_replay.h"

namespace {

using namespace cartwheel;

constexpr uint64_t kSalt = 3;

class MemoryFile final : public File {
 public:
  explicit MemoryFile(std::string* bytes) : bytes_(bytes) {}
  Result<void> Write(uint64_t, std::string_view) override { return {}; }
  Result<std::string> ReadAll() override { return *bytes_; }
  Result<void> Allocate(uint64_t) override { return {}; }
  Result<void> Truncate(uint64_t bytes) override {
    bytes_->resize(bytes);
    return {};
  }
  Result<FileIdentity> Identity() override { return FileIdentity(); }
  Result<void> Sync() override { return {}; }

 private:
  std::string* const bytes_;
};

class MemoryFiles final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode) override {
    return std::make_unique<MemoryFile>(&files.at(path));
  }
  Result<std::vector<std::string>> List(const std::string& directory) override {
    std::vector<std::string> names;
    for (const auto& [path, bytes] : files) names.push_back(path.substr(directory.size() + 1));
    return names;
  }
  Result<void> Remove(const std::string& path) override {
    files.erase(path);
    return {};
  }
  Result<void> SyncDirectory(const std::string&) override { return {}; }

  std::map<std::string, std::string> files;
};

// A segment of valid records: each byte of the script is the length of an image, or for the
// greatest a lie about what is synced; zero leaves a hole.
std::string SegmentFrom(std::string_view script, uint64_t number, uint64_t* sequence) {
  std::string segment = EncodeSegmentHeader({number, kSalt});
  uint64_t synced = 0;
  for (const char c : script) {
    const auto byte = static_cast<uint8_t>(c);
    ++*sequence;
    if (byte == 0) {
      segment.append(kLogHeadBytes + 3, '\0');
    } else if (byte >= 250) {
      synced = *sequence - 1;
      --*sequence;
    } else {
      const std::string image(byte, 'i');
      AppendLogHead({*sequence, synced, Position{byte, byte, byte}, image}, kSalt, &segment);
      segment += image;
      if (byte % 16 == 7) segment[segment.size() - 1] ^= 1;
    }
  }
  return segment;
}

uint64_t Replayed(MemoryFiles* files, bool recover, bool* accepted) {
  uint64_t records = 0;
  const auto report = ReplayLog(files, "d", {}, recover, [&](const LogRecord& record) {
    CHECK(record.position.slot < kEngineSlots);
    ++records;
    return Result<void>();
  });
  *accepted = report.has_value();
  if (*accepted) CHECK(report->replayed == records);
  return records;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t half = input.size() * (data[0] & 0x7f) / 128;
  const bool build = (data[0] & 0x80) != 0;
  MemoryFiles files;
  uint64_t sequence = 0;
  for (uint64_t number = 1; number <= 2; ++number) {
    const std::string_view part = number == 1 ? input.substr(0, half) : input.substr(half);
    files.files["d/" + SegmentName(number)] =
        build ? SegmentFrom(part, number, &sequence) : std::string(part);
  }
  MemoryFiles recovered = files;
  bool accepted = false;
  const uint64_t records = Replayed(&files, false, &accepted);
  if (accepted) {
    bool again = false;
    CHECK(Replayed(&files, false, &again) == records && again);
  }
  bool opened = false;
  const uint64_t with_recover = Replayed(&recovered, true, &opened);
  CHECK(opened && with_recover >= records);
  return 0;
}
