// The parser and the writer alone: pipelined small commands, a large bulk, replies.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/reply_parser.h"
#include "protocol/reply_writer.h"
#include "protocol/request_parser.h"

namespace cartwheel {
namespace {

std::string Repeat(const std::vector<std::string_view>& command, int64_t times) {
  std::string bytes;
  for (int64_t i = 0; i < times; ++i) WriteCommand(command, &bytes);
  return bytes;
}

void Feed(std::string_view bytes, RequestParser* parser) {
  while (!bytes.empty()) {
    const std::span<char> space = parser->Prepare();
    const size_t count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    parser->Commit(count);
    bytes.remove_prefix(count);
  }
}

// One iteration is one read of `batch` commands, as a pipelining client sends them; the copy into
// the buffer stands for read(2). Items are commands.
void ParseBatch(benchmark::State& state, const std::vector<std::string_view>& command) {
  const std::string bytes = Repeat(command, state.range(0));
  RequestParser parser(ParserLimits{});
  size_t seen = 0;
  for (auto _ : state) {
    Feed(bytes, &parser);
    while (parser.Next() == RequestParser::Outcome::kCommand) seen += parser.arguments().size();
  }
  benchmark::DoNotOptimize(seen);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

const std::vector<std::string_view> kSet = {"SET", "key:000000012345", "0123456789abcdef"};
const std::vector<std::string_view> kGet = {"GET", "key:000000012345"};

void BM_ParseSet(benchmark::State& state) { ParseBatch(state, kSet); }
void BM_ParseGet(benchmark::State& state) { ParseBatch(state, kGet); }
BENCHMARK(BM_ParseSet)->Arg(1)->Arg(16)->Arg(256);
BENCHMARK(BM_ParseGet)->Arg(1)->Arg(16)->Arg(256);

void BM_ParseInline(benchmark::State& state) {
  RequestParser parser(ParserLimits{});
  for (auto _ : state) {
    Feed("SET key:000000012345 \"0123456789abcdef\"\r\n", &parser);
    benchmark::DoNotOptimize(parser.Next());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ParseInline);

// One SET with a bulk of that many bytes, in reads of at most 64 KiB: linear in the bytes.
void BM_ParseLargeBulk(benchmark::State& state) {
  constexpr size_t kReadBytes = size_t{64} << 10;
  const std::string value(static_cast<size_t>(state.range(0)), 'x');
  const std::string bytes = Repeat({"SET", "key", value}, 1);
  size_t most_held = 0;
  for (auto _ : state) {
    RequestParser parser(ParserLimits{});
    for (std::string_view rest = bytes; !rest.empty();) {
      Feed(rest.substr(0, kReadBytes), &parser);
      rest.remove_prefix(std::min(rest.size(), kReadBytes));
      benchmark::DoNotOptimize(parser.Next());
    }
    most_held = std::max(most_held, parser.allocated_bytes());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes.size()));
  state.counters["held/bulk"] = static_cast<double>(most_held) / static_cast<double>(value.size());
}
BENCHMARK(BM_ParseLargeBulk)->Arg(64 << 10)->Arg(1 << 20)->Arg(32 << 20)->Arg(512 << 20);

void BM_WriteReplies(benchmark::State& state) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    ReplyWriter writer(&out, Resp::k2);
    for (int i = 0; i < 16; ++i) writer.Bulk("0123456789abcdef");
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * 16);
}
BENCHMARK(BM_WriteReplies);

void BM_WriteDouble(benchmark::State& state) {
  std::string out;
  double value = 0.1;
  for (auto _ : state) {
    out.clear();
    ReplyWriter(&out, Resp::k3).Double(value += 0.1);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_WriteDouble);

void BM_ParseReplies(benchmark::State& state) {
  std::string bytes;
  ReplyWriter writer(&bytes, Resp::k2);
  for (int i = 0; i < 16; ++i) writer.Bulk("0123456789abcdef");
  ReplyParser parser;
  Reply reply;
  for (auto _ : state) {
    parser.Feed(bytes);
    while (parser.Next(&reply) == ReplyParser::Outcome::kReply) benchmark::DoNotOptimize(reply);
  }
  state.SetItemsProcessed(state.iterations() * 16);
}
BENCHMARK(BM_ParseReplies);

}  // namespace
}  // namespace cartwheel

BENCHMARK_MAIN();
