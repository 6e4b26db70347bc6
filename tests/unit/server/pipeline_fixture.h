// A Pipeline over a core that answers when it is told to.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "server/pipeline.h"

namespace cartwheel {

// A core that keeps operations until the test answers them by key.
class FakeCore {
 public:
  FakeCore() {
    server_.submit = [this](ClientOp&& operation) { waiting_.push_back(std::move(operation)); };
    server_.deliver = [this] {
      if (at_once_) AnswerAll();
    };
  }

  Server* server() { return &server_; }
  // As one node alone does: every operation is answered before the next command is looked at.
  void AnswerAtOnce() { at_once_ = true; }

  static const std::string& KeyOf(const ClientOp& op) {
    if (const auto* read = std::get_if<ReadOperation>(&op.operation)) return read->key.bytes;
    if (const auto* put = std::get_if<PutOperation>(&op.operation)) return put->key.bytes;
    return std::get<DeleteOperation>(op.operation).key.bytes;
  }
  // The keys of the operations that wait, in the order in which they came.
  std::string Waiting() const {
    std::string keys;
    for (const ClientOp& op : waiting_) keys += KeyOf(op);
    return keys;
  }

  // Answers the oldest operation of the key; the reply must wait for `after`.
  void Answer(std::string_view key, uint64_t after = 0) {
    const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&](const ClientOp& op) { return KeyOf(op) == key; });
    ASSERT_NE(found, waiting_.end()) << key;
    const ClientOp op = std::move(*found);
    waiting_.erase(found);
    Reply(op, Result(op), after);
  }
  void Fail(std::string_view key, decltype(cartwheel::Answer::result) failure) {
    const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&](const ClientOp& op) { return KeyOf(op) == key; });
    ASSERT_NE(found, waiting_.end()) << key;
    const ClientOp op = std::move(*found);
    waiting_.erase(found);
    Reply(op, std::move(failure), 0);
  }
  void AnswerAll() {
    while (!waiting_.empty()) Answer(KeyOf(waiting_.front()));
  }

 private:
  // Writes take effect when they are answered, deletes find what is there.
  decltype(cartwheel::Answer::result) Result(const ClientOp& op) {
    if (const auto* put = std::get_if<PutOperation>(&op.operation)) {
      values_[put->key.bytes] = put->bytes;
      return PutAnswer{};
    }
    if (const auto* gone = std::get_if<DeleteOperation>(&op.operation)) {
      return DeleteAnswer{values_.erase(gone->key.bytes) > 0};
    }
    return DeleteAnswer{};
  }
  void Reply(const ClientOp& op, decltype(cartwheel::Answer::result) result, uint64_t after) {
    cartwheel::Answer answer;
    answer.id = op.id;
    answer.after = after;
    answer.result = std::move(result);
    server_.calls.Deliver(std::move(answer));
  }

  Server server_;
  std::vector<ClientOp> waiting_;
  std::map<std::string, std::string> values_;
  bool at_once_ = false;
};

class PipelineTest : public testing::Test {
 protected:
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::span<char> space = pipeline_->Prepare();
      const size_t count = std::min(space.size(), bytes.size());
      std::copy_n(bytes.begin(), count, space.begin());
      pipeline_->Commit(count);
      bytes.remove_prefix(count);
      if (pipeline_->WantsInput()) pipeline_->Process();
    }
  }
  // Lets the pipeline go on where it was woken, as the driver does at the end of a turn.
  void Turn() {
    while (woken_ > 0) {
      woken_ = 0;
      pipeline_->Process();
    }
  }
  std::string Output(uint64_t stored = 0) {
    Turn();
    const std::string ready(pipeline_->Writable(stored));
    pipeline_->Consume(ready.size());
    Turn();
    return ready;
  }

  FakeCore core_;
  int woken_ = 0;
  std::unique_ptr<Pipeline> pipeline_ =
      std::make_unique<Pipeline>(core_.server(), [this] { ++woken_; });
};

}  // namespace cartwheel
