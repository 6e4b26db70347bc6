// MEMORY: what keys and this process take.
#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "server/command.h"
#include "server/commands.h"
#include "server/process_memory.h"
#include "server/text.h"

namespace cartwheel {
namespace {

// Of a record's head: version, hash, checksum, flags, mark, db (storage/record.h).
constexpr size_t kRecordHeadBytes = 1 + 8 + 4 + 1 + 8 + 1;

double Share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

void ReplyUsage(Call& call, Answer& answer) {
  const ReadAnswer* read = call.Expect<ReadAnswer>(answer);
  if (read == nullptr) return;
  const View view = call.server().node->ViewOf(call.db(), call.now());
  if (read->object.Newest(view) == nullptr) return call.Reply().Null();
  call.Reply().Integer(static_cast<int64_t>(kRecordHeadBytes + ByteSize(read->object)) +
                       call.counter);
}

// MEMORY USAGE key [SAMPLES n]: nothing is sampled, the whole is known.
void MemoryUsage(Call& call) {
  for (size_t index = 3; index < call.arg_count(); index += 2) {
    if (!EqualsIgnoreCase(call.arg(index), "SAMPLES") || index + 1 == call.arg_count()) {
      return call.Error("ERR syntax error");
    }
    const auto samples = ParseInteger(call.arg(index + 1));
    if (!samples) return call.Error("ERR value is not an integer or out of range");
    if (*samples < 0) return call.Error("ERR syntax error");
  }
  call.counter = static_cast<int64_t>(call.arg(2).size());
  call.Start(ReadOperation{call.KeyAt(2), call.r(), false}, ReplyUsage);
}

void MemoryDoctor(Call& call) {
  const ProcessMemory memory = MeasureMemory();
  const Options& options = call.server().options;
  std::string text;
  const double waste = Share(memory.resident, memory.allocated);
  if (memory.resident > (64 << 20) && waste > 1.5) {
    text += fmt::format(
        "The process holds {:.2f} times what it uses: MEMORY PURGE gives pages back.\n", waste);
  }
  if (call.server().engine->Full()) {
    text += options.engine == EngineKind::kMemory
                ? "maxmemory is reached: new values are refused.\n"
                : "The disk is full: new values are refused.\n";
  }
  if (text.empty()) text = "Nothing stands out.\n";
  call.Reply().Verbatim("txt", text);
}

void MemoryMallocStats(Call& call) {
  const std::string report = AllocatorReport();
  call.Reply().Verbatim("txt",
                        report.empty() ? "Stats not supported for the current allocator" : report);
}

void MemoryPurge(Call& call) {
  PurgeAllocator();
  call.Reply().Ok();
}

void MemoryStats(Call& call) {
  const Server& server = call.server();
  const ProcessMemory memory = MeasureMemory();
  const EngineStats engine = server.engine->stats();
  uint64_t clients = 0;
  for (const auto& [id, session] : server.sessions) {
    clients += session->input_allocated_bytes + session->output_bytes + session->kept_bytes;
  }
  const std::pair<std::string_view, uint64_t> counts[] = {
      {"peak.allocated", std::max(memory.peak_resident, memory.allocated)},
      {"total.allocated", memory.allocated},
      {"clients.normal", clients},
      {"keys.count", engine.records},
      {"keys.bytes-per-key", engine.records == 0 ? 0 : engine.memory_bytes / engine.records},
      {"dataset.bytes", engine.memory_bytes},
      {"allocator.allocated", memory.allocated},
      {"allocator.active", memory.active},
      {"allocator.resident", memory.mapped_resident},
  };
  const std::pair<std::string_view, double> shares[] = {
      {"dataset.percentage", 100 * Share(engine.memory_bytes, memory.allocated)},
      {"peak.percentage", 100 * Share(memory.allocated, memory.peak_resident)},
      {"allocator-fragmentation.ratio", Share(memory.active, memory.allocated)},
      {"allocator-rss.ratio", Share(memory.mapped_resident, memory.active)},
      {"rss-overhead.ratio", Share(memory.resident, memory.mapped_resident)},
      {"fragmentation", Share(memory.resident, memory.allocated)},
  };
  ReplyWriter reply = call.Reply();
  reply.Map(std::size(counts) + std::size(shares));
  for (const auto& [name, value] : counts) {
    reply.Bulk(name);
    reply.Integer(static_cast<int64_t>(value));
  }
  for (const auto& [name, value] : shares) {
    reply.Bulk(name);
    reply.Double(value);
  }
}

constexpr CommandRow kMemoryTable[] = {
    {"memory|doctor", 2, 0, kNoKeys, MemoryDoctor, "4.0.0",
     "What stands out in this process's memory.", "DOCTOR", "says it in words of its own"},
    {"memory|malloc-stats", 2, 0, kNoKeys, MemoryMallocStats, "4.0.0",
     "The allocator's own report.", "MALLOC-STATS"},
    {"memory|purge", 2, 0, kNoKeys, MemoryPurge, "4.0.0", "Gives unused pages back to the kernel.",
     "PURGE"},
    {"memory|stats", 2, 0, kNoKeys, MemoryStats, "4.0.0", "What takes how much.", "STATS",
     "without the fields of what does not exist here (replicas, scripts, AOF)"},
    {"memory|usage", -3, kReadonly, KeyRange{2, 2, 1, kKeyRead}, MemoryUsage, "4.0.0",
     "The bytes that a key takes on each of its nodes.", "USAGE <key> [SAMPLES <count>]",
     "the size of the stored record with all its versions; nothing is sampled"},
};

constexpr CommandRow kRows[] = {
    {"memory", -2, 0, kNoKeys, nullptr, "4.0.0", "Shows what takes memory.", "", "", kMemoryTable},
};

}  // namespace

CommandFamily MemoryCommands() { return {"server", kRows}; }

}  // namespace cartwheel
