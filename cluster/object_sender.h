// ObjectSender: gives peers this node's copies of keys, by MergeRequest, without haste: paced by a
// rate in slices of kSliceUs (to be woken for every object would cost more than the objects do),
// and so many in flight to each peer. It reads a record when its turn has come, and passes over
// what is gone or cannot be read. For anti-entropy, whichever side asked.
#pragma once

#include <absl/container/btree_map.h>

#include <cstdint>
#include <vector>

#include "cluster/messages.h"
#include "cluster/node_context.h"
#include "cluster/rate_limit.h"

namespace cartwheel {

class ObjectSender {
 public:
  explicit ObjectSender(NodeContext* context)
      : context_(context),
        limit_(context->options.repair_rate_bytes),
        last_request_(kFirstRequest + context->random.Below(uint64_t{1} << 48)) {}

  // Begins to send what stands at the positions; returns the job's number.
  uint64_t Begin(const Turn& turn, NodeId to, std::vector<Position> positions);
  void Cancel(uint64_t job);

  // A job that is over: all was sent and answered, or the peer does not answer.
  struct Ended {
    uint64_t job = 0;
    NodeId to = 0;
    uint64_t stored = 0;  // how many the peer merged
    bool failed = false;
  };
  std::vector<Ended> TakeEnded();

  // False when the request was not one of these.
  bool OnMergeResponse(const Turn& turn, const MergeResponse& response);
  void OnPeerLost(NodeId peer);
  void Tick(const Turn& turn);
  int64_t NextDeadline() const;  // in mono_us

  // In bytes a second; 0: no limit.
  void SetRate(uint64_t rate) {
    limit_.SetRate(rate);
    slice_us_ = 0;
  }
  const RateLimit& limit() const { return limit_; }

 private:
  struct Job {
    NodeId to = 0;
    std::vector<Position> positions;
    size_t next = 0;  // of them
    size_t in_flight = 0;
    uint64_t bytes_in_flight = 0;
    uint64_t stored = 0;
    int64_t answered_us = 0;
  };
  struct Flight {
    uint64_t job = 0;
    uint64_t bytes = 0;
    int64_t sent_us = 0;
    int64_t deadline_us = 0;
  };

  // The coordinator's request ids are below, those of handoff above.
  static constexpr uint64_t kFirstRequest = uint64_t{1} << 62;
  static constexpr int64_t kSliceUs = 2'000;
  static constexpr size_t kMaxInFlight = 64;
  static constexpr uint64_t kMaxBytesInFlight = 1 << 20;

  static bool CanSend(const Job& job) {
    return job.next < job.positions.size() && job.in_flight < kMaxInFlight &&
           job.bytes_in_flight < kMaxBytesInFlight;
  }
  void Pump(const Turn& turn);
  void SendNext(const Turn& turn, uint64_t number, Job* job);
  void Land(const Flight& flight);
  void End(uint64_t number, bool failed);

  NodeContext* context_;
  RateLimit limit_;
  int64_t slice_us_ = 0;   // when the next slice begins
  uint64_t last_request_;  // begins anywhere: answers to an earlier start must not fit
  uint64_t last_job_ = 0;
  uint64_t last_served_ = 0;
  absl::btree_map<uint64_t, Job> jobs_;
  absl::btree_map<uint64_t, Flight> flights_;  // by request, in the order of sending
  std::vector<Ended> ended_;
};

}  // namespace cartwheel
