#include "cluster/range_coordinator.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/coding.h"

namespace cartwheel {

void RangeCoordinator::Start(const Turn& turn, uint64_t client, const ScanOperation& operation) {
  const int64_t timeout_us = context_->options.replica_timeout_ms * 1000;
  Scan scan;
  scan.client = client;
  scan.db = operation.db;
  scan.cursor = std::min(operation.cursor, kCursorEnd - 1);
  scan.count = std::max<uint32_t>(operation.count, 1);
  scan.r = operation.r != 0 ? std::min(operation.r, context_->ring->n()) : context_->ring->r();
  scan.final_us = turn.now.mono_us + 2 * timeout_us;
  AskRun(turn, &scan);
  while (scan.pages.size() >= scan.needed) {
    if (Advance(turn, &scan)) return;
  }
  const uint64_t round = scan.round;
  scans_.emplace(round, std::move(scan));
}

// The longest run of slots from the cursor on that R live nodes share, and those nodes.
std::vector<NodeId> RangeCoordinator::ChooseRun(Scan* scan) const {
  const Ring& ring = *context_->ring;
  const auto slot = static_cast<uint16_t>(scan->cursor >> kCursorHashBits);
  std::vector<NodeId> shared;
  scan->needed = std::min<size_t>(scan->r, ring.Replicas(slot).size());
  for (const NodeId node : ring.Replicas(slot)) {
    if (!context_->liveness.IsAlive(node)) continue;
    // This node first: its page costs no message.
    shared.insert(node == context_->self() ? shared.begin() : shared.end(), node);
  }
  uint32_t partition = ring.PartitionOf(slot);
  while (partition + 1 < ring.partition_count()) {
    const auto next = ring.Replicas(ring.FirstSlot(partition + 1));
    std::vector<NodeId> both;
    for (const NodeId node : shared) {
      if (std::find(next.begin(), next.end(), node) != next.end()) both.push_back(node);
    }
    if (both.size() < scan->needed) break;
    shared = std::move(both);
    ++partition;
  }
  scan->last_slot = ring.LastSlot(partition);
  if (shared.size() > scan->needed) shared.resize(scan->needed);
  return shared;
}

void RangeCoordinator::AskRun(const Turn& turn, Scan* scan) {
  scan->round = next_id_++;
  scan->retry_us = turn.now.mono_us + context_->options.replica_timeout_ms * 1000;
  scan->pages.clear();
  const std::vector<NodeId> nodes = ChooseRun(scan);
  scan->asked = nodes.size();
  const uint32_t wanted = scan->count - static_cast<uint32_t>(scan->keys.size());
  for (const NodeId node : nodes) {
    if (node == context_->self()) {
      scan->pages.emplace_back(node, ScanLocally(*context_->replica.engine(), scan->db,
                                                 scan->cursor, scan->last_slot, wanted));
      continue;
    }
    turn.Request(node, ScanRequest{.request = scan->round,
                                   .epoch = context_->epoch(),
                                   .db = scan->db,
                                   .cursor = scan->cursor,
                                   .last_slot = scan->last_slot,
                                   .count = wanted});
  }
}

// Puts the R pages of a run together: as far as the shortest of them goes.
void RangeCoordinator::MergePages(const Turn& turn, Scan* scan) {
  uint64_t next = kCursorEnd;
  for (const auto& [node, page] : scan->pages) next = std::min(next, page.next);
  std::map<std::pair<uint64_t, std::string>, Object> found;
  for (auto& [node, page] : scan->pages) {
    for (LocalPage::Entry& entry : page.entries) {
      const uint64_t at = ToCursor(context_->Locate(scan->db, entry.key).position);
      if (at >= next) continue;
      MergeInto(&found[{at, std::move(entry.key)}], std::move(entry.object));
    }
  }
  const View view = context_->ViewOf(scan->db, turn.now);
  for (auto& [place, object] : found) {
    if (object.Newest(view) != nullptr) scan->keys.push_back(place.second);
  }
  scan->cursor = next;
}

bool RangeCoordinator::Advance(const Turn& turn, Scan* scan) {
  MergePages(turn, scan);
  const bool over = scan->cursor >= kCursorEnd;
  const bool late = turn.now.mono_us > scan->final_us - context_->options.replica_timeout_ms * 1000;
  if (over || late || scan->keys.size() >= scan->count) {
    turn.effects->answers.push_back({scan->client, context_->replica.engine()->sequences().applied,
                                     ScanAnswer{over ? 0 : scan->cursor, std::move(scan->keys)}});
    return true;
  }
  AskRun(turn, scan);
  return false;
}

void RangeCoordinator::OnScanResponse(const Turn& turn, NodeId from, const ScanResponse& response) {
  const auto it = scans_.find(response.request);
  if (it == scans_.end() || response.failed) return;
  // Its keys may be elsewhere by now: the run is asked again once this node knows where.
  if (response.placement > context_->placement()) return;
  Scan& scan = it->second;
  const auto known = std::any_of(scan.pages.begin(), scan.pages.end(),
                                 [&](const auto& page) { return page.first == from; });
  if (known) return;
  LocalPage page;
  page.next = response.next;
  for (const ScanResponse::Entry& entry : response.entries) {
    auto object = DecodeObject(entry.object);
    if (!object) {
      ++context_->counters.messages_bad;
      return;
    }
    page.entries.push_back({std::string(entry.key), *std::move(object)});
  }
  scan.pages.emplace_back(from, std::move(page));
  if (scan.pages.size() < scan.needed) return;
  Scan ready = std::move(scan);
  scans_.erase(it);
  while (ready.pages.size() >= ready.needed) {
    if (Advance(turn, &ready)) return;
  }
  const uint64_t round = ready.round;
  scans_.emplace(round, std::move(ready));
}

void RangeCoordinator::Start(const Turn& turn, uint64_t client, const CountOperation& operation) {
  Count count;
  count.client = client;
  count.db = operation.db;
  count.final_us = turn.now.mono_us + context_->options.replica_timeout_ms * 1000;
  Begin(turn, std::move(count));
}

// Every live replica of a partition counts it. The median answers: a replica that missed writes
// while it was away has too few keys, one that missed deletions too many.
void RangeCoordinator::Begin(const Turn& turn, Count count) {
  const Ring& ring = *context_->ring;
  count.said.clear();
  count.waits_for.clear();
  count.said.resize(ring.partition_count());
  for (uint32_t partition = 0; partition < ring.partition_count(); ++partition) {
    const auto slot = static_cast<uint16_t>(ring.FirstSlot(partition));
    for (const NodeId node : ring.Replicas(slot)) {
      if (node == context_->self()) {
        count.said[partition].push_back(
            CountLocally(*context_->replica.engine(), ring, count.db, partition));
      } else if (context_->liveness.IsAlive(node) || node == context_->FirstLive(slot)) {
        count.waits_for[node].push_back(partition);
      }
    }
  }
  const uint64_t id = next_id_++;
  for (const auto& [node, partitions] : count.waits_for) {
    std::string list;
    for (const uint32_t partition : partitions) PutVarint(&list, partition);
    turn.Request(
        node, CountRequest{
                  .request = id, .epoch = context_->epoch(), .db = count.db, .partitions = list});
  }
  if (!count.waits_for.empty() || !Conclude(turn, &count)) counts_.emplace(id, std::move(count));
}

bool RangeCoordinator::Conclude(const Turn& turn, Count* count) {
  uint64_t keys = 0;
  for (auto& said : count->said) {
    if (said.empty()) return false;
    std::sort(said.begin(), said.end());
    keys += said[said.size() / 2];
  }
  turn.effects->answers.push_back({count->client, 0, CountAnswer{keys}});
  return true;
}

void RangeCoordinator::OnCountResponse(const Turn& turn, NodeId from,
                                       const CountResponse& response) {
  const auto it = counts_.find(response.request);
  if (it == counts_.end()) return;
  Count& count = it->second;
  const auto waiting = count.waits_for.find(from);
  if (waiting == count.waits_for.end()) return;
  Reader reader(response.counts);
  for (const uint32_t partition : waiting->second) {
    const uint64_t keys = reader.Varint();
    if (!reader.ok()) break;
    // The ring may have another shape by now.
    if (partition < count.said.size()) count.said[partition].push_back(keys);
  }
  count.waits_for.erase(waiting);
  if (count.waits_for.empty() && Conclude(turn, &count)) counts_.erase(it);
}

// A count that waits for a lost node begins again without it, in the time it has left; a scan's run
// is asked again of others at its next retry, which is now.
void RangeCoordinator::OnPeerLost(const Turn& turn, NodeId peer) {
  std::vector<Count> again;
  for (auto it = counts_.begin(); it != counts_.end();) {
    if (!it->second.waits_for.contains(peer)) {
      ++it;
      continue;
    }
    again.push_back(std::move(it->second));
    it = counts_.erase(it);
  }
  for (Count& count : again) Begin(turn, std::move(count));
  for (auto& [round, scan] : scans_) scan.retry_us = turn.now.mono_us;
}

// What was asked of the replicas of before begins again.
void RangeCoordinator::OnPlacementChanged(const Turn& turn) {
  std::vector<Count> again;
  for (auto& [id, count] : counts_) again.push_back(std::move(count));
  counts_.clear();
  for (Count& count : again) Begin(turn, std::move(count));
  for (auto& [round, scan] : scans_) scan.retry_us = turn.now.mono_us;
}

void RangeCoordinator::Tick(const Turn& turn) {
  for (auto it = counts_.begin(); it != counts_.end();) {
    if (it->second.final_us > turn.now.mono_us) {
      ++it;
      continue;
    }
    for (const auto& [node, partitions] : it->second.waits_for) context_->liveness.Suspect(node);
    if (!Conclude(turn, &it->second)) {
      ++context_->counters.no_quorum;
      turn.effects->answers.push_back({it->second.client, 0, NoQuorum{'R', 1, 0}});
    }
    it = counts_.erase(it);
  }
  std::vector<Scan> again;
  for (auto it = scans_.begin(); it != scans_.end();) {
    Scan& scan = it->second;
    if (scan.final_us <= turn.now.mono_us) {
      ++context_->counters.no_quorum;
      turn.effects->answers.push_back(
          {scan.client, 0, NoQuorum{'R', scan.r, static_cast<uint8_t>(scan.pages.size())}});
      it = scans_.erase(it);
    } else if (scan.retry_us <= turn.now.mono_us) {
      again.push_back(std::move(scan));
      it = scans_.erase(it);
    } else {
      ++it;
    }
  }
  for (Scan& scan : again) {
    AskRun(turn, &scan);
    bool answered = false;
    while (!answered && scan.pages.size() >= scan.needed) answered = Advance(turn, &scan);
    const uint64_t round = scan.round;
    if (!answered) scans_.emplace(round, std::move(scan));
  }
}

int64_t RangeCoordinator::NextDeadline() const {
  int64_t next = std::numeric_limits<int64_t>::max();
  for (const auto& [id, count] : counts_) next = std::min(next, count.final_us);
  for (const auto& [round, scan] : scans_) {
    next = std::min({next, scan.final_us, scan.retry_us});
  }
  return next;
}

}  // namespace cartwheel
