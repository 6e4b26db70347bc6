#include "server/call_pool.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/command.h"
#include "server/pipeline.h"

namespace cartwheel {
namespace {

bool ChangedSomething(const Answer& answer) {
  if (const auto* update = std::get_if<UpdateAnswer>(&answer.result)) return update->result.changed;
  if (const auto* del = std::get_if<DeleteAnswer>(&answer.result)) return del->deleted;
  return std::holds_alternative<PutAnswer>(answer.result);
}

}  // namespace

CallPool::CallPool() = default;
CallPool::~CallPool() = default;

Call* CallPool::Take() {
  if (free_.empty()) {
    CHECK(calls_.size() < UINT32_MAX);
    calls_.emplace_back(new Call(static_cast<uint32_t>(calls_.size())));
    return calls_.back().get();
  }
  Call* call = free_.back();
  free_.pop_back();
  return call;
}

void CallPool::Return(Call* call) {
  call->Reset();
  free_.push_back(call);
}

void CallPool::Deliver(Answer&& answer) {
  const uint64_t slot = answer.id >> 32;
  CHECK(slot < calls_.size());
  Call* call = calls_[slot].get();
  CHECK(call->outstanding_ > 0 && !call->in_handler_);
  answer.id &= UINT32_MAX;
  call->after_ = std::max(call->after_, answer.after);
  --call->outstanding_;
  --operations_;
  if (ChangedSomething(answer)) ++call->server_->counters.changes;
  if (answer.id < call->events_.size()) {
    NoteAnswer(call->server_, call->events_[answer.id], answer);
  }
  if (const auto* read = std::get_if<ReadAnswer>(&answer.result)) {
    call->read_bytes_ = std::max(call->read_bytes_, ByteSize(read->object));
  }
  call->SubmitNext();  // also for a client that is gone: an MSET is not left half done
  if (call->pipeline_ == nullptr) {  // nobody waits for the reply any more
    if (call->outstanding_ == 0) Return(call);
    return;
  }
  if (call->joined_ != nullptr) {
    call->KeepJoined(std::move(answer));
    if (call->outstanding_ == 0) std::exchange(call->joined_, nullptr)(*call);
  } else {
    const Continuation then = call->then_[answer.id];
    then(*call, answer);
  }
  if (call->outstanding_ == 0) {
    call->pipeline_->Finish(call);
  } else {
    call->pipeline_->Progress(call);
  }
}

}  // namespace cartwheel
