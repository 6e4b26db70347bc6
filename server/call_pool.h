// CallPool: the calls in flight. A call keeps its slot until the last of its operations is
// answered, also when its client is gone by then; slots and their buffers are reused.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cluster/client_op.h"

namespace cartwheel {

class Call;

class CallPool {
 public:
  CallPool();
  ~CallPool();
  CallPool(const CallPool&) = delete;
  CallPool& operator=(const CallPool&) = delete;

  Call* Take();
  void Return(Call* call);

  // Runs the continuation of the operation that `answer` is for.
  void Deliver(Answer&& answer);

  // Operations that the core has not answered. Past the bound no further command of any client
  // begins: what waits longer than replica-timeout would only fail.
  static constexpr size_t kMaxOperations = 4096;
  void NoteStarted() { ++operations_; }
  size_t operations() const { return operations_; }
  bool Full() const { return operations_ >= kMaxOperations; }
  bool HalfFull() const { return operations_ >= kMaxOperations / 2; }

  size_t in_flight() const { return calls_.size() - free_.size(); }

 private:
  std::vector<std::unique_ptr<Call>> calls_;  // by slot
  std::vector<Call*> free_;
  size_t operations_ = 0;
};

}  // namespace cartwheel
