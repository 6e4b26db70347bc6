#include "cluster/transfer.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "base/coding.h"
#include "cluster/merkle_tree.h"
#include "storage/record.h"

namespace cartwheel {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

// slots := { slot:varint sum:fixed64 x kBucketsPerSlot }
void PutSlotSums(const StorageEngine& engine, uint16_t slot, std::string* out) {
  PutVarint(out, slot);
  const uint32_t first = slot * kBucketsPerSlot;
  for (uint32_t leaf = first; leaf < first + kBucketsPerSlot; ++leaf) {
    PutFixed64(out, engine.LeafSum(leaf));
  }
}

bool ReadSlotSums(std::string_view bytes, std::vector<uint16_t>* slots,
                  std::vector<uint64_t>* sums) {
  Reader in(bytes);
  while (in.ok() && !in.done()) {
    const uint64_t slot = in.Varint();
    if (slot >= kSlotCount || (!slots->empty() && slot <= slots->back())) return false;
    slots->push_back(static_cast<uint16_t>(slot));
    for (uint32_t i = 0; i < kBucketsPerSlot; ++i) sums->push_back(in.Fixed64());
  }
  return in.ok();
}

}  // namespace

void Transfer::SetRate(uint64_t bytes_per_second) {
  asking_.SetRate(bytes_per_second);
  giving_.SetRate(bytes_per_second);
}

// --- giving ---

void Transfer::OnRequest(const Turn& turn, NodeId from, const TransferRequest& request) {
  TransferResponse response;
  response.request = request.request;
  std::vector<uint16_t> slots;
  std::vector<uint64_t> sums;
  if (!ReadSlotSums(request.slots, &slots, &sums) || slots.size() > kSlotCount) {
    ++context_->counters.messages_bad;
    return;
  }
  std::string objects;
  if (request.placement != context_->placement()) {
    response.status = TransferStatus::kRefused;
  } else if (!giving_.Ready(turn.now.mono_us) || !context_->load.Admits(turn.now.mono_us)) {
    response.status = TransferStatus::kLater;
  } else {
    response.status = TransferStatus::kGiven;
    context_->load.Work(turn.now.mono_us);
    Give(slots, sums, request, MostBytes(turn), &response, &objects);
    for (const uint16_t slot : slots) response.behind = response.behind || context_->IsBehind(slot);
    response.objects = objects;
    giving_.Take(context_->load.CostOf(objects.size(), turn.now.mono_us), turn.now.mono_us);
    context_->counters.transfer_bytes_sent += objects.size();
  }
  turn.Respond(from, response, context_->replica.engine()->sequences().applied);
}

// objects := { db:varint key:bytes object:bytes }
void Transfer::Give(const std::vector<uint16_t>& slots, const std::vector<uint64_t>& sums,
                    const TransferRequest& request, size_t most_here, TransferResponse* response,
                    std::string* objects) const {
  const StorageEngine& engine = *context_->replica.engine();
  const Position from = request.from;
  const uint64_t most_bytes = std::min<uint64_t>(request.most_bytes, most_here);
  for (size_t i = 0; i < slots.size() && !response->more; ++i) {
    for (uint32_t bucket = 0; bucket < kBucketsPerSlot && !response->more; ++bucket) {
      const uint32_t leaf = slots[i] * kBucketsPerSlot + bucket;
      const Position last = LastOfLeaf(leaf);
      if (last < from || engine.LeafSum(leaf) == sums[i * kBucketsPerSlot + bucket]) continue;
      const auto scanned = engine.Scan(std::max(FirstOfLeaf(leaf), from), last,
                                       [&](const Position& position, std::string_view image) {
                                         if (objects->size() >= most_bytes) {
                                           response->more = true;
                                           response->next = position;
                                           return false;
                                         }
                                         // What is damaged is as good as not there: others have it.
                                         const auto record = ReadIntact(image);
                                         response->behind = response->behind || !record;
                                         if (record) {
                                           PutVarint(objects, record->db);
                                           PutBytes(objects, record->key);
                                           PutBytes(objects, record->object);
                                         }
                                         return true;
                                       });
      if (!scanned) {
        response->status = TransferStatus::kRefused;
        return;
      }
    }
  }
}

// --- asking ---

void Transfer::OnPlacementChanged(const Turn& turn, uint64_t before) {
  auto gained = std::exchange(gains_, {});
  flows_.clear();
  synced_after_.reset();
  const bool missed_none = before + 1 == context_->placement();
  const Ring& ring = *context_->ring;
  for (Partition partition = 0; partition < ring.partition_count(); ++partition) {
    const Ring::Sources sources = ring.SourcesOf(partition, context_->self());
    if (sources.needed == 0) continue;
    Gain& gain = gains_[partition];
    for (const NodeId source : sources.nodes) {
      if (source != context_->self()) flows_.try_emplace(source);
    }
    const auto known = gained.find(partition);
    if (known != gained.end() && missed_none) gain.compared = known->second.compared;
  }
  next_us_ = turn.now.mono_us;
  NoteFetched();
}

