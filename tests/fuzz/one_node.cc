#include "tests/fuzz/one_node.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace cartwheel {
namespace {

constexpr Now kStart{1'000'000'000, 1'700'000'000'000};
// Every operation is answered within 2 x replica-timeout + 100 ms, and a node has few deadlines.
constexpr int kMaxWaits = 100;

NodeOptions OptionsOfOne() {
  NodeOptions options;
  options.id = 1;
  options.self.id = 1;
  options.self.host = "127.0.0.1";
  options.self.port = 7001;
  options.self.bus_port = 17001;
  options.bootstrap = true;
  options.settings.partitions = 16;
  options.max_value_bytes = OneNode::kMaxBulkBytes;
  options.object_max_bytes = 4 * OneNode::kMaxBulkBytes;
  options.seed = 1;
  return options;
}

}  // namespace

OneNode::OneNode(uint64_t engine_max_bytes) : engine_(MemoryOptions{engine_max_bytes}) {
  server_.options.engine = EngineKind::kMemory;
  server_.options.proto_max_bulk_bytes = kMaxBulkBytes;
  server_.options.announce_host = "127.0.0.1";
  server_.now = server_.started = kStart;
  server_.run_id = std::string(40, 'a');
  Result<std::unique_ptr<Node>> node =
      Node::Start(OptionsOfOne(), &engine_, {}, server_.now, &effects_);
  CHECK(node.has_value());
  node_ = std::move(*node);
  server_.node = node_.get();
  server_.engine = &engine_;
  server_.submit = [this](ClientOp&& operation) {
    node_->Step(server_.now, std::move(operation), &effects_);
  };
  server_.deliver = [this] { Deliver(); };
  server_.shut_down = [] {};
  server_.close_client = [](uint64_t) { return false; };  // there is no other
  server_.await_sync = [this](uint64_t id) { effects_.answers.push_back({id, 0, Done{}}); };
  // As the driver does, but no option lets an input take much memory.
  server_.change_options = [this](Options changed, std::string_view*) {
    changed.proto_max_bulk_bytes = kMaxBulkBytes;
    server_.options = std::move(changed);
    return Result<void>{};
  };
  for (int i = 0; !node_->ready(); ++i) {
    CHECK(i < kMaxWaits);
    Wait();
  }
}

void OneNode::Deliver() {
  while (!effects_.answers.empty()) {
    std::vector<Answer> answers = std::exchange(effects_.answers, {});
    for (Answer& answer : answers) server_.calls.Deliver(std::move(answer));
  }
}

void OneNode::Wait() {
  CarryOut();
  const int64_t due_us = std::min(node_->NextDeadline(), server_.timers.NextDue());
  const int64_t passed_us = std::max<int64_t>(due_us - server_.now.mono_us, 1000);
  server_.now.mono_us += passed_us;
  server_.now.wall_ms += (passed_us + 999) / 1000;
  server_.timers.RunDue(server_.now.mono_us);
  node_->Step(server_.now, Tick{}, &effects_);
}

void OneNode::CarryOut() {
  for (const Published& published : std::exchange(effects_.published, {})) {
    server_.pubsub.Publish(published.sharded, published.channel, published.message);
  }
  for (const Key& key : std::exchange(effects_.expired, {})) NoteExpired(&server_, key);
  effects_.control.reset();
  effects_.outbox.Clear();
  effects_.sends_to_address.clear();
  effects_.log.clear();
  effects_.stop.reset();
  effects_.departed = false;
}

FuzzClient::FuzzClient(OneNode* node, Resp resp)
    : node_(node), pipeline_(node->server(), [this] { woken_ = true; }) {
  Session& session = pipeline_.session();
  session.id = 1;
  session.resp = resp;
  session.address = "127.0.0.1:50000";
  session.local_address = "127.0.0.1:7001";
  node_->server()->sessions[session.id] = &session;
}

FuzzClient::~FuzzClient() { node_->server()->sessions.erase(pipeline_.session().id); }

void FuzzClient::Push(std::string_view bytes, size_t read_bytes) {
  while (!bytes.empty() && !pipeline_.closing()) {
    if (!pipeline_.WantsInput()) {
      Settle();
      if (!pipeline_.WantsInput()) return;  // it closes, or waits for something that never comes
    }
    const std::span<char> space = pipeline_.Prepare();
    const size_t count = std::min({space.size(), bytes.size(), read_bytes});
    std::memcpy(space.data(), bytes.data(), count);
    pipeline_.Commit(count);
    bytes.remove_prefix(count);
    pipeline_.Process();
  }
}

std::string FuzzClient::Send(std::string_view bytes, size_t read_bytes) {
  Push(bytes, read_bytes);
  Settle();
  return std::exchange(received_, {});
}

bool FuzzClient::Turn() {
  node_->Deliver();
  bool did = false;
  if (std::exchange(woken_, false)) {
    pipeline_.Process();
    did = true;
  }
  const std::string_view ready = pipeline_.Writable(node_->server()->engine->sequences().stored);
  if (ready.empty()) return did;
  received_ += ready;
  pipeline_.Consume(ready.size());
  return true;
}

void FuzzClient::Settle() {
  for (int waits = 0; waits < kMaxWaits;) {
    if (Turn()) continue;
    if (pipeline_.Idle()) return;
    node_->Wait();
    ++waits;
  }
}

}  // namespace cartwheel
