// Put and get of both engines, without the core above them: 16-byte keys and values in records of
// the usual size, at 100,000 and 1,000,000 keys, in turns of 16 writes.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "storage/lmdb/lmdb_engine.h"
#include "storage/memory/memory_engine.h"
#include "storage/record.h"

namespace cartwheel {
namespace {

struct Item {
  Position position;
  std::string image;
};

// Keys in random order with their records.
const std::vector<Item>& Items(size_t count) {
  static std::vector<Item> items;
  while (items.size() < count) {
    const std::string number = std::to_string(items.size());
    const std::string key = "key:" + std::string(12 - number.size(), '0') + number;
    Sibling sibling;
    sibling.dot = Dot{Actor{0x1122334455667788, 0x0193000000000000}, 1};
    sibling.time = 0x0193000000000000;
    sibling.operation = 0x8877665544332211;
    sibling.bytes = "0123456789abcdef";
    const Position position = PositionOf(0, key, Partitioner::kSlot);
    items.push_back({position, EncodeRecord(position, 0, key, DeltaOf({}, std::move(sibling)), 1)});
  }
  return items;
}

class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "cartwheel-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void Flush(StorageEngine* engine) {
  if (const auto done = engine->Flush(); !done) {
    std::fprintf(stderr, "%s\n", done.error().message.c_str());
    std::abort();
  }
}

std::unique_ptr<LmdbEngine> OpenLmdb(const Scratch& scratch) {
  LmdbOptions options;
  options.dir = scratch.path();
  auto engine = LmdbEngine::Open(std::move(options));
  if (!engine) std::abort();
  return std::move(*engine);
}

void Fill(StorageEngine* engine, const std::vector<Item>& items, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    engine->Put(items[i].position, items[i].image);
    if (i % 256 == 0) Flush(engine);
  }
  Flush(engine);
}

void Put(benchmark::State& state, StorageEngine* engine, bool with_read) {
  const auto count = static_cast<size_t>(state.range(0));
  const std::vector<Item>& items = Items(count);
  Random random(1);
  uint64_t writes = 0;
  for (auto _ : state) {
    const Item& item = items[random.Below(count)];
    if (with_read) benchmark::DoNotOptimize(engine->Get(item.position));
    engine->Put(item.position, item.image);
    if (++writes % 16 == 0) Flush(engine);
  }
}

void Get(benchmark::State& state, StorageEngine* engine) {
  const auto count = static_cast<size_t>(state.range(0));
  const std::vector<Item>& items = Items(count);
  Random random(2);
  uint64_t reads = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(engine->Get(items[random.Below(count)].position));
    if (++reads % 16 == 0) Flush(engine);
  }
}

void BM_MemoryPut(benchmark::State& state) {
  MemoryEngine engine;
  Fill(&engine, Items(static_cast<size_t>(state.range(0))), static_cast<size_t>(state.range(0)));
  Put(state, &engine, false);
  state.counters["bytes_per_key"] = static_cast<double>(engine.stats().memory_bytes) /
                                    static_cast<double>(engine.stats().records);
}
void BM_MemoryGet(benchmark::State& state) {
  MemoryEngine engine;
  Fill(&engine, Items(static_cast<size_t>(state.range(0))), static_cast<size_t>(state.range(0)));
  Get(state, &engine);
}
void BM_MemoryGetThenPut(benchmark::State& state) {
  MemoryEngine engine;
  Fill(&engine, Items(static_cast<size_t>(state.range(0))), static_cast<size_t>(state.range(0)));
  Put(state, &engine, true);
}
BENCHMARK(BM_MemoryPut)->Arg(100'000)->Arg(1'000'000);
BENCHMARK(BM_MemoryGet)->Arg(100'000)->Arg(1'000'000);
BENCHMARK(BM_MemoryGetThenPut)->Arg(100'000)->Arg(1'000'000);

// The keys exist and lie in the tree when the first write comes.
std::unique_ptr<LmdbEngine> FilledLmdb(benchmark::State& state, const Scratch& scratch) {
  const auto count = static_cast<size_t>(state.range(0));
  auto engine = OpenLmdb(scratch);
  Fill(engine.get(), Items(count), count);
  if (!engine->Close()) std::abort();
  const auto bytes = std::filesystem::file_size(scratch.path() + "/tree.mdb");
  state.counters["disk_bytes_per_key"] = static_cast<double>(bytes) / static_cast<double>(count);
  return OpenLmdb(scratch);
}

void BM_LmdbPut(benchmark::State& state) {
  const Scratch scratch;
  const auto engine = FilledLmdb(state, scratch);
  Put(state, engine.get(), false);
}
void BM_LmdbGetThenPut(benchmark::State& state) {
  const Scratch scratch;
  const auto engine = FilledLmdb(state, scratch);
  Put(state, engine.get(), true);
}
void BM_LmdbGet(benchmark::State& state) {
  const Scratch scratch;
  const auto engine = FilledLmdb(state, scratch);
  Get(state, engine.get());
}
// Real time: a write that has to wait for a checkpoint waits without a processor.
BENCHMARK(BM_LmdbPut)->Arg(100'000)->Arg(1'000'000)->UseRealTime();
BENCHMARK(BM_LmdbGetThenPut)->Arg(100'000)->Arg(1'000'000)->UseRealTime();
BENCHMARK(BM_LmdbGet)->Arg(100'000)->Arg(1'000'000)->UseRealTime();

}  // namespace
}  // namespace cartwheel

BENCHMARK_MAIN();