// Sources that were removed since count no more, and are not needed any more.
size_t Transfer::Needed(Partition partition, const Gain& gain) const {
  const Ring::Sources sources = context_->ring->SourcesOf(partition, context_->self());
  const auto compared = static_cast<size_t>(
      std::count_if(gain.compared.begin(), gain.compared.end(),
                    [&](NodeId node) { return Contains(sources.nodes, node); }));
  return sources.needed - std::min(sources.needed, compared);
}

bool Transfer::IsFetched(Partition partition, const Gain& gain) const {
  return Needed(partition, gain) == 0;
}

void Transfer::Tick(const Turn& turn) {
  const int64_t now_us = turn.now.mono_us;
  if (gains_.empty() || complete() || now_us < next_us_) return;
  next_us_ = kNever;
  for (auto& [source, flow] : flows_) {
    if (flow.due_us <= now_us) Advance(turn, source, &flow);
    if (flow.waits || !flow.batch.empty()) next_us_ = std::min(next_us_, flow.due_us);
  }
  NoteFetched();
  if (next_us_ == kNever) next_us_ = now_us + (synced_after_ ? kSyncPollUs : kRetryUs);
}

int64_t Transfer::NextDeadline() const { return gains_.empty() || complete() ? kNever : next_us_; }

void Transfer::Advance(const Turn& turn, NodeId source, Flow* flow) {
  if (std::exchange(flow->waits, false)) {
    // Perhaps its answer is one large object.
    flow->patience = std::min(flow->patience + 1, kMostPatience);
    EndBatch(source, flow, false);
    flow->due_us = turn.now.mono_us + kRetryUs;
    next_us_ = turn.now.mono_us;
    return;
  }
  if (flow->batch.empty()) {
    if (!context_->liveness.IsAlive(source)) return;
    ChooseBatch(source, flow);
  }
  if (flow->batch.empty()) return;
  const int64_t ready_us = asking_.ready_us();
  if (ready_us > turn.now.mono_us) {
    flow->due_us = ready_us;
    return;
  }
  if (!context_->load.Admits(turn.now.mono_us)) {
    flow->due_us = turn.now.mono_us + kYieldUs;
    return;
  }
  Ask(turn, source, flow);
}

// Partitions that the source has and that nobody else is asked for now; those that have not come
// from anybody yet before those that are compared a second time.
void Transfer::ChooseBatch(NodeId source, Flow* flow) {
  const Ring& ring = *context_->ring;
  const uint32_t slots_each = ring.LastSlot(0) + 1U;
  const size_t most = std::max<uint32_t>(1, kBatchSlots / slots_each);
  for (const bool fresh : {true, false}) {
    for (auto& [partition, gain] : gains_) {
      if (flow->batch.size() == most) break;
      if (gain.busy != 0 || gain.compared.empty() != fresh) continue;
      if (IsFetched(partition, gain) || Contains(gain.compared, source)) continue;
      const auto sources = ring.SourcesOf(partition, context_->self()).nodes;
      if (!Contains(sources, source)) continue;
      // Sources take turns, so that each gives its share.
      const bool own_turn = sources[partition % sources.size()] == source;
      const NodeId other = sources[partition % sources.size()];
      if (fresh && !own_turn && other != context_->self() && context_->liveness.IsAlive(other) &&
          flows_.at(other).gives) {
        continue;
      }
      gain.busy = source;
      flow->batch.push_back(partition);
    }
    if (!flow->batch.empty()) break;
  }
  std::sort(flow->batch.begin(), flow->batch.end());
  flow->from = {};
  flow->counts = true;
}

// An answer is made in one turn of a loop and stored in another: where there are clients, they wait
// for no more than a fraction of a millisecond.
size_t Transfer::MostBytes(const Turn& turn) {
  return context_->load.IsBusy(turn.now.mono_us) ? kBusyBytes : kBatchBytes;
}

void Transfer::Ask(const Turn& turn, NodeId source, Flow* flow) {
  const Ring& ring = *context_->ring;
  std::string slots;
  for (const Partition partition : flow->batch) {
    for (uint32_t slot = ring.FirstSlot(partition); slot <= ring.LastSlot(partition); ++slot) {
      if (slot < flow->from.slot) continue;
      PutSlotSums(*context_->replica.engine(), static_cast<uint16_t>(slot), &slots);
    }
  }
  flow->request = ++last_request_;
  flow->waits = true;
  const int64_t patience_us =
      2 * context_->ReplicaTimeoutUs() + NodeContext::TransferUs(2 * kBatchBytes);
  flow->due_us = turn.now.mono_us + (patience_us << flow->patience);
  turn.Request(source, TransferRequest{.request = flow->request,
                                       .epoch = context_->epoch(),
                                       .placement = context_->placement(),
                                       .from = flow->from,
                                       .most_bytes = MostBytes(turn),
                                       .slots = slots});
  next_us_ = std::min(next_us_, flow->due_us);
}

