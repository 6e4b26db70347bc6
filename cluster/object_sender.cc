#include "cluster/object_sender.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "storage/record.h"

namespace cartwheel {

uint64_t ObjectSender::Begin(const Turn& turn, NodeId to, std::vector<Position> positions) {
  Job& job = jobs_[++last_job_];
  job.to = to;
  job.positions = std::move(positions);
  job.answered_us = turn.now.mono_us;
  const uint64_t number = last_job_;
  Pump(turn);
  return number;
}

void ObjectSender::Cancel(uint64_t job) {
  jobs_.erase(job);
  absl::erase_if(flights_, [job](const auto& entry) { return entry.second.job == job; });
}

void ObjectSender::End(uint64_t number, bool failed) {
  const Job& job = jobs_.at(number);
  ended_.push_back({number, job.to, job.stored, failed});
  Cancel(number);
}

std::vector<ObjectSender::Ended> ObjectSender::TakeEnded() { return std::exchange(ended_, {}); }

bool ObjectSender::OnMergeResponse(const Turn& turn, const MergeResponse& response) {
  if (response.request < kFirstRequest || response.request > last_request_) return false;
  const auto it = flights_.find(response.request);
  if (it == flights_.end()) return true;  // it came late
  const Flight flight = it->second;
  flights_.erase(it);
  Job& job = jobs_.at(flight.job);
  job.answered_us = turn.now.mono_us;
  job.stored += response.stored ? 1 : 0;
  Land(flight);
  Pump(turn);
  return true;
}

void ObjectSender::Land(const Flight& flight) {
  Job& job = jobs_.at(flight.job);
  --job.in_flight;
  job.bytes_in_flight -= flight.bytes;
}

void ObjectSender::OnPeerLost(NodeId peer) {
  std::vector<uint64_t> lost;
  for (const auto& [number, job] : jobs_) {
    if (job.to == peer) lost.push_back(number);
  }
  for (const uint64_t number : lost) End(number, true);
}

// The jobs take turns, one object each.
void ObjectSender::Pump(const Turn& turn) {
  while (turn.now.mono_us >= slice_us_) {
    if (!limit_.Ready(turn.now.mono_us)) {
      slice_us_ = limit_.ready_us() + kSliceUs;
      break;
    }
    auto it = std::find_if(jobs_.upper_bound(last_served_), jobs_.end(),
                           [](const auto& entry) { return CanSend(entry.second); });
    if (it == jobs_.end()) {
      it = std::find_if(jobs_.begin(), jobs_.end(),
                        [](const auto& entry) { return CanSend(entry.second); });
    }
    if (it == jobs_.end()) break;
    last_served_ = it->first;
    SendNext(turn, it->first, &it->second);
  }
  std::vector<uint64_t> done;
  for (const auto& [number, job] : jobs_) {
    if (job.next == job.positions.size() && job.in_flight == 0) done.push_back(number);
  }
  for (const uint64_t number : done) End(number, false);
}

void ObjectSender::SendNext(const Turn& turn, uint64_t number, Job* job) {
  const Position position = job->positions[job->next++];
  const auto found = context_->replica.engine()->Get(position);
  if (!found || !found->has_value()) return;
  // What rotted here must not spread.
  const auto record = ReadIntact((*found)->image);
  if (!record) return;
  const size_t frames_before = turn.effects->outbox.frames.size();
  turn.Request(job->to,
               MergeRequest{.request = ++last_request_,
                            .epoch = context_->epoch(),
                            .compared = true,
                            .stamp = context_->StampOf(turn.now),
                            .db = record->db,
                            .key = record->key,
                            .object = record->object},
               (*found)->sequence);
  const uint64_t bytes = turn.effects->outbox.frames.size() - frames_before;
  context_->counters.anti_entropy_bytes_sent += bytes;
  limit_.Take(bytes, turn.now.mono_us);
  ++job->in_flight;
  job->bytes_in_flight += bytes;
  const int64_t patience_us = 2 * (context_->ReplicaTimeoutUs() + NodeContext::TransferUs(bytes));
  flights_[last_request_] = {number, bytes, turn.now.mono_us, turn.now.mono_us + patience_us};
}

void ObjectSender::Tick(const Turn& turn) {
  while (!flights_.empty() && flights_.begin()->second.deadline_us <= turn.now.mono_us) {
    const Flight flight = flights_.begin()->second;
    flights_.erase(flights_.begin());
    Land(flight);
    // One that was lost on the way is met again by the next comparison; silence ends it all.
    if (jobs_.at(flight.job).answered_us <= flight.sent_us) End(flight.job, true);
  }
  Pump(turn);
}

int64_t ObjectSender::NextDeadline() const {
  int64_t next = std::numeric_limits<int64_t>::max();
  if (!flights_.empty()) next = flights_.begin()->second.deadline_us;
  const bool waits = std::any_of(jobs_.begin(), jobs_.end(),
                                 [](const auto& entry) { return CanSend(entry.second); });
  return waits ? std::min(next, std::max(limit_.ready_us(), slice_us_)) : next;
}

}  // namespace cartwheel
