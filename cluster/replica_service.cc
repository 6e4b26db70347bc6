#include "cluster/replica_service.h"

#include <utility>

#include "base/coding.h"
#include "storage/record.h"

namespace cartwheel {
namespace {

// The minter's asker has the value already: it is left out of the answer.
std::string WithoutValueOf(Object delta, uint64_t operation) {
  for (Sibling& sibling : delta.siblings) {
    if (sibling.operation == operation) sibling.bytes.clear();
  }
  std::string encoded;
  EncodeObject(delta, &encoded);
  return encoded;
}

MintStatus MintStatusOf(const Status& status) {
  switch (status.code) {
    case ErrorCode::kTooMany: return MintStatus::kTooMany;
    case ErrorCode::kFull: return MintStatus::kFull;
    default: return MintStatus::kFailed;
  }
}

}  // namespace

void ReplicaService::OnRead(const Turn& turn, NodeId from, const ReadRequest& request) {
  if (request.fallback) return OnReadKept(turn, from, request);
  const KeyRef key = context_->Locate(request.db, request.key);
  std::string_view object;
  const auto head = context_->replica.Head(key, &object);
  ReadResponse response{.request = request.request,
                        .status = ReadStatus::kNothing,
                        .behind = context_->IsBehind(key.position.slot),
                        .placement = context_->placement(),
                        .object = {}};
  if (!head) {
    response.status = ReadStatus::kFailed;
  } else if (head->hash == request.have && head->hash != 0) {
    response.status = ReadStatus::kSame;
  } else if (head->hash != 0) {
    response.status = ReadStatus::kObject;
    response.object = object;
  }
  turn.Respond(from, response, head ? head->sequence : 0);
}

void ReplicaService::OnReadKept(const Turn& turn, NodeId from, const ReadRequest& request) {
  const KeyRef key = context_->Locate(request.db, request.key);
  StoredVersion kept;
  const auto loaded =
      context_->replica.LoadKept(key, context_->ring->Replicas(key.position.slot), &kept);
  ReadResponse response{.request = request.request,
                        .status = ReadStatus::kNothing,
                        .behind = false,
                        .placement = context_->placement(),
                        .object = {}};
  std::string object;
  if (!loaded) {
    response.status = ReadStatus::kFailed;
  } else if (kept.hash == request.have && kept.hash != 0) {
    response.status = ReadStatus::kSame;
  } else if (kept.hash != 0) {
    response.status = ReadStatus::kObject;
    EncodeObject(kept.object, &object);
    response.object = object;
  }
  turn.Respond(from, response, kept.sequence);
}

void ReplicaService::OnCompare(const Turn& turn, const CompareRequest& request) {
  const KeyRef key = context_->Locate(request.db, request.key);
  std::string_view object;
  const auto head = context_->replica.Head(key, &object);
  if (request.holder == context_->self()) return;
  if (!head && head.error().code != ErrorCode::kDamaged) return;
  // A damaged copy is as good as none: the holder sends its own.
  const VersionHead mine = head.value_or(VersionHead{});
  if (mine.hash == request.have) return;
  std::string nothing;
  if (mine.hash == 0) EncodeObject(Object(), &nothing);
  ++context_->counters.read_repairs;
  turn.Request(request.holder,
               MergeRequest{.request = 0,
                            .epoch = context_->epoch(),
                            .exchange = true,
                            .stamp = context_->StampOf(turn.now),
                            .db = request.db,
                            .key = request.key,
                            .object = mine.hash == 0 ? nothing : object},
               mine.sequence);
}

void ReplicaService::OnMint(const Turn& turn, NodeId from, const MintRequest& request) {
  MintResponse response{
      .request = request.request, .status = MintStatus::kFailed, .object = {}, .error = {}};
  response.placement = context_->placement();
  auto given = DecodeContext(request.context);
  // Who asked loses patience and has the write minted elsewhere. Minted here after that, by a node
  // that stood still or behind a link that was cut, an old value would come back over newer ones
  // that were acknowledged meanwhile.
  const int64_t waited_us = context_->transit.Waited(from, request.stamp, turn.now.mono_us);
  const int64_t margin_us = std::min(request.patience_us, context_->ReplicaTimeoutUs()) / 2;
  const bool late = waited_us > request.patience_us - margin_us;
  if (late) ++context_->counters.mints_too_late;
  std::vector<Replaced> replaces;
  const bool understood = given && request.operation != 0 &&
                          (request.replaces.empty() || DecodeReplaces(request.replaces, &replaces));
  if (late || !understood) {
    turn.Respond(from, response);
    return;
  }
  KeyRef key = context_->Locate(request.db, request.key);
  if (request.plain && request.may_pass && !context_->MintsPlain(key.position.slot)) {
    ++context_->counters.mints_passed_on;
    response.status = MintStatus::kPassed;
    turn.Respond(from, response);
    return;
  }
  NewVersion version{.operation = request.operation,
                     .attempt = request.attempt,
                     .context = *std::move(given),
                     .replaces = std::move(replaces),
                     .plain = request.plain,
                     .kind = request.kind,
                     .expires_at_ms = request.expires_at_ms,
                     .bytes = std::string(request.bytes)};
  key.hint_for = request.hint_for;
  auto minted = context_->MintAt(key, std::move(version), turn.now);
  if (!minted) {
    response.status = MintStatusOf(minted.error());
    response.error = minted.error().message;
    turn.Respond(from, response);
    return;
  }
  response.status = MintStatus::kMinted;
  response.fresh = minted->fresh;
  const std::string object = WithoutValueOf(std::move(minted->delta), request.operation);
  response.object = object;
  turn.Respond(from, response, minted->sequence);
}

bool ReplicaService::OnMerge(const Turn& turn, NodeId from, const MergeRequest& request) {
  KeyRef key = context_->Locate(request.db, request.key);
  key.hint_for = request.hint_for;
  Object object;
  if (!DecodeObject(request.object, &object)) {
    ++context_->counters.messages_bad;
    return false;
  }
  // What was on its way for so long may know versions whose tombstones are gone.
  const int64_t waited_us = context_->transit.Waited(from, request.stamp, turn.now.mono_us);
  const bool late = waited_us > context_->OldestDataUs();
  if (late) ++context_->counters.merges_too_late;
  const uint64_t incoming_hash = object.context.empty() ? 0 : VersionHash(key.position, object);
  Result<VersionHead> merged = Error(ErrorCode::kInvalid, "the message is too old");
  if (!late) merged = context_->MergeAt(key, std::move(object), turn.now);
  if (request.request != 0) {
    const MergeResponse response{.request = request.request,
                                 .stored = merged.has_value(),
                                 .placement = context_->placement()};
    const uint64_t after = merged ? merged->sequence : 0;
    if (request.synced) {
      turn.RespondSynced(from, response, after);
    } else {
      turn.Respond(from, response, after);
    }
  }
  if (!merged) return false;
  if (!request.exchange || merged->hash == incoming_hash || merged->hash == 0) return true;
  std::string_view mine;
  const auto head = context_->replica.Head(key, &mine);
  if (!head || head->hash == 0) return true;
  ++context_->counters.read_repairs;
  turn.Request(from,
               MergeRequest{.request = 0,
                            .epoch = context_->epoch(),
                            .stamp = context_->StampOf(turn.now),
                            .db = request.db,
                            .key = request.key,
                            .object = mine},
               head->sequence);
  return true;
}

void ReplicaService::OnHolds(const Turn& turn, NodeId from, const HoldsRequest& request) {
  const KeyRef key = context_->Locate(request.db, request.key);
  StoredVersion mine;
  const auto context = DecodeContext(request.context);
  const bool loaded = context_->replica.Load(key, &mine).has_value();
  const bool holds = loaded && context && mine.object.context.Covers(*context);
  turn.RespondSynced(
      from,
      HoldsResponse{.request = request.request, .holds = holds, .placement = context_->placement()},
      holds ? mine.sequence : 0);
}

void ReplicaService::OnLeaves(const Turn& turn, NodeId from, const LeavesRequest& request) {
  const StorageEngine& engine = *context_->replica.engine();
  std::string same;
  Reader in(request.leaves);
  while (in.ok() && !in.done()) {
    const uint64_t leaf = in.Varint();
    const uint64_t sum = in.Fixed64();
    const bool is_same = leaf < kLeafCount && engine.LeafSum(static_cast<uint32_t>(leaf)) == sum;
    same.push_back(is_same ? 1 : 0);
  }
  if (!in.ok()) {
    ++context_->counters.messages_bad;
    return;
  }
  turn.RespondSynced(
      from,
      LeavesResponse{.request = request.request, .placement = context_->placement(), .same = same},
      engine.sequences().applied);
}

void ReplicaService::OnScan(const Turn& turn, NodeId from, const ScanRequest& request) {
  const LocalPage page = ScanLocally(*context_->replica.engine(), request.db, request.cursor,
                                     request.last_slot, request.count);
  ScanResponse response{.request = request.request,
                        .failed = page.failed,
                        .next = page.next,
                        .placement = context_->placement(),
                        .entries = {}};
  std::vector<std::string> objects(page.entries.size());
  for (size_t i = 0; i < page.entries.size(); ++i) {
    EncodeObject(page.entries[i].object, &objects[i]);
    response.entries.push_back({page.entries[i].key, objects[i]});
  }
  turn.Respond(from, response, context_->replica.engine()->sequences().applied);
}

void ReplicaService::OnCount(const Turn& turn, NodeId from, const CountRequest& request) {
  std::vector<uint32_t> partitions;
  Reader reader(request.partitions);
  while (reader.ok() && !reader.done()) {
    const uint64_t partition = reader.Varint();
    if (partition < context_->ring->partition_count()) {
      partitions.push_back(static_cast<uint32_t>(partition));
    }
  }
  std::string counts;
  for (const uint32_t partition : partitions) {
    PutVarint(&counts,
              CountLocally(*context_->replica.engine(), *context_->ring, request.db, partition));
  }
  turn.Respond(
      from, CountResponse{
                .request = request.request, .placement = context_->placement(), .counts = counts});
}

LocalPage ScanLocally(const StorageEngine& engine, uint32_t db, uint64_t cursor, uint16_t last_slot,
                      uint32_t count) {
  // Records of other dbs cost time as well: a page looks at no more than this.
  const uint64_t look_at_most = uint64_t{count} * 10 + 1000;
  LocalPage page;
  page.next = CursorAfterSlot(last_slot);
  uint64_t looked = 0;
  uint64_t last_cursor = kCursorEnd;
  const Position last{last_slot, UINT64_MAX, UINT64_MAX};
  const auto scanned =
      engine.Scan(FromCursor(cursor), last, [&](const Position& position, std::string_view image) {
        const uint64_t at = ToCursor(position);
        // A page never ends inside a cursor's prefix.
        if ((page.entries.size() >= count || looked >= look_at_most) && at != last_cursor) {
          page.next = at;
          return false;
        }
        last_cursor = at;
        ++looked;
        const auto record = ReadIntact(image);
        if (!record || record->db != db) return true;
        auto object = DecodeObject(record->object);
        if (!object) return true;
        page.entries.push_back({std::string(record->key), WithoutBytes(*object)});
        return true;
      });
  page.failed = !scanned.has_value();
  return page;
}

uint64_t CountLocally(const StorageEngine& engine, const Ring& ring, uint32_t db,
                      uint32_t partition) {
  uint64_t keys = 0;
  for (uint32_t slot = ring.FirstSlot(partition); slot <= ring.LastSlot(partition); ++slot) {
    keys += engine.ValueCount(db, static_cast<uint16_t>(slot));
  }
  return keys;
}

}  // namespace cartwheel