void Transfer::OnResponse(const Turn& turn, NodeId from, const TransferResponse& response) {
  const auto it = flows_.find(from);
  if (it == flows_.end()) return;
  Flow& flow = it->second;
  if (!flow.waits || flow.request != response.request) return;
  flow.waits = false;
  flow.due_us = turn.now.mono_us;
  flow.counts = flow.counts && !response.behind;
  switch (response.status) {
    case TransferStatus::kRefused:
      EndBatch(from, &flow, false);
      flow.due_us += kRetryUs;
      break;
    case TransferStatus::kLater: flow.due_us += kYieldUs; break;
    case TransferStatus::kGiven:
      asking_.Take(context_->load.CostOf(response.objects.size(), turn.now.mono_us),
                   turn.now.mono_us);
      if (!Store(turn, response.objects)) {
        EndBatch(from, &flow, false);
        flow.due_us += kRetryUs;
      } else if (response.more && response.next > flow.from) {
        flow.from = response.next;
      } else {
        EndBatch(from, &flow, flow.counts && !response.more);
        if (!flow.counts) flow.due_us += kRetryUs;
      }
      break;
  }
  next_us_ = turn.now.mono_us;  // others may take over what it did not give
  Tick(turn);
}

void Transfer::EndBatch(NodeId source, Flow* flow, bool compared) {
  for (const Partition partition : flow->batch) {
    const auto gain = gains_.find(partition);
    if (gain == gains_.end()) continue;
    gain->second.busy = 0;
    if (compared && !Contains(gain->second.compared, source)) {
      gain->second.compared.push_back(source);
    }
  }
  flow->batch.clear();
  flow->gives = compared;
}

// False when not all of it could be stored.
bool Transfer::Store(const Turn& turn, std::string_view objects) {
  context_->load.Work(turn.now.mono_us);
  context_->counters.transfer_bytes_received += objects.size();
  Reader in(objects);
  bool all = true;
  while (in.ok() && !in.done()) {
    const auto db = static_cast<uint32_t>(in.Varint());
    const std::string_view key = in.Bytes();
    const std::string_view encoded = in.Bytes();
    Object object;
    if (!in.ok() || !DecodeObject(encoded, &object)) {
      ++context_->counters.messages_bad;
      return false;
    }
    const auto merged = context_->MergeAt(context_->Locate(db, key), std::move(object), turn.now);
    all = all && merged.has_value();
    ++context_->counters.transfer_keys;
  }
  return all && in.ok();
}

void Transfer::NoteFetched() {
  context_->counters.transfers = partitions_left();
  if (gains_.empty() || synced_after_ || partitions_left() > 0) return;
  StorageEngine* engine = context_->replica.engine();
  synced_after_ = engine->sequences().applied;
  engine->SyncSoon(*synced_after_);
}

bool Transfer::complete() const {
  return gains_.empty() ||
         (synced_after_ && context_->replica.engine()->sequences().synced >= *synced_after_);
}

size_t Transfer::partitions_left() const {
  return static_cast<size_t>(std::count_if(gains_.begin(), gains_.end(), [this](const auto& gain) {
    return !IsFetched(gain.first, gain.second);
  }));
}

// The sources that are down or do not give, where the others are too few.
std::vector<NodeId> Transfer::WaitsFor() const {
  std::vector<NodeId> nodes;
  for (const auto& [partition, gain] : gains_) {
    size_t giving = 0;
    NodeList missing;
    for (const NodeId source : context_->ring->SourcesOf(partition, context_->self()).nodes) {
      if (source == context_->self() || Contains(gain.compared, source)) continue;
      if (context_->liveness.IsAlive(source) && flows_.at(source).gives) {
        ++giving;
      } else {
        missing.push_back(source);
      }
    }
    if (giving >= Needed(partition, gain)) continue;
    for (const NodeId source : missing) {
      if (!Contains(nodes, source)) nodes.push_back(source);
    }
  }
  return nodes;
}

void Transfer::OnPeerLost(const Turn& turn, NodeId peer) {
  const auto it = flows_.find(peer);
  if (it == flows_.end() || !std::exchange(it->second.waits, false)) return;
  EndBatch(peer, &it->second, false);
  it->second.due_us = turn.now.mono_us + kRetryUs;
  next_us_ = turn.now.mono_us;
}

}  // namespace cartwheel
