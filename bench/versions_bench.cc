// What a SET or a GET pays for versions: merging, coding and hashing the common object, which has
// one actor and one sibling, and tokens for clients that carry contexts.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>

#include "storage/context_token.h"
#include "storage/object.h"
#include "storage/record.h"

namespace cartwheel {
namespace {

Sibling NewSibling(uint64_t node, uint64_t counter, size_t bytes) {
  Sibling sibling;
  sibling.dot = {{0x9e3779b97f4a7c15ULL * node, 0x018c3f2a1b4d0000ULL}, counter};
  sibling.time = 0x018c3f2a1b4d0000ULL + counter;
  sibling.operation = counter;
  sibling.bytes.assign(bytes, 'v');
  return sibling;
}

// `siblings` blind puts on top of `history` ordinary ones of the first node.
Object NewObject(uint64_t history, uint64_t siblings, size_t bytes) {
  Object object;
  for (uint64_t i = 1; i <= history; ++i) {
    PutInto(&object, object.context, NewSibling(1, i, bytes));
  }
  for (uint64_t i = 1; i < siblings; ++i) PutInto(&object, {}, NewSibling(1 + i, 1, bytes));
  return object;
}

// What a replica does for a SET: the delta covers all it has.
void BM_MergeSuccessor(benchmark::State& state) {
  const Object before = NewObject(1000, 1, 16);
  const Object delta = DeltaOf(before.context, NewSibling(1, 1001, 16));
  for (auto _ : state) {
    Object mine = before;
    MergeInto(&mine, delta);
    benchmark::DoNotOptimize(mine);
  }
}
BENCHMARK(BM_MergeSuccessor);

// What a coordinator does for a GET: the answers are equal.
void BM_MergeEqual(benchmark::State& state) {
  const Object object = NewObject(1000, 1, 16);
  for (auto _ : state) {
    Object mine = object;
    MergeInto(&mine, object);
    benchmark::DoNotOptimize(mine);
  }
}
BENCHMARK(BM_MergeEqual);

void BM_MergeConcurrent(benchmark::State& state) {
  const Object a = NewObject(1000, 1, 16);
  const Object b = DeltaOf({}, NewSibling(2, 1, 16));
  for (auto _ : state) {
    Object mine = a;
    MergeInto(&mine, b);
    benchmark::DoNotOptimize(mine);
  }
}
BENCHMARK(BM_MergeConcurrent);

// The two copies that each round of the merges above begins with.
void BM_CopyTwice(benchmark::State& state) {
  const Object object = NewObject(1000, 1, 16);
  for (auto _ : state) {
    Object mine = object;
    Object theirs = object;
    benchmark::DoNotOptimize(mine);
    benchmark::DoNotOptimize(theirs);
  }
}
BENCHMARK(BM_CopyTwice);

void BM_PutOverAll(benchmark::State& state) {
  Object object = NewObject(1000, 1, 16);
  uint64_t counter = 1000;
  for (auto _ : state) {
    PutInto(&object, object.context, NewSibling(1, ++counter, 16));
    benchmark::DoNotOptimize(object);
  }
}
BENCHMARK(BM_PutOverAll);

void BM_VersionHash(benchmark::State& state) {
  const Object object = NewObject(1000, static_cast<uint64_t>(state.range(0)), 16);
  for (auto _ : state) benchmark::DoNotOptimize(VersionHash({1, 2, 3}, object));
}
BENCHMARK(BM_VersionHash)->ArgName("siblings")->Arg(1)->Arg(10);

void BM_EncodeObject(benchmark::State& state) {
  const Object object = NewObject(1000, static_cast<uint64_t>(state.range(0)), 16);
  std::string bytes;
  for (auto _ : state) {
    bytes.clear();
    EncodeObject(object, &bytes);
    benchmark::DoNotOptimize(bytes);
  }
}
BENCHMARK(BM_EncodeObject)->ArgName("siblings")->Arg(1)->Arg(10);

void BM_DecodeObject(benchmark::State& state) {
  std::string bytes;
  EncodeObject(NewObject(1000, static_cast<uint64_t>(state.range(0)), 16), &bytes);
  for (auto _ : state) benchmark::DoNotOptimize(DecodeObject(bytes));
}
BENCHMARK(BM_DecodeObject)->ArgName("siblings")->Arg(1)->Arg(10);

void BM_EncodeRecord(benchmark::State& state) {
  const Object object = NewObject(1000, 1, static_cast<size_t>(state.range(0)));
  const std::string key = "key:000000012345";
  const Position position = PositionOf(0, key, Partitioner::kSlot);
  for (auto _ : state) benchmark::DoNotOptimize(EncodeRecord(position, 0, key, object, 1));
}
BENCHMARK(BM_EncodeRecord)->ArgName("bytes")->Arg(16)->Arg(1024);

void BM_ParseRecord(benchmark::State& state) {
  const std::string image = EncodeRecord({1, 2, 3}, 0, "key:000000012345", NewObject(9, 1, 16), 1);
  for (auto _ : state) benchmark::DoNotOptimize(ParseRecord(image));
}
BENCHMARK(BM_ParseRecord);

void BM_RecordIntact(benchmark::State& state) {
  const std::string image = EncodeRecord({1, 2, 3}, 0, "key:000000012345", NewObject(9, 1, 16), 1);
  for (auto _ : state) benchmark::DoNotOptimize(RecordIntact(image));
}
BENCHMARK(BM_RecordIntact);

void BM_EncodeToken(benchmark::State& state) {
  const CausalContext context = NewObject(1000, static_cast<uint64_t>(state.range(0)), 16).context;
  for (auto _ : state) benchmark::DoNotOptimize(EncodeToken({1, 2, 3}, context));
}
BENCHMARK(BM_EncodeToken)->ArgName("actors")->Arg(1)->Arg(10);

void BM_DecodeToken(benchmark::State& state) {
  const std::string token =
      EncodeToken({1, 2, 3}, NewObject(1000, static_cast<uint64_t>(state.range(0)), 16).context);
  for (auto _ : state) benchmark::DoNotOptimize(DecodeToken({1, 2, 3}, token));
}
BENCHMARK(BM_DecodeToken)->ArgName("actors")->Arg(1)->Arg(10);

void BM_PositionOf(benchmark::State& state) {
  const std::string key = "key:000000012345";
  for (auto _ : state) benchmark::DoNotOptimize(PositionOf(0, key, Partitioner::kSlot));
}
BENCHMARK(BM_PositionOf);

}  // namespace
}  // namespace cartwheel

BENCHMARK_MAIN();
